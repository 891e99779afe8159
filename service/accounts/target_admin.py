"""Targets of a user, changed by an operator.

Nothing here depends on the web stack.
"""

from service.accounts import targets as rules
from service.accounts.user_admin import AdminContext, finish, lock
from service.errors import OwnTarget, TargetNotFound, UserNotFound
from service.store import targets, users
from service.store.events import Event
from service.store.targets import NewTarget, Target


async def create(operator: AdminContext, user_id: str, new: NewTarget) -> Target:
    """Create a target, which stays until it is deleted. Raises TargetExists and TargetLimit."""
    async with operator.unit_of_work() as tx:
        await targets.claim(tx, operator.project_id, provider_type=new.provider_type, identifier=new.identifier)
        user = await lock(operator, tx, user_id)
        created = await rules.register(tx, user, new)
        await finish(operator, tx, user, Event.BY_OPERATOR_TARGET_CREATE)
    return created


async def find(operator: AdminContext, user_id: str, target_id: str) -> Target:
    """Find a target, the account's own too. Raises TargetNotFound."""
    user = await users.find(operator.pool, operator.project_id, user_id=user_id)
    if user is None:
        raise UserNotFound
    found = next((each for each in targets.list_of(user) if each.id == target_id), None)
    if found is None:
        raise TargetNotFound
    return found


async def change(
    operator: AdminContext, found: Target, *, identifier: str | None, provider_id: str | None, name: str | None
) -> Target:
    """Change what is given of a target. Raises OwnTarget, TargetNotFound and TargetExists."""
    async with operator.unit_of_work() as tx:
        if identifier is not None:
            await targets.claim(tx, operator.project_id, provider_type=found.provider_type, identifier=identifier)
        user = await lock(operator, tx, found.user_id)
        if found.id in [each.id for each in targets.own(user)]:
            raise OwnTarget
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
        if target_id in [each.id for each in targets.own(user)]:
            raise OwnTarget
        await targets.delete_ended(tx, user)
        if not await targets.delete(tx, user, target_id=target_id):
            raise TargetNotFound
        await finish(operator, tx, user, Event.BY_OPERATOR_TARGET_DELETE)
