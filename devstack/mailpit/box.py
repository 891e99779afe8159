"""The mailbox as the routes of Mailpit's API see it: mails by id, their marks, bodies and errors of requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from devstack.answers import EVERYWHERE
from devstack.mail_marks import MailMarks
from devstack.mailpit import search
from devstack.mails import Mail


@dataclass(slots=True)
class Counts:
    """Mails that came, were refused or went, since the start."""

    accepted: int = 0
    accepted_bytes: int = 0
    rejected: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """`find` lists the mails, oldest first; `folder` is where they are kept, "" for memory."""

    find: Callable[[], list[Mail]]
    remove: Callable[[list[Mail]], None]
    marks: MailMarks = field(default_factory=MailMarks)
    counts: Counts = field(default_factory=Counts)
    folder: str = ""

    def newest_first(self) -> list[Mail]:
        return self.find()[::-1]

    def search(self, query: str) -> list[Mail]:
        """Find mails, newest first. Raises 400 for an empty query."""
        if not query.strip():
            raise refused(web.HTTPBadRequest, "Error: no search query")
        return search.search(query, self.newest_first(), self.marks)

    def named(self, ids: list[str]) -> list[Mail]:
        """Find the mails with these ids; ids of none are passed over."""
        return [mail for mail in self.find() if str(mail.n) in ids]

    def get(self, request: web.Request) -> Mail:
        """Find the mail that the path names by its id, or as `latest`, of a search if there is a query."""
        name = request.match_info["id"]
        query = request.query.get("query", "")
        if name == "latest":
            found = self.search(query) if query.strip() else self.newest_first()
        else:
            found = self.named([name])
        if not found:
            raise refused(web.HTTPNotFound, "Error: message not found")
        return found[0]


async def read_body(request: web.Request) -> dict[str, Any]:
    """Read a JSON object. Raises 400 for anything else."""
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refused(web.HTTPBadRequest, "Error: the body is not a JSON object")
    return body


def strings(body: dict[str, Any], name: str) -> list[str]:
    """Return a list of strings of a body; none if it is left out or null. Raises 400 for anything else."""
    found = body.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise refused(web.HTTPBadRequest, f"Error: {name} is an array of strings")
    return found


def refused(kind: type[web.HTTPException], text: str) -> web.HTTPException:
    return kind(text=text, headers=EVERYWHERE)
