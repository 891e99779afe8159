"""Routes of Mailpit's v1 API, and of its plain views of a mail."""

from collections.abc import Callable

from aiohttp import web

from devstack import mailpit
from devstack.answers import EVERYWHERE, letter_page, number
from devstack.mails import Mail


class MailpitRoutes:
    """Handlers on the mails that `find` lists, oldest first."""

    def __init__(self, find: Callable[[], list[Mail]], remove: Callable[[list[Mail]], None]) -> None:
        self._find, self._remove = find, remove

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/messages", self.summaries),
            web.delete("/api/v1/messages", self.delete),
            web.get("/api/v1/search", self.search),
            web.delete("/api/v1/search", self.delete_found),
            web.get("/api/v1/message/{id}", self.show),
            web.get("/api/v1/message/{id}/headers", self.headers),
            web.get("/api/v1/message/{id}/raw", self.raw),
            web.get(r"/api/v1/message/{id}/part/{part:[1-9]\d{0,3}}", self.part),
            web.get(r"/view/{id:\d+|latest}.txt", self.text),
            web.get(r"/view/{id:\d+|latest}{form:(?:\.html)?}", self.html),
            web.get("/livez", self.well),
            web.get("/readyz", self.well),
        ]

    async def summaries(self, request: web.Request) -> web.Response:
        return self._paged(request, self._find()[::-1])

    async def search(self, request: web.Request) -> web.Response:
        return self._paged(request, self._found(request))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete the mails with these ids; without ids, or without a body, all of them."""
        try:
            asked = (await request.json() or {}).get("IDs") if request.body_exists else []
            ids = {str(each) for each in asked or []}
        except (ValueError, AttributeError, TypeError):
            raise _refused(web.HTTPBadRequest, 'Error: the body is {"IDs": [...]}') from None
        self._remove([mail for mail in self._find() if not ids or str(mail.n) in ids])
        return web.Response(text="ok")

    async def delete_found(self, request: web.Request) -> web.Response:
        self._remove(self._found(request))
        return web.Response(text="ok")

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(mailpit.message(self._one(request)))

    async def headers(self, request: web.Request) -> web.Response:
        return web.json_response(mailpit.headers(self._one(request)))

    async def raw(self, request: web.Request) -> web.Response:
        return web.Response(body=self._one(request).content, content_type="text/plain")

    async def part(self, request: web.Request) -> web.Response:
        """Answer an attachment as a file: a browser shows nothing of a stranger's here."""
        attachments = self._one(request).attachments
        number = int(request.match_info["part"])
        if number > len(attachments):
            raise _refused(web.HTTPNotFound, "Error: part not found")
        found = attachments[number - 1]
        headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}
        return web.Response(body=found.content, content_type=found.media_type, headers=headers)

    async def text(self, request: web.Request) -> web.Response:
        return web.Response(text=self._one(request).text or "", content_type="text/plain")

    async def html(self, request: web.Request) -> web.Response:
        mail = self._one(request)
        if mail.html is None:
            raise _refused(web.HTTPNotFound, "This message does not contain a HTML part")
        return letter_page(mail)

    async def well(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    def _found(self, request: web.Request) -> list[Mail]:
        query = request.query.get("query", "").strip()
        if not query:
            raise _refused(web.HTTPBadRequest, "Error: no search query")
        return mailpit.search(query, reversed(self._find()))

    def _paged(self, request: web.Request, mails: list[Mail]) -> web.Response:
        start, limit = int(number(request, "start", 0)), int(number(request, "limit", 50))
        return web.json_response(mailpit.page(mails, total=len(self._find()), start=start, limit=limit))

    def _one(self, request: web.Request) -> Mail:
        name = request.match_info["id"]
        for mail in reversed(self._find()):
            if name in ("latest", str(mail.n)):
                return mail
        raise _refused(web.HTTPNotFound, "Error: message not found")


def _refused(kind: type[web.HTTPException], text: str) -> web.HTTPException:
    return kind(text=text, headers=EVERYWHERE)
