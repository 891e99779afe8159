"""Second factors of a user, changed by an operator: the way out for a user who has lost one.

Nothing here depends on the web stack: the command line makes the same changes.
"""

from collections.abc import Sequence

from service.accounts import imported_users
from service.accounts.imported_users import ImportedFactors
from service.accounts.user_admin import AdminContext, finish, lock
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret
from service.db import Executor
from service.errors import AuthenticatorNotFound, RecoveryCodesExist, RecoveryCodesNotFound, TokenInvalid
from service.store import authenticators, challenges, recovery_codes, user_mfa
from service.store.challenges import Challenge
from service.store.events import Event
from service.store.users import User


async def change_mfa(operator: AdminContext, user_id: str, *, mfa: bool) -> User:
    """Switch second factors on or off. No session is spared when they are switched on."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        if user.mfa == mfa:
            return user
        return await finish(operator, tx, await user_mfa.change(tx, user, mfa=mfa), Event.BY_OPERATOR_MFA)


async def has_any(conn: Executor, user: User) -> bool:
    """Tell whether a user has second factors, or is asked for some."""
    return user.mfa or await authenticators.is_verified(conn, user) or await recovery_codes.count(conn, user) > 0


async def add_imported(operator: AdminContext, user_id: str, known: ImportedFactors) -> User:
    """Add second factors that another system knew; nothing to a user who has some by now."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        if await has_any(tx, user):
            return user
        return await finish(operator, tx, await imported_users.add_factors(tx, user, known), Event.BY_OPERATOR_MFA)


async def remove_authenticator(operator: AdminContext, user_id: str) -> User:
    """Remove the authenticator app. Raises AuthenticatorNotFound."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        if not await authenticators.remove(tx, user):
            raise AuthenticatorNotFound
        return await finish(operator, tx, user, Event.BY_OPERATOR_MFA)


async def replace_recovery_codes(
    operator: AdminContext, user_id: str, *, hashes: Sequence[str], had: bool | None = None
) -> User:
    """Put new codes in the place of earlier ones.

    With `had` only if the user has some, or has none: raises RecoveryCodesNotFound or RecoveryCodesExist.
    """
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        if had is not None and bool(await recovery_codes.count(tx, user)) != had:
            raise RecoveryCodesNotFound if had else RecoveryCodesExist
        await recovery_codes.replace(tx, user, hashes=hashes)
        return await finish(operator, tx, user, Event.BY_OPERATOR_MFA)


async def read_challenge(
    operator: AdminContext, user_id: str, *, challenge_id: str, ring: KeyRing
) -> tuple[Challenge, Secret]:
    """Return a live challenge of the custom factor with its code, once a minute. Raises TokenInvalid."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        challenge = await challenges.read_custom(tx, user, challenge_id=challenge_id)
        if challenge is None or challenge.kid not in ring:
            raise TokenInvalid
        await finish(operator, tx, user, Event.BY_OPERATOR_CHALLENGE)
    return challenge, challenges.code_of(ring, challenge)
