"""`python -m bench.bare_mail`: the least that sends so many letters, to compare a worker with.

Our templates, Python's EmailMessage, aiosmtplib's own send_message over reused connections. What a letter says
stands ready in memory: no queue, no database, and a mail that fails ends the run.
"""

import asyncio
import secrets
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any
from urllib.parse import urlencode

import aiosmtplib
import uvloop

from bench.programs import Order, obey
from service import ids
from worker.mail import templates
from worker.mail.branding import Branding

_BRANDING = Branding("Bench")
_LIFE = {"recovery": 3_600, "verification": 604_800}


def _facts(letter: str, recipient: str) -> dict[str, Any]:
    """Build facts for the template, of the same lengths as the worker's."""
    requested_at = datetime.now(UTC)
    expires = requested_at + timedelta(seconds=_LIFE[letter])
    parameters = {"userId": ids.new()}
    if letter == "recovery":
        parameters["email"] = recipient
    parameters |= {"secret": secrets.token_hex(128), "expire": str(int(expires.timestamp()))}
    return {
        "recipient": recipient, "link": f"http://localhost/open?{urlencode(parameters)}", "expires": expires,
        "lifetime_seconds": _LIFE[letter], "era": "legacy", "ip": "127.0.0.1", "requested_at": requested_at,
        "device": "Firefox, GNU/Linux",
    }  # fmt: skip


def _message(letter: str, recipient: str, facts: dict[str, Any]) -> EmailMessage:
    written = templates.render(letter, locale="en", branding=_BRANDING, **facts)
    message = EmailMessage()
    message["From"] = "Bench Team <no-reply@accounts.example>"
    message["To"] = recipient
    message["Subject"] = written.subject
    message["Date"] = format_datetime(facts["requested_at"])
    message["Message-ID"] = make_msgid(domain="accounts.example")
    message.set_content(written.text)
    message.add_alternative(written.html, subtype="html")
    return message


async def send(order: Order) -> Order:
    """Send the mails; answers how many seconds it took from the first rendering to the last 250."""
    letter = order["letter"]
    waiting = [(recipient, _facts(letter, recipient)) for recipient in order["recipients"]]
    relays = [
        aiosmtplib.SMTP(hostname="127.0.0.1", port=order["port"], start_tls=False) for _ in range(order["connections"])
    ]
    for relay in relays:
        await relay.connect()

    async def work(relay: aiosmtplib.SMTP) -> None:
        while waiting:
            recipient, facts = waiting.pop()
            await relay.send_message(_message(letter, recipient, facts))

    began = time.perf_counter()
    await asyncio.gather(*(work(relay) for relay in relays))
    seconds = time.perf_counter() - began
    for relay in relays:
        await relay.quit()
    return {"seconds": seconds}


if __name__ == "__main__":
    templates.load_templates()
    uvloop.run(obey(send))
