"""One clinic on two machines with two workers each, behind nginx and before PgBouncer, serves the whole folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.cluster import Cluster, running_cluster
from tests.socket.cast import Cast

DRAIN = 2  # seconds
METRICS_TOKEN = "the token of this test only, long enough"


@pytest.fixture(scope="package", params=["machines"])  # the name keeps those together that share it
def clinic() -> Iterator[tuple[Cluster, Cast]]:
    cast = Cast()
    environment = {"MHMS_DRAIN_SECONDS": str(DRAIN), "MHMS_METRICS_TOKEN": METRICS_TOKEN}
    with running_cluster(fill=cast.fill, pooled=True, environment=environment) as cluster:
        yield cluster, cast


@pytest.fixture(scope="package")
def cluster(clinic: tuple[Cluster, Cast]) -> Cluster:
    """The clinic as it runs."""
    return clinic[0]


@pytest.fixture(scope="package")
def cast(clinic: tuple[Cluster, Cast]) -> Cast:
    """Who is in it."""
    return clinic[1]
