"""Traces say what an event took its time for, and of nobody what they typed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mhms_app import db, spans, trace
from mhms_app.accounts import sessions
from mhms_app.booking import service as booking
from mhms_app.booking.statement import book_at_once
from mhms_app.notifications import service as notifications
from mhms_app.notifications.dispatcher import dispatch_once
from mhms_app.notifications.senders import LambdaSender, RecordingSender
from tests import builders
from tests.databases import ROOT

CANARY = "canary-7f3a"
PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
Finished = Callable[[], tuple[ReadableSpan, ...]]


@pytest.fixture
def finished() -> Iterator[Finished]:
    """What was handed to the collector."""
    exporter = InMemorySpanExporter()
    provider = spans.start(exporter)
    assert provider is not None

    def flushed() -> tuple[ReadableSpan, ...]:
        provider.force_flush()
        return exporter.get_finished_spans()

    yield flushed
    spans.stop()
    provider.shutdown()


def words(found: tuple[ReadableSpan, ...]) -> str:
    return " ".join(span.to_json() for span in found)


@pytest.mark.usefixtures("database")
def test_a_statement_belongs_to_what_asked_for_it_and_both_to_the_event(finished: Finished) -> None:
    with trace.under_way("aaaa0000bbbb"), spans.span("booking.service.book"), db.transaction() as session:
        session.execute(text("SELECT count(*) FROM user_account WHERE email = :email"), {"email": CANARY})
    *_, statement, service = finished()
    assert (statement.name, service.name) == ("SELECT", "booking.service.book")
    assert statement.parent and service.context
    assert statement.parent.span_id == service.context.span_id
    for span in (statement, service):
        assert span.attributes and span.attributes[spans.EVENT_ID] == "aaaa0000bbbb"
    assert CANARY not in words(finished())


@pytest.mark.usefixtures("database")
def test_of_an_error_only_its_type_is_told(finished: Finished) -> None:
    with pytest.raises(DBAPIError), spans.span("service"), db.transaction() as session:
        session.execute(text("SELECT * FROM nothing WHERE name = :name"), {"name": CANARY})
    with pytest.raises(ValueError, match=CANARY), reflexs_own_span(finished):
        raise ValueError(CANARY)
    *_, statement, service, own = finished()
    assert [span.status.status_code for span in (service, own)] == [StatusCode.ERROR] * 2
    assert service.attributes and service.attributes["error.type"] in ("OperationalError", "ProgrammingError")
    assert statement.end_time
    assert CANARY not in words(finished())


def reflexs_own_span(_finished: Finished) -> object:
    """As ``reflex_base.otel`` opens one, which records whatever escapes it."""
    assert spans._tracer is not None
    return spans._tracer.start_as_current_span("event")


@pytest.mark.usefixtures("database")
def test_a_delivery_is_a_span_and_names_nobody(finished: Finished) -> None:
    with db.transaction() as session:
        notifications.account_password(
            session, email=f"{CANARY}@example.com", name=CANARY, temporary_password=CANARY, good_for="3 days"
        )
    assert dispatch_once(RecordingSender()) == 1
    names = [span.name for span in finished()]
    assert names[-1] == "deliver ACCOUNT_PASSWORD"
    assert "UPDATE" in names
    assert CANARY not in words(finished())


@pytest.mark.usefixtures("database", "now")
def test_what_a_booking_promises_is_sent_in_its_trace_and_the_mail_service_is_told(finished: Finished) -> None:
    with db.transaction() as session:
        patient, doctor = builders.patient(session), builders.doctor(session)
        slot = builders.slot(session, doctor, db.clock.now() + timedelta(days=1))
        actor, token = builders.actor(session, patient), sessions.open_session(session, user_id=patient.user_id)
    wanted: dict[str, Any] = {"slot_id": builders.key(slot), "reason": "", "key": str(uuid4())}
    with spans.span("an event"):
        if not book_at_once(token, "", **wanted):  # as on SQLite
            assert db.engine().dialect.name == "sqlite"
            with db.transaction() as session:
                booking.book(session, actor, **wanted)
    told: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request.headers["traceparent"])
        return httpx.Response(200, json={"status": "sent"})

    assert dispatch_once(LambdaSender(httpx.Client(transport=httpx.MockTransport(answer)))) == 1
    by_name = {span.name: span for span in finished()}
    event, delivery = by_name["an event"], by_name["deliver BOOKING_CONFIRMATION"]
    assert delivery.parent and (delivery.parent.trace_id, delivery.parent.span_id) == ids(event)
    assert [tuple(int(part, 16) for part in one.split("-")[1:3]) for one in told] == [ids(delivery)]


def ids(span: ReadableSpan) -> tuple[int, int]:
    assert span.context
    return span.context.trace_id, span.context.span_id


def test_a_request_continues_the_trace_of_a_proxy(finished: Finished) -> None:
    with spans.span("GET", parent=PARENT):
        spans.rename("GET /readyz", status="200")
    (span,) = finished()
    assert span.name == "GET /readyz"
    assert f"{span.context.trace_id:032x}" == PARENT["traceparent"].split("-")[1]


@pytest.mark.usefixtures("database")
def test_what_polls_the_database_is_no_trace(finished: Finished) -> None:
    with db.transaction(read_only=True) as session:
        session.execute(text("SELECT 1"))
    assert finished() == ()


def test_a_client_does_not_decide_whether_it_is_traced(
    finished: Finished, configure: Callable[[str, str], None]
) -> None:
    configure("MHMS_TRACES_SHARE", "0")
    spans.stop()
    exporter = InMemorySpanExporter()
    provider = spans.start(exporter)
    assert provider is not None
    with spans.span("GET", parent=PARENT):
        pass
    provider.force_flush()
    assert exporter.get_finished_spans() == ()


class Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    taken: list[tuple[str, ExportTraceServiceRequest]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass


def test_spans_arrive_at_the_collector_that_is_configured(configure: Callable[[str, str], None]) -> None:
    Collector.taken = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        configure("MHMS_TRACES_URL", f"http://127.0.0.1:{server.server_port}")
        provider = spans.start()
        assert isinstance(provider, TracerProvider)
        with spans.span("booking.service.book"):
            pass
        provider.force_flush()
        spans.stop()
        provider.shutdown()
        server.shutdown()
    ((path, sent),) = Collector.taken
    assert path == "/v1/traces"
    (resource,) = sent.resource_spans
    assert "mhms" in {attribute.value.string_value for attribute in resource.resource.attributes}
    assert [span.name for span in resource.scope_spans[0].spans] == ["booking.service.book"]


def test_where_nobody_traces_nothing_is_loaded_and_nothing_is_done() -> None:
    assert spans.start() is None
    assert spans.span("service") is spans.span("service")
    script = "import sys; from mhms_app.web import bridge; bridge.spans.start(); print(sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), check=True, capture_output=True, text=True
    ).stdout
    assert "mhms_app.spans" in loaded
    assert "opentelemetry.sdk" not in loaded
