"""HTTP APIs of mail providers, as far as their documentation has them: they take a mail, and keep what came."""

import asyncio
import email
import email.policy
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Literal

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

Name = Literal["ses", "mailgun", "postmark", "resend"]
NAMES: tuple[Name, ...] = ("ses", "mailgun", "postmark", "resend")
SECRET = "k3y/of+the=shop"
_QUOTED = SECRET.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")
_USERS = {"ses": "AKID", "mailgun": "api", "postmark": "server", "resend": "resend"}
_PATHS = {"ses": "", "mailgun": "/mg.shop.example", "postmark": "", "resend": ""}
# Ids in the form that each provider's are documented in.
IDS = {
    "ses": "0102018f3c1a2b3c-33322211-cccc-cccc-cccc-ddddaaaa068a-000000", "mailgun": "<20261130.1.a@mg.shop.example>",
    "postmark": "b7bc2f4a-e38e-4336-af7d-e6c392c2f817", "resend": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794",
}  # fmt: skip
_TAKEN: dict[str, dict[str, Any]] = {
    "ses": {"MessageId": IDS["ses"]}, "mailgun": {"id": IDS["mailgun"], "message": "Queued. Thank you."},
    "postmark": {"To": "x", "MessageID": IDS["postmark"], "ErrorCode": 0, "Message": "OK"},
    "resend": {"id": IDS["resend"]},
}  # fmt: skip


@dataclass
class Provider:
    """A provider's API, with its next answer."""

    status: int = 200
    answer: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    asked: list[tuple[web.Request, bytes]] = field(default_factory=list)
    port: int = 0

    def url(self, name: Name) -> str:
        return f"{name}+http://{_USERS[name]}:{_QUOTED}@127.0.0.1:{self.port}{_PATHS[name]}"

    def take(self, name: Name) -> None:
        """Take mails from now on."""
        self.status, self.answer = 200, orjson.dumps(_TAKEN[name])

    def facts(self) -> Any:
        """Return the last call's JSON."""
        return orjson.loads(self.asked[-1][1])

    def message(self, name: Name) -> EmailMessage:
        """Return the MIME message of the last call, of SES or Mailgun."""
        request, body = self.asked[-1]
        if name == "ses":
            raw = b64decode(self.facts()["Content"]["Raw"]["Data"])
        else:
            head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
            _, file = email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts()  # type: ignore[attr-defined]
            raw = file.get_payload(0).as_bytes()
        return email.message_from_bytes(raw, policy=email.policy.default)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request, await request.read()))
        if self.hang:
            await asyncio.Event().wait()
        return web.Response(status=self.status, body=self.answer, headers=self.headers)


@asynccontextmanager
async def serving() -> AsyncIterator[Provider]:
    found = Provider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.port = server.port or 0
        yield found
