"""What this service believes of a request that came through all proxies, told to the doctor command alone.

It is no route: without the proof there is nothing at this path, as at any other.
"""

import time
from typing import get_args

from aiohttp import web

from service import whoami
from service.api import answers, forwarding
from service.api.calls import Call


def tell(call: Call) -> web.Response | None:
    """None for everybody else."""
    request = call.request
    proof = request.headers.get(whoami.HEADER, "")
    if request.path != whoami.PATH or not proof:
        return None
    if not whoami.is_proved(call.services.ring, proof, now=int(time.time())):
        return None
    settings = call.services.settings
    return answers.json(
        {
            "believed": call.client.ip,
            "peer": forwarding.peer_of(request),
            "forwarded": {header: forwarding.elements(request, header) for header in get_args(forwarding.Header)},
            "header": settings.forwarded_header,
            "trusted_hops": settings.trusted_hops,
            "host": request.headers.get("Host", ""),
        }
    )
