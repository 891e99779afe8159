"""A mailbox for one machine: takes any mail by SMTP, shows it on a page and hands it out as JSON.

Whoever can reach the two ports reads everything, so they are on 127.0.0.1 only, and a page of another site that
got a name of its own to point here (DNS rebinding) is turned away by its Host header. With `host` the page, not SMTP,
is also on that address.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiosmtpd.smtp import SMTP

from devstack import html_check, mailpit, mails
from devstack.answers import EVERYWHERE, letter_page, number, refusal
from devstack.mail_files import MailFiles
from devstack.mail_marks import MailMarks
from devstack.mailpit.box import Box, Counts
from devstack.mails import Mail
from devstack.sms_inbox import SmsInbox
from devstack.web_server import serve

KEPT = 500
KEPT_BYTES = 100_000_000
LARGEST = 10_000_000
LONGEST_WAIT = 300.0

_PAGES = Path(__file__).with_name("pages")
_OURS = ("localhost", "127.0.0.1", "::1")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Mailbox:
    """The last KEPT mails of at most KEPT_BYTES, oldest first; kept in a folder's files, or in memory only."""

    def __init__(self, folder: Path | None = None) -> None:
        self.smtp_port = 0
        self.page_port = 0
        self.folder = str(folder or "")
        self.counts = Counts()
        self._files = MailFiles(folder) if folder else None
        self.marks = MailMarks(folder / "marks.json" if folder else None)
        stored, self._taken = self._files.load() if self._files else ([], 0)
        self._mails: deque[Mail] = deque(stored)
        self._bytes = sum(len(mail.content) for mail in stored)
        self._drop_oldest()
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
        """Keep a mail. Raises OSError where it can't be written."""
        mail = mails.read(content, n=self._taken + 1, sender=sender, to=tuple(to))
        if self._files:
            self._files.add(mail)
        self._taken = mail.n
        self._mails.append(mail)
        self._bytes += len(content)
        self.counts.accepted += 1
        self.counts.accepted_bytes += len(content)
        self._drop_oldest()
        async with self._came:
            self._came.notify_all()

    def clear(self) -> None:
        """Numbers go on where they were, so that `after` stays true."""
        self.remove(list(self._mails))

    def remove(self, gone: list[Mail]) -> None:
        if self._files:
            self._files.remove(gone, last=self._taken)
        numbers = {mail.n for mail in gone}
        self.marks.forget(numbers)
        self.counts.deleted += len(numbers)
        self._mails = deque(mail for mail in self._mails if mail.n not in numbers)
        self._bytes = sum(len(mail.content) for mail in self._mails)

    def _drop_oldest(self) -> None:
        while len(self._mails) > KEPT or self._bytes > KEPT_BYTES:
            self.remove([self._mails[0]])

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        try:
            await self.take(envelope.content, sender=envelope.mail_from or "", to=list(envelope.rcpt_tos))
        except OSError as error:
            self.counts.rejected += 1
            return f"452 The mail can't be kept: {error.strerror}"
        return "250 OK"


@asynccontextmanager
async def open_mailbox(
    *,
    smtp_port: int = 0,
    page_port: int = 0,
    folder: Path | None = None,
    host: str = "",
    routes: Iterable[web.RouteDef] = (),
) -> AsyncIterator[Mailbox]:
    """Listen on 127.0.0.1 until the block ends; port 0 picks a free one, and the mailbox says which.

    `routes` are further pages beside the mailbox's own.
    """
    box = Mailbox(folder)
    loop = asyncio.get_running_loop()
    sessions: weakref.WeakSet[Any] = weakref.WeakSet()

    def session() -> Any:
        # Without a name of its own aiosmtpd would ask the DNS for one at each connection.
        made = SMTP(box, hostname="localhost", enable_SMTPUTF8=True, data_size_limit=LARGEST, loop=loop)
        sessions.add(made)
        return made

    async with serve(_application(box, host, routes), port=page_port, host=host) as box.page_port:
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


def _application(box: Mailbox, host: str, routes: Iterable[web.RouteDef]) -> web.Application:
    """Routes of the page and of the JSON beside it."""

    async def listed(request: web.Request) -> web.Response:
        return web.json_response([_brief(mail, box.marks) for mail in box.find(**_filter(request))])

    async def one(request: web.Request) -> web.Response:
        return web.json_response(_whole(_get(box, request), box.marks))

    async def awaited(request: web.Request) -> web.Response:
        patience = min(number(request, "timeout", 5.0), LONGEST_WAIT)
        try:
            found = await box.wait(**_filter(request), timeout=patience)
            return web.json_response(_whole(found, box.marks))
        except TimeoutError:
            return web.json_response({"message": f"no such mail within {patience:g} s"}, status=404)

    async def cleared(_request: web.Request) -> web.Response:
        box.clear()
        return web.Response(status=204)

    async def letter(request: web.Request) -> web.Response:
        if _get(box, request).html is None:
            raise refusal(web.HTTPNotFound, "the mail has no HTML part")
        return letter_page(_get(box, request))

    async def checked(request: web.Request) -> web.Response:
        return web.json_response(html_check.check(_get(box, request).html or ""))

    app = web.Application(middlewares=[_only_for((*_OURS, host) if host else _OURS)])
    app.add_routes(
        [
            web.get("/api/mails", listed),
            web.get(r"/api/mails/{n:\d{1,9}}", one),
            web.get("/api/wait", awaited),
            web.delete("/api/mails", cleared),
            web.get(r"/mails/{n:\d{1,9}}/html", letter),
            web.get(r"/api/mails/{n:\d{1,9}}/check", checked),
            *mailpit.routes(Box(box.find, box.remove, box.marks, box.counts, box.folder)),
            *SmsInbox(box).routes(),
            web.get("/", _page("index.html", "text/html")),
            web.get("/mailbox.js", _page("mailbox.js", "text/javascript")),
            web.get("/mailbox.css", _page("mailbox.css", "text/css")),
            *routes,
        ]
    )
    return app


def _only_for(hosts: tuple[str, ...]) -> Any:
    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if _host_name(request) not in hosts:
            raise refusal(web.HTTPForbidden, f"the mailbox is reached as {' or '.join(hosts)}")
        response = await handler(request)
        response.headers.update(EVERYWHERE)
        return response

    return check


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
        "after": int(number(request, "after", 0)),
    }


def _get(box: Mailbox, request: web.Request) -> Mail:
    wanted = int(request.match_info["n"])
    found = next(iter(box.find(after=wanted - 1)), None)
    if found is None or found.n != wanted:
        raise refusal(web.HTTPNotFound, f"there is no mail {wanted}")
    return found


def _whole(mail: Mail, marks: MailMarks) -> dict[str, Any]:
    return {**_brief(mail, marks), "html": mail.html, "headers": mail.headers, "raw": mail.raw}


def _brief(mail: Mail, marks: MailMarks) -> dict[str, Any]:
    """Fields of the list: `from` and `to` are the envelope's, `name` is the display name of From."""
    return {
        "n": mail.n, "at": mail.at, "from": mail.sender, "name": mail.author.name, "to": mail.to,
        "subject": mail.subject, "text": mail.text, "read": marks.is_read(mail.n), "tags": marks.tags(mail.n),
    }  # fmt: skip
