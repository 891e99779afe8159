"""Traces by OpenTelemetry, whose packages are loaded where TRACES_URL is set and nowhere else.

Spans are made by hand. They hold names, numbers and ids of this service: no text of a client, no address, no URL, no
statement, and of an error its class alone, for anything else may hold a secret. `KEYS` are all that a span can hold.
"""

import asyncio
import random
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

from service.version import VERSION

if TYPE_CHECKING:
    from opentelemetry import trace

KEYS = frozenset({
    "http.request.method", "http.route", "http.response.status_code", "error.type",
    "accounts.request_id", "accounts.project", "accounts.mail", "accounts.sms", "accounts.letter", "accounts.attempt",
    "accounts.outcome", "accounts.cause", "accounts.events", "server",
})  # fmt: skip
Kind = Literal["internal", "server", "consumer"]
Facts = Mapping[str, str | int | None]
_OFF: AbstractContextManager["Span | None"] = nullcontext()
# Seconds for one export; for the last ones together when the process stops; for an aborted one to tell of its failure.
_EXPORT, _LAST, _FAREWELL = 5, 1.5, 0.5


class Span:
    """A span that is being recorded."""

    def __init__(self, span: "trace.Span") -> None:
        self._span = span

    def set(self, **facts: str | int | None) -> None:
        """Set attributes; a key's dots are written as `__`. Raises KeyError for one that is not listed."""
        self._span.set_attributes(_checked(facts))

    def fail(self, **facts: str | int | None) -> None:
        """Mark as failed, and set attributes."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - only where spans are made

        self.set(**facts)
        self._span.set_status(StatusCode.ERROR)


class Tracer:
    """Makes spans and hands them to an exporter, in a thread of its own."""

    def __init__(self, exporter: Any, *, sampled: float, program: str) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - see the head of this file
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.sampling import DEFAULT_ON  # noqa: PLC0415 - as above

        resource = Resource.create(
            {"service.name": program, "service.namespace": "accounts", "service.version": VERSION}
        )
        self.current_span = trace.get_current_span
        self._exporter, self._sampled = exporter, sampled
        self._provider = TracerProvider(sampler=DEFAULT_ON, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("accounts", VERSION)

    def records(self, *, root: bool, parent: str | None) -> bool:
        """Tell whether a span is wanted: a part of the roots, and what is below them.

        Asked before one is made: a span that the library makes and drops costs a third of a read.
        """
        if root:
            return random.random() < self._sampled  # noqa: S311 - chance, and no secret
        return parent is not None or self.current_span().is_recording()

    @contextmanager
    def span(  # noqa: PLR0917 - `span` below is for callers
        self,
        name: str,
        kind: Kind,
        parent: str | None,
        links: Iterable[str],
        root: bool,
        facts: Facts,
    ) -> Iterator[Span | None]:
        from opentelemetry import trace  # noqa: PLC0415 - as above
        from opentelemetry.context import Context  # noqa: PLC0415 - as above

        linked = [trace.Link(context) for text in links if (context := _context_of(text)).is_valid]
        above = _remote(parent) if parent else Context() if root else None
        with self._tracer.start_as_current_span(
            name, above, trace.SpanKind[kind.upper()], links=linked,
            attributes=_checked(facts), record_exception=False, set_status_on_exception=False,
        ) as span:  # fmt: skip
            made = Span(span) if span.is_recording() else None
            try:
                yield made
            except BaseException as error:
                if made:
                    made.fail(error__type=type(error).__name__)
                raise

    def close(self) -> None:
        """Export what is left, for _LAST seconds; then what has not come through is dropped.

        The library's own bounds are longer than the wait of most supervisors, and one of them does nothing.
        """
        # The end of the process waits for no daemon thread.
        closing = threading.Thread(target=self._provider.shutdown, name="last-export", daemon=True)
        closing.start()
        closing.join(_LAST)
        if closing.is_alive():
            self._exporter.shutdown()  # ends the waits between attempts, not an attempt
            closing.join(_FAREWELL)


_tracer: Tracer | None = None


def start(url: str, *, sampled: float, program: str) -> None:
    """Send spans to an OTLP/HTTP endpoint from now on; none without a URL. Raises InvalidSettings without packages."""
    global _tracer  # noqa: PLW0603 - one a process, as the log is
    if not url:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
    except ImportError:
        from service.settings import InvalidSettings  # noqa: PLC0415 - the log needs no settings

        raise InvalidSettings(["TRACES_URL: the packages of requirements-tracing.lock are not installed"]) from None
    from service.trace_exporter import WatchedExporter  # noqa: PLC0415 - see the head of this file

    exporter = WatchedExporter(OTLPSpanExporter(endpoint=url, timeout=_EXPORT), url)
    _tracer = Tracer(exporter, sampled=sampled, program=program)


async def stop() -> None:
    """Hand over what was recorded, and make no more spans."""
    global _tracer
    ended, _tracer = _tracer, None
    if ended:
        await asyncio.to_thread(ended.close)


def is_on() -> bool:
    return _tracer is not None


def span(
    name: str,
    kind: Kind = "internal",
    *,
    parent: str | None = None,
    links: Iterable[str] = (),
    root: bool = False,
    **facts: str | int | None,
) -> AbstractContextManager[Span | None]:
    """Make a span around a block: below `parent`, a traceparent, or else the current span, unless it is a `root`.

    `facts` are set as `Span.set` does. Yields None where nothing is recorded.
    """
    if _tracer is None or not _tracer.records(root=root, parent=parent):
        return _OFF
    return _tracer.span(name, kind, parent, links, root, facts)


def row_span(name: str, traceparent: str | None, **facts: str | int | None) -> AbstractContextManager[Span | None]:
    """Make a span of the trace in which a row was written; none for a row of no trace."""
    return span(name, "consumer", parent=traceparent, links=(), root=False, **facts) if traceparent else _OFF


def annotate(**facts: str | int | None) -> None:
    """Set attributes of the current span, if it is recorded; keys as for `Span.set`."""
    if _tracer is not None and (current := _tracer.current_span()).is_recording():
        Span(current).set(**facts)


def event(name: str) -> None:
    """Note a moment in the current span, if it is recorded."""
    if _tracer is not None:
        _tracer.current_span().add_event(name)


def traceparent() -> str | None:
    """Return the current span as W3C's traceparent, for the rows that it leaves to a worker; None if unrecorded."""
    if _tracer is None:
        return None
    context = _tracer.current_span().get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def trace_id() -> str:
    """Return the id of the trace that is being recorded, empty for none."""
    return (traceparent() or "")[3:35]


def _remote(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    return TraceContextTextMapPropagator().extract({"traceparent": parent})


def _context_of(parent: str) -> "trace.SpanContext":
    from opentelemetry import trace  # noqa: PLC0415 - as above

    return trace.get_current_span(_remote(parent)).get_span_context()


def _checked(facts: Facts) -> dict[str, str | int]:
    named = {key.replace("__", "."): value for key, value in facts.items() if value is not None}
    if unknown := named.keys() - KEYS:
        raise KeyError(*unknown)
    return named
