"""The progress of an HTTP request: once anything of it has left, the receiver may have it, whatever comes."""

from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(slots=True)
class RequestProgress:
    """Progress of one request, given to it as `trace_request_ctx`."""

    sent: bool = False


def trace_config() -> aiohttp.TraceConfig:
    """Make what a session needs to note the progress of its requests."""
    made = aiohttp.TraceConfig()
    made.on_request_chunk_sent.append(_note_sent)
    return made


async def _note_sent(_session: Any, context: Any, _chunk: Any) -> None:
    context.trace_request_ctx.sent = True
