"""SMS in the mailbox of `./dev run`: the webhook of SMS_URL keeps each as a mail, to its number."""

import json
from email.message import EmailMessage
from typing import Any

from aiohttp import web

from devstack.answers import refusal

PATH = "/sms"
SENDER = "sms@localhost"


class SmsInbox:
    """The webhook. An SMS that comes again, with the same id, is kept once."""

    def __init__(self, box: Any) -> None:
        self._box = box
        self._ids: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self.take)]

    async def take(self, request: web.Request) -> web.Response:
        # A form of another site can't send this type (it may not ask before).
        if request.content_type != "application/json":
            raise refusal(web.HTTPUnsupportedMediaType, "an SMS is JSON")
        try:
            sms = json.loads(await request.text())
            sms_id, to, text = (str(sms[name]) for name in ("id", "to", "text"))
            mail = _mail(to, text)
        except (ValueError, KeyError, TypeError):
            raise refusal(web.HTTPBadRequest, "an SMS has id, to and text") from None
        if sms_id not in self._ids:
            await self._box.take(mail.as_bytes(), sender=SENDER, to=[to])
            self._ids.add(sms_id)
        return web.Response(status=204)


def _mail(to: str, text: str) -> EmailMessage:
    """Make a mail of an SMS. Raises ValueError for a number that is none."""
    if not to.removeprefix("+").isdecimal():
        raise ValueError(to)
    mail = EmailMessage()
    mail["From"] = f"SMS <{SENDER}>"
    mail["To"] = f"{to} <{to}@sms.localhost>"
    mail["Subject"] = f"SMS: {' '.join(text.split())}"
    mail.set_content(text)
    return mail
