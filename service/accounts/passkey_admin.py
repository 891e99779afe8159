"""Passkeys of a user, changed by an operator.

Nothing here depends on the web stack: the command line removes them too.
"""

from service.accounts.user_admin import AdminContext, finish, lock
from service.errors import PasskeyNotFound
from service.store import passkeys, token_revocations
from service.store.events import Event
from service.store.passkeys import Passkey


async def rename(operator: AdminContext, user_id: str, *, passkey_id: str, name: str) -> Passkey:
    """Set a passkey's name. Raises PasskeyNotFound."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        found = await passkeys.rename(tx, user, passkey_id=passkey_id, name=name)
        if found is None:
            raise PasskeyNotFound
        await finish(operator, tx, user, Event.BY_OPERATOR_PASSKEY_UPDATE)
    return found


async def remove(operator: AdminContext, user_id: str, *, passkey_id: str) -> None:
    """Remove a passkey, the only way into an account too. Raises PasskeyNotFound."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        if not await passkeys.remove(tx, user, passkey_id=passkey_id):
            raise PasskeyNotFound
        await token_revocations.revoke_of_passkeys(tx, user)
        await finish(operator, tx, user, Event.BY_OPERATOR_PASSKEY_DELETE)
