"""A mailbox for one machine: takes any mail by SMTP, shows it on a page and hands it out as JSON.

Whoever can reach the two ports reads everything, so they are on 127.0.0.1 only, and a page of another site that
got a name of its own to point here (DNS rebinding) is turned away by its Host header.
"""

import asyncio
import json
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiosmtpd.smtp import SMTP

KEPT = 500
LARGEST = 10_000_000
LONGEST_WAIT = 300.0

_PAGES = Path(__file__).with_name("pages")
_OURS = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A letter runs no script, loads nothing and sends no form; its links open beside it.
_LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class Mail:
    """`n` counts from 1, `at` is in Unix seconds, `sender` and `to` are those of the envelope."""

    n: int
    at: float
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str | None
    html: str | None
    headers: tuple[tuple[str, str], ...]
    raw: str


class Mailbox:
    """The last KEPT mails, oldest first."""

    def __init__(self) -> None:
        self.smtp_port = 0
        self.page_port = 0
        self._mails: deque[Mail] = deque(maxlen=KEPT)
        self._taken = 0
        self._came = asyncio.Condition()

    def find(self, *, to: str = "", subject: str = "", after: int = 0) -> list[Mail]:
        """`to` is a whole address, `subject` a part, both in any case; `after` is the number of a mail."""
        return [
            mail
            for mail in self._mails
            if mail.n > after
            and (not to or to.lower() in (address.lower() for address in mail.to))
            and subject.lower() in mail.subject.lower()
        ]

    async def wait(self, *, to: str = "", subject: str = "", after: int = 0, timeout: float = 5) -> Mail:
        """Answer the newest mail that fits, once there is one; raises TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._came:
            await self._came.wait_for(lambda: self.find(to=to, subject=subject, after=after))
            return self.find(to=to, subject=subject, after=after)[-1]

    async def take(self, content: bytes, *, sender: str, to: list[str]) -> None:
        self._taken += 1
        self._mails.append(_read(content, n=self._taken, sender=sender, to=to))
        async with self._came:
            self._came.notify_all()

    def clear(self) -> None:
        """Numbers go on where they were, so that `after` stays true."""
        self._mails.clear()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        await self.take(envelope.content, sender=envelope.mail_from, to=list(envelope.rcpt_tos))
        return "250 OK"


@asynccontextmanager
async def open_mailbox(*, smtp_port: int = 0, page_port: int = 0) -> AsyncIterator[Mailbox]:
    """Listen on 127.0.0.1 until the block ends; port 0 picks a free one, and the mailbox says which."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    sessions: weakref.WeakSet[Any] = weakref.WeakSet()

    def session() -> Any:
        # Without a name of its own aiosmtpd would ask the DNS for one at each connection.
        made = SMTP(box, hostname="localhost", enable_SMTPUTF8=True, data_size_limit=LARGEST, loop=loop)
        sessions.add(made)
        return made

    runner = web.AppRunner(_application(box), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", page_port).start()
        box.page_port = runner.addresses[0][1]
        server = await loop.create_server(session, "127.0.0.1", smtp_port)
        box.smtp_port = server.sockets[0].getsockname()[1]
        try:
            yield box
        finally:
            server.close()
            # Senders keep their connections open for the next mail; waiting for them would take minutes.
            for open_one in list(sessions):
                if open_one.transport:
                    open_one.transport.close()
    finally:
        await runner.cleanup()


def _read(content: bytes, *, n: int, sender: str, to: list[str]) -> Mail:
    """Read a mail; an invalid one is shown as it came."""
    raw = content.decode(errors="replace")
    shown: dict[str, Any] = {"subject": "", "text": raw, "html": None, "headers": ()}
    try:
        message = message_from_bytes(content, EmailMessage, policy=policy.default)
        shown = {
            "subject": str(message["subject"] or ""),
            "text": _part(message, "plain"),
            "html": _part(message, "html"),
            "headers": tuple((name, str(value)) for name, value in message.items()),
        }
    except (MessageError, LookupError, ValueError, AttributeError, TypeError):
        # The standard parser raises each of these on some malformed letter.
        pass
    return Mail(n=n, at=time.time(), sender=sender, to=tuple(to), raw=raw, **shown)


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n")


def _application(box: Mailbox) -> web.Application:
    """Routes of the page and of the JSON beside it."""

    async def listed(request: web.Request) -> web.Response:
        return _json([_brief(mail) for mail in box.find(**_filter(request))])

    async def one(request: web.Request) -> web.Response:
        return _json(_whole(_get(box, request)))

    async def awaited(request: web.Request) -> web.Response:
        patience = min(_number(request, "timeout", 5.0), LONGEST_WAIT)
        try:
            return _json(_whole(await box.wait(**_filter(request), timeout=patience)))
        except TimeoutError:
            return _json({"message": f"no such mail within {patience:g} s"}, status=404)

    async def cleared(_request: web.Request) -> web.Response:
        box.clear()
        return web.Response(status=204)

    async def letter(request: web.Request) -> web.Response:
        html = _get(box, request).html
        if html is None:
            raise _refusal(web.HTTPNotFound, "the mail has no HTML part")
        return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": _LETTER_POLICY})

    app = web.Application(middlewares=[_for_this_machine])
    app.add_routes(
        [
            web.get("/api/mails", listed),
            web.get(r"/api/mails/{n:\d{1,9}}", one),
            web.get("/api/wait", awaited),
            web.delete("/api/mails", cleared),
            web.get(r"/mails/{n:\d{1,9}}/html", letter),
            web.get("/", _page("index.html", "text/html")),
            web.get("/mailbox.js", _page("mailbox.js", "text/javascript")),
            web.get("/mailbox.css", _page("mailbox.css", "text/css")),
        ]
    )
    return app


@web.middleware
async def _for_this_machine(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if _host_name(request) not in _OURS:
        raise _refusal(web.HTTPForbidden, "the mailbox is reached as localhost or 127.0.0.1")
    response = await handler(request)
    response.headers.update(_EVERYWHERE)
    return response


def _host_name(request: web.Request) -> str | None:
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None


def _page(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    content = (_PAGES / name).read_text(encoding="utf-8")

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=content, content_type=kind, headers={"Content-Security-Policy": _PAGE_POLICY})

    return page


def _filter(request: web.Request) -> dict[str, Any]:
    query = request.query
    return {
        "to": query.get("to", ""),
        "subject": query.get("subject", ""),
        "after": int(_number(request, "after", 0)),
    }


def _number(request: web.Request, name: str, default: float) -> float:
    try:
        value = float(request.query.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e9:
        raise _refusal(web.HTTPBadRequest, f"{name} is a number, 0 or more")
    return value


def _get(box: Mailbox, request: web.Request) -> Mail:
    number = int(request.match_info["n"])
    found = next(iter(box.find(after=number - 1)), None)
    if found is None or found.n != number:
        raise _refusal(web.HTTPNotFound, f"there is no mail {number}")
    return found


def _refusal(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    return kind(text=json.dumps({"message": message}), content_type="application/json", headers=_EVERYWHERE)


def _whole(mail: Mail) -> dict[str, Any]:
    fields = asdict(mail)
    return {"n": fields.pop("n"), "at": fields.pop("at"), "from": fields.pop("sender"), **fields}


def _brief(mail: Mail) -> dict[str, Any]:
    return {key: value for key, value in _whole(mail).items() if key not in ("html", "headers", "raw")}


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)
