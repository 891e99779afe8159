"""Routes of tags. A tag is there as long as a mail has it."""

from aiohttp import web

from devstack.mailpit.box import Box, read_body, refused, strings


class TagRoutes:
    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/tags", self.names),
            web.put("/api/v1/tags", self.set),
            web.put("/api/v1/tags/{tag}", self.rename),
            web.delete("/api/v1/tags/{tag}", self.delete),
        ]

    async def names(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self._box.marks.counts()))

    async def set(self, request: web.Request) -> web.Response:
        """Put tags in the place of those that the mails with these ids have."""
        body = await read_body(request)
        tags = strings(body, "Tags")
        self._box.marks.tag([mail.n for mail in self._box.named(strings(body, "IDs"))], tags)
        return web.Response(text="ok")

    async def rename(self, request: web.Request) -> web.Response:
        name = self._known(request)
        new = (await read_body(request)).get("Name")
        if not isinstance(new, str) or not new.strip():
            raise refused(web.HTTPBadRequest, "Error: Name is the new name")
        self._box.marks.rename_tag(name, new)
        return web.Response(text="ok")

    async def delete(self, request: web.Request) -> web.Response:
        self._box.marks.delete_tag(self._known(request))
        return web.Response(text="ok")

    def _known(self, request: web.Request) -> str:
        name = request.match_info["tag"]
        if name not in self._box.marks.counts():
            raise refused(web.HTTPBadRequest, f"Error: there is no tag {name}")
        return name
