"""Parts of the answers that the mailbox's routes share: headers, refusals, numbers of a query, letters."""

import base64
import json
import re

from aiohttp import web

from devstack.mails import Mail

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A letter runs no script, loads nothing and sends no form; its links open beside it.
LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_DOCTYPE = re.compile(r"\s*(?:<!doctype[^>]*>)?", re.IGNORECASE)
# In the frame a link would lead nowhere: the mailbox lets no other page into it.
_BESIDE = '<base target="_blank">'


def letter_page(mail: Mail) -> web.Response:
    """Answer the HTML for a sandboxed frame, with the images that are attached to it."""
    html = _DOCTYPE.sub(lambda found: found[0] + _BESIDE, mail.html or "", count=1)
    for each in mail.attachments:
        if each.content_id and each.media_type.startswith("image/"):
            data = f"data:{each.media_type};base64,{base64.b64encode(each.content).decode()}"
            html = html.replace(f"cid:{each.content_id}", data)
    return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": LETTER_POLICY})


def number(request: web.Request, name: str, default: float) -> float:
    try:
        value = float(request.query.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e9:
        raise refusal(web.HTTPBadRequest, f"{name} is a number, 0 or more")
    return value


def refusal(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    return kind(text=json.dumps({"message": message}), content_type="application/json", headers=EVERYWHERE)
