"""Return of an account to its owner: it loses all that another person may have planted in it (docs/accounts.md).

Nothing here depends on the web stack.
"""

from datetime import datetime

from service.store import (
    authenticators,
    identities,
    passkeys,
    recovery_codes,
    sessions,
    user_emails,
    user_mfa,
    user_passwords,
    user_phones,
)
from service.store.unit_of_work import UnitOfWork
from service.store.user_emails import Ensured
from service.store.users import User


async def secure_unverified(tx: UnitOfWork, user: User) -> None:
    """Secure an account whose address was never proved: its maker chose the password and opened the sessions.

    That may have been an attacker who waited for the owner of the address (docs/security.md S68). Lock the user first.
    """
    await sessions.close_all(tx, user)
    if user.password_hash is not None:
        await user_passwords.remove(tx, user)
    await remove_factors(tx, user)


async def secure_for_prover(tx: UnitOfWork, user: Ensured) -> bool:
    """Note that whoever has just proved the address is in now, and alone; False if its holder had proved it before.

    Lock the user first.
    """
    if user.email_verified and user.proved_by_holder:
        return False
    await secure_unverified(tx, user)
    await user_emails.verify(tx, user, by_holder=True)
    return True


async def remove_factors(tx: UnitOfWork, user: User) -> None:
    """Remove second factors, passkeys, identities, number and targets: who added them did not own the address.

    No undo brings them back.
    """
    await user_mfa.remove_factors(tx, user)


async def restore_factors(tx: UnitOfWork, user: User, *, since: datetime) -> None:
    """Undo what was done to factors, passkeys, identities and number since a notice: former ones come back."""
    await identities.restore(tx, user, since=since)
    await authenticators.restore(tx, user, since=since)
    await passkeys.restore(tx, user, since=since)
    await recovery_codes.restore(tx, user, since=since)
    await user_mfa.restore(tx, user, since=since)
    await user_phones.restore(tx, user, since=since)
