"""Appwrite's Server API as far as an import reads it, on a socket: users by cursor, and faults by a script."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

KEY, PROJECT = "standard_0123456789abcdef", "64f0c1"
# What a model of a hash shows of its options: the salt of scrypt and the version of SHA are left out.
_SHOWN = {
    "argon2": ("memoryCost", "timeCost", "threads"), "scrypt": ("costCpu", "costMemory", "costParallel", "length"),
    "scryptMod": ("salt", "saltSeparator", "signerKey"),
}  # fmt: skip


def user(user_id: str, **more: Any) -> dict[str, Any]:
    """Make a user as the database knows it."""
    return {
        "$id": user_id, "$createdAt": "2023-01-02T03:04:05.678+00:00", "$updatedAt": "2024-01-02T03:04:05.678+00:00",
        "name": "", "registration": "2023-01-02T03:04:05.678+00:00", "status": True, "labels": [],
        "password": "", "hash": "argon2", "hashOptions": {"type": "argon2"}, "passwordUpdate": "",
        "email": f"{user_id}@example.com", "phone": "", "emailVerification": False, "phoneVerification": False,
        "mfa": False, "prefs": {}, "targets": [], "accessedAt": "2024-01-02T00:00:00.000+00:00",
    } | more  # fmt: skip


@dataclass
class AppwriteServer:
    """The API of one project. A fault answers one request: status, headers, body."""

    users: list[dict[str, Any]] = field(default_factory=list)
    faults: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)
    cursors: list[str] = field(default_factory=list)
    hides_hashes: bool = False

    @property
    def url(self) -> str:
        return str(self._server.make_url("/v1"))

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/users", self._list)
        self._server = TestServer(app)
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _list(self, request: web.Request) -> web.Response:
        await asyncio.sleep(0)
        if self.faults:
            status, headers, body = self.faults.popleft()
            return web.Response(status=status, headers=headers, body=body, content_type="application/json")
        if request.headers.get("X-Appwrite-Project") != PROJECT:
            return _error(404, "project_not_found")
        if request.headers.get("X-Appwrite-Key") != KEY:
            return _error(401, "general_unauthorized_scope")
        queries = {each["method"]: each["values"][0] for each in map(json.loads, request.query.getall("queries[]"))}
        cursor = queries.get("cursorAfter", "")
        self.cursors.append(cursor)
        ids = [each["$id"] for each in self.users]
        if cursor and cursor not in ids:
            return _error(400, "general_cursor_not_found")
        first = ids.index(cursor) + 1 if cursor else 0
        page = self.users[first : first + queries["limit"]]
        return web.json_response({"total": len(self.users), "users": [self._model(each) for each in page]})

    def _model(self, found: dict[str, Any]) -> dict[str, Any]:
        """Show a user as the API does: an empty object of PHP is [], and not every option of a hash is told."""
        options = {key: found["hashOptions"].get(key) for key in ("type", *_SHOWN.get(found["hash"], ()))}
        shown = found | {"hashOptions": options, "prefs": found["prefs"] or []}
        return shown | {"password": "", "hash": "", "hashOptions": {}} if self.hides_hashes else shown


def _error(status: int, kind: str) -> web.Response:
    return web.json_response({"message": "A text that may quote", "code": status, "type": kind}, status=status)
