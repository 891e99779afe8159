"""Identities of users, changed by an operator.

Nothing here depends on the web stack: the command line makes the same changes.
"""

from service.accounts import imported_users
from service.accounts.user_admin import AdminContext, finish, lock
from service.errors import IdentityNotFound, UserNotFound
from service.store import identities
from service.store.events import Event
from service.store.identities import Identity, Subject


async def add(operator: AdminContext, user_id: str, subject: Subject, *, email: str) -> None:
    """Add an identity that another system knew; nothing if it is somebody's. Raises UserNotFound."""
    async with operator.unit_of_work() as tx:
        await identities.claim(tx, operator.project_id, subject)
        user = await lock(operator, tx, user_id)
        if await imported_users.add_identity(tx, user, subject, email=email):
            await finish(operator, tx, user, Event.BY_OPERATOR_IDENTITY)


async def remove(operator: AdminContext, identity_id: str) -> Identity:
    """Remove an identity, even the last way in. Its sessions go on. Raises IdentityNotFound."""
    found = await identities.find_of_project(operator.pool, operator.project_id, identity_id=identity_id)
    if found is None:
        raise IdentityNotFound
    async with operator.unit_of_work() as tx:
        try:
            user = await lock(operator, tx, found.user_id)
        except UserNotFound:
            raise IdentityNotFound from None
        if not await identities.remove(tx, found):
            raise IdentityNotFound
        await finish(operator, tx, user, Event.BY_OPERATOR_IDENTITY)
    return found
