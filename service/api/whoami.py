"""What this service believes of a request that came through all proxies, told to the doctor command alone.

It is no route: without the proof there is nothing at this path, as at any other.
"""

import time

from aiohttp import web

from service import whoami
from service.api import answers
from service.api.calls import Call


def tell(call: Call) -> web.Response | None:
    """None for everybody else."""
    request = call.request
    proof = request.headers.get(whoami.HEADER, "")
    if request.path != whoami.PATH or not proof:
        return None
    if not whoami.is_proved(call.services.ring, proof, now=int(time.time())):
        return None
    hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", ()) for hop in line.split(",")]
    return answers.json(
        {
            "believed": call.client.ip,
            "peer": request.remote,
            "forwarded": hops,
            "trusted_hops": call.services.settings.trusted_hops,
            "host": request.headers.get("Host", ""),
        }
    )
