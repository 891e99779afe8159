"""Rules for the targets of a user: how many there may be, and whose an identifier is.

Nothing here depends on the web stack.
"""

from service.errors import TargetExists, TargetLimit, TargetNotFound
from service.store import targets
from service.store.targets import NewTarget, ProviderType, Target
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

# Of one user, besides the account's own address and number.
MOST = 10


async def register(tx: UnitOfWork, user: User, new: NewTarget) -> Target:
    """Create a target. Raises TargetExists if the user has its id or identifier, and TargetLimit.

    An identifier of another user is taken over in silence: the device has changed hands, and who registers it must not
    find out whose it was. Claim the identifier and lock the user first.
    """
    await targets.delete_ended(tx, user)
    registered = await targets.list_registered(tx, user)
    known = targets.own(user) + registered
    if any(each.id == new.id for each in known):
        raise TargetExists
    _check_free(known, new.provider_type, new.identifier)
    if len(registered) >= MOST:
        raise TargetLimit
    return await targets.create(tx, user, new)


async def change(
    tx: UnitOfWork,
    user: User,
    target_id: str,
    *,
    provider_type: ProviderType,
    identifier: str | None = None,
    provider_id: str | None = None,
    name: str | None = None,
) -> Target:
    """Change what is given of a target of this type. Raises TargetNotFound, and TargetExists as `register` does.

    Claim the identifier and lock the user first.
    """
    await targets.delete_ended(tx, user)
    registered = await targets.list_registered(tx, user)
    found = _find(registered, target_id, provider_type)
    if identifier is not None:
        others = [each for each in targets.own(user) + registered if each.id != target_id]
        _check_free(others, provider_type, identifier)
    changed = await targets.update(
        tx,
        found,
        identifier=found.identifier if identifier is None else identifier,
        provider_id=found.provider_id if provider_id is None else provider_id or None,
        name=found.name if name is None else name,
    )
    if changed is None:  # another user has just registered its identifier
        raise TargetNotFound
    return changed


async def remove(tx: UnitOfWork, user: User, target_id: str, *, provider_type: ProviderType | None = None) -> None:
    """Delete a target, of this type where one is given. Raises TargetNotFound. Lock the user first."""
    _find(await targets.list_registered(tx, user), target_id, provider_type)
    if not await targets.delete(tx, user, target_id=target_id):
        raise TargetNotFound


def _find(registered: list[Target], target_id: str, provider_type: ProviderType | None) -> Target:
    for each in registered:
        if each.id == target_id and provider_type in (None, each.provider_type):
            return each
    raise TargetNotFound


def _check_free(known: list[Target], provider_type: ProviderType, identifier: str) -> None:
    if any((each.provider_type, each.identifier) == (provider_type, identifier) for each in known):
        raise TargetExists
