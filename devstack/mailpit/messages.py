"""Routes of messages: list, search, read status, delete, one message and its parts, and plain views of it."""

from aiohttp import web

from devstack.answers import letter_page, number
from devstack.mailpit import shapes
from devstack.mailpit.box import Box, read_body, refused, strings
from devstack.mails import Mail


class MessageRoutes:
    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/messages", self.summaries),
            web.put("/api/v1/messages", self.set_read_status),
            web.delete("/api/v1/messages", self.delete),
            web.get("/api/v1/search", self.search),
            web.delete("/api/v1/search", self.delete_found),
            web.get("/api/v1/message/{id}", self.show),
            web.get("/api/v1/message/{id}/headers", self.headers),
            web.get("/api/v1/message/{id}/raw", self.raw),
            web.get(r"/api/v1/message/{id}/part/{part:[1-9]\d{0,3}}", self.part),
            web.get(r"/view/{id:\d+|latest}.txt", self.text),
            web.get(r"/view/{id:\d+|latest}{form:(?:\.html)?}", self.html),
        ]

    async def summaries(self, request: web.Request) -> web.Response:
        return self._page(request, self._box.newest_first())

    async def search(self, request: web.Request) -> web.Response:
        return self._page(request, self._box.search(request.query.get("query", "")))

    async def set_read_status(self, request: web.Request) -> web.Response:
        """Mark the mails with these ids, or those that a search finds; all mails without both."""
        body = await read_body(request)
        ids, query, is_read = strings(body, "IDs"), body.get("Search") or "", body.get("Read") or False
        if not isinstance(query, str) or not isinstance(is_read, bool):
            raise refused(web.HTTPBadRequest, "Error: Search is a string, and Read is true or false")
        if ids and query:
            raise refused(web.HTTPBadRequest, "You may specify either IDs or a search query, not both")
        found = self._box.search(query) if query else self._box.named(ids) if ids else self._box.find()
        numbers = [mail.n for mail in found]
        if is_read:
            self._box.marks.mark_read(numbers)
        else:
            self._box.marks.mark_unread(numbers)
        return web.Response(text="ok")

    async def delete(self, request: web.Request) -> web.Response:
        """Delete the mails with these ids; without ids, or without a body, all of them."""
        ids = strings(await read_body(request), "IDs") if request.body_exists else []
        self._box.remove(self._box.named(ids) if ids else self._box.find())
        return web.Response(text="ok")

    async def delete_found(self, request: web.Request) -> web.Response:
        self._box.remove(self._box.search(request.query.get("query", "")))
        return web.Response(text="ok")

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(shapes.message(self._opened(request), self._box.marks))

    async def headers(self, request: web.Request) -> web.Response:
        return web.json_response(shapes.headers(self._box.get(request)))

    async def raw(self, request: web.Request) -> web.Response:
        return web.Response(body=self._box.get(request).content, content_type="text/plain")

    async def part(self, request: web.Request) -> web.Response:
        """Answer an attachment as a file: a browser shows nothing of a stranger's here."""
        attachments = self._box.get(request).attachments
        number = int(request.match_info["part"])
        if number > len(attachments):
            raise refused(web.HTTPNotFound, "Error: part not found")
        found = attachments[number - 1]
        headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}
        return web.Response(body=found.content, content_type=found.media_type, headers=headers)

    async def text(self, request: web.Request) -> web.Response:
        return web.Response(text=self._opened(request).text or "", content_type="text/plain")

    async def html(self, request: web.Request) -> web.Response:
        mail = self._opened(request)
        if mail.html is None:
            raise refused(web.HTTPNotFound, "This message does not contain a HTML part")
        return letter_page(mail)

    def _opened(self, request: web.Request) -> Mail:
        """Find the mail, which is read now."""
        mail = self._box.get(request)
        self._box.marks.mark_read([mail.n])
        return mail

    def _page(self, request: web.Request, found: list[Mail]) -> web.Response:
        start, limit = int(number(request, "start", 0)), int(number(request, "limit", 50))
        return web.json_response(shapes.page(self._box, found, start=start, limit=limit))
