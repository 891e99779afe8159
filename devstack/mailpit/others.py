"""Routes of Mailpit itself: what runs here, checks of a message, and what this mailbox does not have."""

import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from devstack.mailpit import html_check, shapes
from devstack.mailpit.box import Box, refused
from service.version import VERSION

# What Mailpit has and this mailbox does not, with the reason.
_MISSING = (
    ("GET", "/api/v1/message/{id}/link-check", "Links are not opened here: some work once, some lead out."),
    ("GET", "/api/v1/message/{id}/sa-check", "There is no SpamAssassin here."),
    ("GET", "/api/v1/message/{id}/part/{part}/thumb", "There are no thumbnails here; the part itself has the image."),
    ("POST", "/api/v1/message/{id}/release", "No message leaves this mailbox."),
    ("POST", "/api/v1/send", "Messages come in by SMTP only."),
    ("GET", "/api/v1/chaos", "There is no chaos here."),
    ("PUT", "/api/v1/chaos", "There is no chaos here."),
    ("GET", "/api/events", "There is no websocket here; GET /api/wait waits for a message."),
)
_WEB_UI = {
    "Label": "",
    "MessageRelay": {
        "Enabled": False, "SMTPServer": "", "ReturnPath": "", "AllowedRecipients": "", "BlockedRecipients": "",
        "OverrideFrom": "", "PreserveMessageIDs": False,
    },
    "SpamAssassin": False,
    "ChaosEnabled": False,
    "DuplicatesIgnored": False,
    "HideDeleteAllButton": False,
}  # fmt: skip


def routes(box: Box) -> list[web.RouteDef]:
    started = time.monotonic()

    async def info(_request: web.Request) -> web.Response:
        return web.json_response(_info(box, seconds=time.monotonic() - started))

    async def web_ui(_request: web.Request) -> web.Response:
        return web.json_response(_WEB_UI)

    async def check(request: web.Request) -> web.Response:
        html = box.get(request).html
        if html is None:
            raise refused(web.HTTPBadRequest, "message does not contain HTML")
        return web.json_response(html_check.check(html))

    async def well(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def unknown(_request: web.Request) -> web.Response:
        return web.Response(text="404 page not found", status=404)

    return [
        web.get("/api/v1/info", info),
        web.get("/api/v1/webui", web_ui),
        web.get("/api/v1/message/{id}/html-check", check),
        web.get("/livez", well),
        web.get("/readyz", well),
        *(web.route(method, path, _lacking(reason)) for method, path, reason in _MISSING),
        web.route("*", "/api/v1/{path:.*}", unknown),
    ]


def _lacking(reason: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def lacking(_request: web.Request) -> web.Response:
        return web.Response(text=reason, status=501)

    return lacking


def _info(box: Box, *, seconds: float) -> dict[str, Any]:
    """Describe the program; `Memory` is its highest use so far."""
    mails, counts = box.find(), box.counts
    return {
        "Version": f"accounts-{VERSION}",
        "LatestVersion": "disabled",  # Mailpit's word where it doesn't ask for the latest version
        "Database": box.folder,
        "DatabaseSize": sum(len(mail.content) for mail in mails),
        "Messages": len(mails),
        "Unread": shapes.unread(box, mails),
        "Tags": box.marks.counts(),
        "RuntimeStats": {
            "Uptime": int(seconds),
            "Memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "MessagesDeleted": counts.deleted,
            "SMTPAccepted": counts.accepted,
            "SMTPAcceptedSize": counts.accepted_bytes,
            "SMTPRejected": counts.rejected,
            "SMTPIgnored": 0,
        },
    }
