"""Start of a member's own change: the password proved, the row of the member locked, a session that still lives."""

from service.accounts import password_policy, ways_in
from service.crypto.secret import Secret
from service.errors import CredentialsInvalid, ScopeMissing, UserBlocked
from service.http import second_factors
from service.http.context import RequestContext
from service.http.fields import check_new_password
from service.store import members
from service.store.members import Member
from service.store.unit_of_work import UnitOfWork


async def lock(ctx: RequestContext, tx: UnitOfWork, *, claimed: str | None = None) -> Member:
    """Return the member as it is by now; `claimed` is an address to lock too, since the member may get it.

    The guards saw the session before the lock: it may have been ended while the act waited, by its owner from another
    device for instance. Raises ScopeMissing and UserBlocked, as they do.
    """
    member = await members.lock(tx, ctx.member, claimed=claimed)
    if member is None:
        raise ScopeMissing
    if member.status == "blocked":
        raise UserBlocked
    return member


async def lock_holder(ctx: RequestContext, tx: UnitOfWork, user_id: str) -> Member | None:
    """Return the user, locked, if the request comes with a live session of that account."""
    member = ctx.found_member
    return await members.lock(tx, member) if member and member.id == user_id else None


async def prove_password(ctx: RequestContext, password: Secret, *, about: str) -> str | None:
    """Verify the member's password. A member without one gets this one: return its hash then.

    It must not hold `about`, which the member gets too. Raises CredentialsInvalid, ArgumentInvalid, PasswordPersonal.
    """
    passwords, old, given = ctx.services.passwords, ctx.member.password_hash, password.reveal()
    if old is not None:
        if not await passwords.verify(old, given):
            raise CredentialsInvalid
        return None
    check_new_password(ctx, "password", given)
    words = (*password_policy.personal_words(ctx.member), about)
    return await password_policy.hash_new_password(ctx, passwords, given, about=words)


async def lock_unchanged(ctx: RequestContext, tx: UnitOfWork, *, claimed: str | None = None) -> Member:
    """Return the member, locked; the proof of the password was seen before the lock and must still hold.

    The date tells, not the hash: the same password under today's parameters is no change.

    A member with neither password nor proved address can prove nothing here, and nobody would be told: who can sign in
    by a number, a passkey or a provider must have done so lately. Raises ReauthenticationRequired.
    """
    member = await lock(ctx, tx, claimed=claimed)
    if member.password_updated_at != ctx.member.password_updated_at:
        raise CredentialsInvalid
    if member.password_hash is None and not member.email_verified and await ways_in.has_any(tx, member):
        second_factors.require(member, ctx.project, "recent")
    return member
