"""Response to the proxy check of the doctor command: the client address that this service sees behind all proxies.

It is no route: without the proof there is nothing at this path, as at any other.
"""

import time
from typing import get_args

from aiohttp import web

from service.crypto import proxy_probe
from service.http import forwarded, responses
from service.http.context import RequestContext


def show_client(ctx: RequestContext) -> web.Response | None:
    """Answer a signed probe; None for any other request."""
    request = ctx.request
    proof = request.headers.get(proxy_probe.HEADER, "")
    if request.path != proxy_probe.PATH or not proof:
        return None
    if not proxy_probe.is_signed(ctx.services.ring, proof, now=int(time.time())):
        return None
    settings = ctx.services.settings
    return responses.json(
        {
            "believed": ctx.client.ip,
            "peer": forwarded.peer_of(request),
            "forwarded": {header: forwarded.elements(request, header) for header in get_args(forwarded.Header)},
            "header": settings.forwarded_header,
            "trusted_hops": settings.trusted_hops,
            "host": request.headers.get("Host", ""),
        }
    )
