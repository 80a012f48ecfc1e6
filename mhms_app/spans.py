"""Traces for OpenTelemetry: what an event, a request or a delivery took its time for, where MHMS_TRACES_URL is set.

An event's own span comes from Reflex (``reflex_base.otel``); here are those of requests, services, statements and
deliveries. Attributes are names from the source, statements without their values, and the event's id. Of an error only
its type leaves the house: its message may quote what a person typed. Without the setting nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from mhms_app import trace
from mhms_app.settings import settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

EVENT_ID = "mhms.event.id"
_LONGEST = 2000  # characters of a statement
_STATEMENTS = "spans"  # of a connection: those of the statements that it executes
_NOTHING: AbstractContextManager[None] = nullcontext()
_tracer: Tracer | None = None


def start(exporter: SpanExporter | None = None) -> TracerProvider | None:
    """Trace from here on, and return what Reflex has to be given; None where no collector is configured.

    Args:
        exporter: instead of the collector's.
    """
    global _tracer  # noqa: PLW0603 - one tracer a process
    if exporter is None and not settings().traces_url:
        return None
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - costs nothing where nobody traces
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        exporter = OTLPSpanExporter(endpoint=f"{settings().traces_url}/v1/traces")
    # A client may say that it wants to be traced: that is not for it to decide.
    share = TraceIdRatioBased(settings().traces_share)
    sampler = ParentBased(share, remote_parent_sampled=share, remote_parent_not_sampled=share)
    provider = TracerProvider(resource=Resource.create({"service.name": "mhms"}), sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(_discreet(exporter)))
    _tracer = provider.get_tracer("mhms_app")
    for name, listener in _LISTENERS.items():
        event.listen(Engine, name, listener)
    return provider


def stop() -> None:
    """Trace no more."""
    global _tracer  # noqa: PLW0603 - one tracer a process
    if _tracer is not None:
        _tracer = None
        for name, listener in _LISTENERS.items():
            event.remove(Engine, name, listener)


def span(name: str, *, parent: Mapping[str, str] | None = None, **attributes: str) -> AbstractContextManager[None]:
    """Everything within the block, as one span.

    Args:
        parent: the headers of a request, where it comes from a proxy that is believed; or what ``traceparent`` said.
    """
    return _NOTHING if _tracer is None else _span(_tracer, name, parent, attributes)


def traceparent() -> str | None:
    """What names the span that is open here, so that others go on from it; None where there is none.

    It is the header of that name: W3C Trace Context, section 3.2.
    """
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def rename(name: str, **attributes: str) -> None:
    """Say what the span that is open here turned out to be."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415 - costs nothing where nobody traces

        current = get_current_span()
        current.update_name(name)
        current.set_attributes(attributes)


@contextmanager
def _span(tracer: Tracer, name: str, parent: Mapping[str, str] | None, attributes: Mapping[str, str]) -> Iterator[None]:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - costs nothing where nobody traces
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    context = TraceContextTextMapPropagator().extract(parent) if parent else None
    given = {**attributes, EVENT_ID: trace.current()}
    with tracer.start_as_current_span(
        name, context, attributes=given, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield
        except BaseException as error:
            opened.set_attribute("error.type", type(error).__qualname__)
            opened.set_status(Status(StatusCode.ERROR))
            raise


def _begin(connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - costs nothing where nobody traces

    opened = None
    if _tracer is not None and get_current_span().is_recording():  # nobody wonders what the polling of a task takes
        operation = statement.split(maxsplit=1)[0].upper()
        system = connection.dialect.name
        opened = _tracer.start_span(
            operation,
            attributes={
                "db.system.name": system,
                "db.operation.name": operation,
                "db.query.text": statement[:_LONGEST],
                EVENT_ID: trace.current(),
            },
        )
    connection.info.setdefault(_STATEMENTS, []).append(opened)


def _end(connection: Any, *_others: Any) -> None:
    if (begun := connection.info.get(_STATEMENTS)) and (opened := begun.pop()):
        opened.end()


def _fail(context: Any) -> None:
    if context.connection is not None:
        _end(context.connection)


_LISTENERS: dict[str, Callable[..., None]] = {
    "before_cursor_execute": _begin,
    "after_cursor_execute": _end,
    "handle_error": _fail,
}


def _discreet(exporter: SpanExporter) -> SpanExporter:
    """The same exporter, for spans without the messages of errors: Reflex records those of whatever escapes it."""
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - costs nothing where nobody traces
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415
    from opentelemetry.trace import Status  # noqa: PLC0415

    def without_messages(span: ReadableSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=span.attributes,
            kind=span.kind,
            status=Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    class Discreet(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return exporter.export([without_messages(span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

    return Discreet()
