"""Mailpit's v1 API on our mailbox, so that the test helpers people have work (https://mailpit.axllent.org/docs/api-v1/).

What the mailbox does not have is refused with 501 and a reason, as text, which is the form of Mailpit's errors.
"""

from aiohttp import web

from devstack.mailpit import others
from devstack.mailpit.box import Box
from devstack.mailpit.messages import MessageRoutes
from devstack.mailpit.tags import TagRoutes


def routes(box: Box) -> list[web.RouteDef]:
    return [*MessageRoutes(box).routes(), *TagRoutes(box).routes(), *others.routes(box)]
