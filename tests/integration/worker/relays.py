"""Shared parts of the tests of worker/relays: an envelope, a relay to a sink, a mail's outcome."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import pytest

from testkit.patience import PATIENCE
from testkit.sink import Sink
from worker.relays import Deadlines, DeliveryFailure, PermanentFailure, RelayPool, SmtpUrl, TemporaryFailure

SENDER, ANN, BOB = "no-reply@example.com", "ann@example.org", "bob@example.org"
MESSAGE = b"Subject: hello\r\n\r\nOne line.\r\n"
PASSWORD = "s3cret/p@ss%word"
QUOTED = "s3cret%2Fp%40ss%25word"
SHORT = Deadlines(**dict.fromkeys(asdict(Deadlines()), 0.3))


def to(sink: Sink) -> SmtpUrl:
    """The sink as a server without TLS."""
    return SmtpUrl("127.0.0.1", sink.port, tls="none")


@asynccontextmanager
async def relay(*sinks: Sink, server: SmtpUrl | None = None, **options: Any) -> AsyncIterator[RelayPool]:
    """A relay to these sinks without TLS unless `server` says otherwise, closed at the end."""
    opened = RelayPool(*([server] if server else map(to, sinks)), **options)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def kept(*sinks: Sink, **options: Any) -> AsyncIterator[RelayPool]:
    """The same with its keeper beside it, as a worker runs it, and probes in quick succession."""
    async with relay(*sinks, **({"rest": 0.05} | options)) as opened:
        keeping = asyncio.create_task(opened.run_probes())
        try:
            yield opened
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            assert keeping.cancelled()


async def outcome(opened: RelayPool, recipient: str = ANN, *, sender: str = SENDER, **options: Any) -> DeliveryFailure:
    """The answer a mail met, checked for what every answer promises."""
    with pytest.raises(DeliveryFailure) as caught:
        await opened.send(sender, recipient, MESSAGE, **options)
    fault = caught.value
    assert type(fault) in {PermanentFailure, TemporaryFailure}
    assert fault.text.isprintable()
    assert 0 < len(fault.text) <= 200
    assert fault.cause in {"server", "recipient", "ours", "pace"}
    assert bool(fault.server) == (fault.stage != "address")
    # Nothing else may hang on it: the original could quote a password or a link.
    assert fault.__cause__ is None
    assert fault.__context__ is None
    return fault


async def recovered(opened: RelayPool) -> None:
    """Wait until a server is well again."""
    async with asyncio.timeout(PATIENCE):
        await opened.recovered.wait()
    opened.recovered.clear()
