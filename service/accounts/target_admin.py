"""Targets of a user, changed by an operator.

Nothing here depends on the web stack.
"""

from service.accounts import targets as rules
from service.accounts.user_admin import AdminContext, finish, lock
from service.errors import OwnTarget
from service.store import targets
from service.store.events import Event
from service.store.targets import NewTarget, Target
from service.store.users import User


async def create(operator: AdminContext, user_id: str, new: NewTarget) -> Target:
    """Create a target, which stays until it is deleted. Raises TargetExists and TargetLimit."""
    async with operator.unit_of_work() as tx:
        await targets.claim(tx, operator.project_id, provider_type=new.provider_type, identifier=new.identifier)
        user = await lock(operator, tx, user_id)
        created = await rules.register(tx, user, new)
        await finish(operator, tx, user, Event.BY_OPERATOR_TARGET_CREATE)
    return created


async def change(
    operator: AdminContext, found: Target, *, identifier: str | None, provider_id: str | None, name: str | None
) -> Target:
    """Change what is given of a target. Raises OwnTarget, TargetNotFound and TargetExists."""
    async with operator.unit_of_work() as tx:
        if identifier is not None:
            await targets.claim(tx, operator.project_id, provider_type=found.provider_type, identifier=identifier)
        user = await lock(operator, tx, found.user_id)
        _check_not_own(user, found.id)
        changed = await rules.change(
            tx,
            user,
            found.id,
            provider_type=found.provider_type,
            identifier=identifier,
            provider_id=provider_id,
            name=name,
        )
        await finish(operator, tx, user, Event.BY_OPERATOR_TARGET_UPDATE)
    return changed


async def remove(operator: AdminContext, user_id: str, target_id: str) -> None:
    """Delete a target. Raises OwnTarget and TargetNotFound."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        _check_not_own(user, target_id)
        await rules.remove(tx, user, target_id)
        await finish(operator, tx, user, Event.BY_OPERATOR_TARGET_DELETE)


def _check_not_own(user: User, target_id: str) -> None:
    """Raise OwnTarget for the account's own address or number, which change in other ways."""
    if target_id in [each.id for each in targets.own(user)]:
        raise OwnTarget
