"""What a clinic of two machines goes through: one fault after the other, while people book and somebody looks on.

``tests/faults/test_ordeals.py`` asks whether everything was kept, ``python -m bench faults`` how long it took.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from bench.cluster import Cluster, running_cluster
from mhms_app.web import meanwhile
from tests.faults.history import Crowd, Verdict, judged, storm
from tests.faults.mail_service import MailService, Trouble, mail_service
from tests.faults.onlooker import a_browser, onlooker
from tests.faults.postgres import OwnServer, own_server, proxied
from tests.faults.proxy import FaultProxy, Line

CUT_SECONDS, REDIS_SECONDS, MAIL_SECONDS = 10, 3, 1
MORE = 8  # answers after a fault that show that the clinic works again


@dataclass(frozen=True, slots=True)
class Clinic:
    """The clinic on two machines of two workers, and what can be broken of it.

    Attributes:
        line: between PgBouncer, and the workers' own connections that listen, and the database.
    """

    cluster: Cluster
    server: OwnServer
    line: FaultProxy
    mail: MailService
    browser: Browser


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks, and comes back.

    Attributes:
        seconds: from the one to the other.
        says: what a page reads on which somebody asks for something meanwhile; any of these.
    """

    name: str
    strike: Callable[[Clinic], object]
    seconds: float = 0
    mend: Callable[[Clinic], object] = lambda _: None
    says: tuple[str, ...] = ()


def _kill_a_worker(clinic: Clinic) -> None:
    """One of each machine's two, whichever of them it is that serves the onlooker."""
    for machine in clinic.cluster.machines:
        os.kill(machine.workers()[0], signal.SIGKILL)


def _send_no_mail(clinic: Clinic) -> None:
    for trouble in (Trouble.FAILING, Trouble.SLOW, Trouble.AFTERWARDS):
        clinic.mail.suffer(trouble)
        time.sleep(MAIL_SECONDS)


FAULTS = (
    Fault("every second worker is killed", _kill_a_worker),
    Fault(
        "a machine loses its power",
        lambda clinic: clinic.cluster.machines[0].kill(),
        mend=lambda clinic: clinic.cluster.machines[0].start(),
    ),
    Fault(
        "the main process of a machine is killed",
        lambda clinic: os.kill(clinic.cluster.machines[1].process.pid, signal.SIGKILL),
        seconds=5,
        mend=lambda clinic: clinic.cluster.machines[1].start(),
    ),
    Fault("PostgreSQL restarts (immediate)", lambda clinic: clinic.server.crash()),
    Fault(
        f"the database is cut off for {CUT_SECONDS} s",
        lambda clinic: clinic.line.set(Line.CUT),
        CUT_SECONDS,
        lambda clinic: clinic.line.set(Line.OPEN),
        (meanwhile.AWAY,),
    ),
    Fault(
        f"nothing of the database arrives for {CUT_SECONDS} s",
        lambda clinic: clinic.line.set(Line.STALLED),
        CUT_SECONDS,
        lambda clinic: clinic.line.set(Line.OPEN),
        (meanwhile.AWAY, meanwhile.SLOW),
    ),
    Fault(
        f"Redis is away for {REDIS_SECONDS} s, and empty",
        lambda clinic: clinic.cluster.redis.stop(),
        REDIS_SECONDS,
        lambda clinic: clinic.cluster.redis.start(),
        (meanwhile.APART,),
    ),
    Fault(
        "e-mail: 500, slow, 500 after sending",
        _send_no_mail,
        mend=lambda clinic: clinic.mail.suffer(Trouble.NONE),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fault.

    Attributes:
        booking, screen: seconds after its end until the next booking was acknowledged, and until two open pages
            showed what had happened meanwhile.
        said: what the pages said.
    """

    verdict: Verdict
    booking: float
    screen: float
    said: str


def endure(clinic: Clinic, fault: Fault) -> Outcome:
    """Let it happen while people book, move and cancel, and look afterwards whether all is well."""
    cluster = clinic.cluster
    with onlooker(clinic.browser, cluster) as patient, storm(cluster, Crowd()) as history:
        fault.strike(clinic)
        patient.ask()
        time.sleep(fault.seconds)
        patient.be_booked()
        fault.mend(clinic)
        over = time.monotonic()
        screen = patient.wait_until_both_pages_show_it() - over
        booking = history.wait_for_booking(after=over) - over
        history.wait_for_more(MORE)
        patient.book()
        said = patient.said()
        for machine in cluster.machines:
            machine.wait_until_ready()
    cluster.forget_connections()
    return Outcome(judged(cluster, history), booking, screen, said)


@contextmanager
def running_clinic() -> Iterator[Clinic]:
    """The clinic with everything that it needs, until the block ends."""
    with ExitStack() as stack:
        server = stack.enter_context(own_server())
        lines: list[FaultProxy] = []
        services: list[MailService] = []

        def through_a_proxy(url: str) -> str:
            line, address = stack.enter_context(proxied(url))
            lines.append(line)
            return address

        @contextmanager
        def with_trouble(folder: Path) -> Iterator[str]:
            with mail_service(folder) as (service, address):
                services.append(service)
                yield address

        cluster = stack.enter_context(
            running_cluster(database_url=server.url, pooled=True, reach=through_a_proxy, mail_service=with_trouble)
        )
        yield Clinic(cluster, server, lines[0], services[0], stack.enter_context(a_browser()))
