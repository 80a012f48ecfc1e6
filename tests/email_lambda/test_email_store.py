import multiprocessing
import os
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from email_lambda.store import KEEP, LEASE, Claim, DynamoStore, SqliteStore

NOW = 1_795_000_000.5


@pytest.fixture(params=["sqlite", "dynamo"])
def store(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        yield SqliteStore(tmp_path / "keys.sqlite3")
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        client.create_table(
            TableName="keys",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        )
        yield DynamoStore(client, "keys")


def test_a_key_belongs_to_one_owner_at_a_time(store):
    assert store.claim("k", "a", now=NOW) is Claim.CLAIMED
    assert store.claim("k", "b", now=NOW + LEASE - 1) is Claim.IN_PROGRESS
    assert store.claim("other", "b", now=NOW) is Claim.CLAIMED


def test_a_finished_key_stays_done(store):
    store.claim("k", "a", now=NOW)
    store.finish("k", now=NOW)
    assert store.claim("k", "b", now=NOW) is Claim.DONE
    assert store.claim("k", "b", now=NOW + KEEP - 10) is Claim.DONE


def test_the_key_of_a_dead_owner_is_free_after_its_lease(store):
    store.claim("k", "a", now=NOW)
    assert store.claim("k", "b", now=NOW + LEASE + 2) is Claim.CLAIMED
    assert store.claim("k", "c", now=NOW + LEASE + 2) is Claim.IN_PROGRESS


def test_a_released_key_is_free_at_once(store):
    store.claim("k", "a", now=NOW)
    store.release("k", "a")
    assert store.claim("k", "b", now=NOW) is Claim.CLAIMED


def test_an_owner_whose_lease_ran_out_cannot_release_the_next_owners_claim(store):
    store.claim("k", "slow", now=NOW)
    store.claim("k", "next", now=NOW + LEASE + 2)
    store.release("k", "slow")
    assert store.claim("k", "third", now=NOW + LEASE + 3) is Claim.IN_PROGRESS


def test_a_late_finish_still_counts_and_outlives_a_release(store):
    store.claim("k", "slow", now=NOW)
    store.claim("k", "next", now=NOW + LEASE + 2)
    store.finish("k", now=NOW + LEASE + 3)
    store.release("k", "next")
    assert store.claim("k", "third", now=NOW + LEASE + 4) is Claim.DONE


def test_releasing_an_unknown_key_does_nothing(store):
    store.release("k", "a")
    assert store.claim("k", "b", now=NOW) is Claim.CLAIMED


def test_the_local_file_forgets_a_key_when_its_time_is_over(tmp_path):
    store = SqliteStore(tmp_path / "keys.sqlite3")
    store.finish("k", now=NOW)
    assert store.claim("k", "a", now=NOW + KEEP + 1) is Claim.CLAIMED


def test_dynamodb_is_told_when_to_forget(store):
    if isinstance(store, SqliteStore):
        return
    store.finish("k", now=NOW)
    item = store._client.get_item(TableName="keys", Key={"key": {"S": "k"}})["Item"]
    assert item == {"key": {"S": "k"}, "expires_at": {"N": str(int(NOW) + KEEP)}}


def claim_all(path: Path) -> list[Claim]:
    """Claim twenty keys, each under a name of its own."""
    store = SqliteStore(path)
    return [store.claim(f"k{n}", f"{os.getpid()}-{uuid.uuid4()}", now=NOW) for n in range(20)]


@pytest.mark.parametrize("pool", ["threads", "processes"])
def test_of_many_that_claim_a_key_at_once_one_gets_it(tmp_path, pool):
    path = tmp_path / "keys.sqlite3"
    executor = (
        ThreadPoolExecutor(8)
        if pool == "threads"
        else ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn"))
    )
    with executor:
        attempts = [attempt.result() for attempt in [executor.submit(claim_all, path) for _ in range(8)]]
    for of_one_key in zip(*attempts, strict=True):
        assert sorted(claim.value for claim in of_one_key) == ["claimed"] + ["in_progress"] * 7
