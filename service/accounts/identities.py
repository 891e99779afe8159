"""Sign-in by an account at another provider: whose account here it opens (docs/identities.md).

An identity is known by provider, issuer and subject, never by its e-mail address. The address leads to an account only
while the identity is new, and only if the provider has proved it; then it counts as the link of a mail does.
"""

from dataclasses import dataclass, replace

from service import email_addresses, ids
from service.accounts import factors, members, ownership, provider_tokens, sign_up_rules, ways_in
from service.errors import (
    BadRequest,
    EmailInvalid,
    EmailTaken,
    MoreFactorsRequired,
    Overloaded,
    SignUpClosed,
    UserBlocked,
    UserExists,
)
from service.http import second_factors, text_rules
from service.http.context import RequestContext
from service.identity_providers.provider import ProviderIdentity, ProviderTokens
from service.store import events, identities, sessions, targets, token_revocations, user_emails, users
from service.store.events import Event
from service.store.identities import Identity, Subject
from service.store.members import Member
from service.store.unit_of_work import UnitOfWork
from service.store.user_emails import Ensured
from service.store.users import User

_NAME = 128


@dataclass(frozen=True, slots=True)
class SignedIn:
    """User of an identity; `two_factors` if the sign-in at the provider counts as two."""

    user: User
    identity: Identity
    two_factors: bool


async def sign_in_by_identity(
    ctx: RequestContext,
    tx: UnitOfWork,
    proof: ProviderIdentity,
    *,
    provider_answer: ProviderTokens | None = None,
    link_to: Member | None = None,
    name: str = "",
    invitation_id: str | None = None,
) -> SignedIn:
    """Return the user of an identity, locked; a new identity is linked to `link_to`, or makes an account.

    `link_to` is the member of this request, if the sign-in is bound to the member's session; `name` is for a new user
    whose provider told none, `invitation_id` the invitation whose code was shown. Raises UserExists for an identity of
    another user, UserBlocked, SignUpClosed, and BadRequest where the address is in use and not proved; of a member who
    is linking ReauthenticationRequired and MoreFactorsRequired.
    """
    proof = _checked(ctx, proof, name)
    found = await identities.claim(tx, ctx.project.id, _subject(proof))
    if found is not None:
        user, identity = await _known(tx, proof, found, link_to)
    else:
        user, created = (await _link(ctx, tx, proof), False) if link_to else await _enter(ctx, tx, proof, invitation_id)
        identity = await _add(ctx, tx, user, proof, created=created)
    if provider_answer is not None and ctx.project.provider_tokens:
        identity = await provider_tokens.save(ctx, tx, identity, provider_answer)
    return SignedIn(user, identity, ctx.project.provider_mfa == "trust" or _proved_two(proof))


async def close_earlier(ctx: RequestContext, tx: UnitOfWork, user: User, *, replaced_by: str) -> None:
    """Close the session that the request came with, for the one that was opened in its place and gets its targets.

    Raises UserExists if it is another user's.
    """
    check_same(ctx, user)
    if ctx.found_member is not None:
        await targets.move(tx, user, session_id=ctx.found_member.session_id, to_session_id=replaced_by)
        await sessions.close(tx, ctx.found_member, session_id=ctx.found_member.session_id)


def check_same(ctx: RequestContext, user: User) -> None:
    """Raise UserExists if another user's session came with the request: nobody changes accounts in silence."""
    if ctx.found_member is not None and ctx.found_member.id != user.id:
        raise UserExists


async def remove(ctx: RequestContext, tx: UnitOfWork, user: User, found: Identity) -> bool:
    """Remove an identity of the member, whose row is locked; False if it has been. Raises LastWayIn."""
    if not await identities.remove(tx, found):
        return False
    await ways_in.check_any(tx, user)
    await factors.record_change(ctx, tx, user, Event.IDENTITY_DELETE, "identity_removed")
    return True


def _checked(ctx: RequestContext, proof: ProviderIdentity, name: str) -> ProviderIdentity:
    """Return the identity with an address and a name that may be stored, "" for others.

    Where sign-up tells nobody who has an account, an address that the provider has not proved does not count: else
    anybody could ask for an address by naming it at some provider.
    """
    given = (proof.name or name).strip()[:_NAME]
    email = ""
    if proof.email_verified or not ctx.project.private_signup:
        try:
            email = email_addresses.canonical(proof.email, special_use=ctx.project.special_use_domains)
        except ValueError:
            # Still not an empty one: it is refused where it would make an account.
            email = proof.email and _UNFIT
    return replace(proof, email=email, name="" if text_rules.find_fault(given) else given)


# Stands for an address that no account can have.
_UNFIT = "@"


def _subject(proof: ProviderIdentity) -> Subject:
    return Subject(proof.provider, proof.issuer, proof.subject)


async def _known(
    tx: UnitOfWork, proof: ProviderIdentity, found: Identity, link_to: Member | None
) -> tuple[User, Identity]:
    if link_to is not None and link_to.id != found.user_id:
        raise UserExists
    user = await users.lock(tx, found.project_id, user_id=found.user_id)
    identity = await identities.update(
        tx, found, email=proof.email.removeprefix(_UNFIT), email_verified=proof.email_verified
    )
    if user is None or identity is None:  # gone since it was found
        raise Overloaded(retry_after=1)
    if user.status == "blocked":
        raise UserBlocked
    return user, identity


async def _link(ctx: RequestContext, tx: UnitOfWork, proof: ProviderIdentity) -> Member:
    """Return the member who is about to get the identity; one without an address gets that of the identity.

    The member must have signed in lately, unless the account is anonymous and has nothing to lose. Whether the
    account's own address is proved stays as it is, even if the provider has proved the same one.
    """
    claimed = proof.email if ctx.member.email is None and proof.email not in ("", _UNFIT) else None
    member = await members.lock(ctx, tx, claimed=claimed)
    if second_factors.is_gated(member, ctx.project):
        raise MoreFactorsRequired
    if not await _is_anonymous(tx, member):
        second_factors.require(member, ctx.project, "recent")
    owner = await users.find_by_email(tx, ctx.project.id, email=proof.email) if proof.email else None
    if owner is not None and owner.id != member.id:
        raise UserExists
    if claimed is not None:
        try:
            await user_emails.change(tx, member, email=claimed)
        except EmailTaken:  # its former owner may still take it back
            return member
        if proof.email_verified:
            await user_emails.verify(tx, member, by_holder=proof.authoritative)
    return member


async def _is_anonymous(tx: UnitOfWork, member: Member) -> bool:
    return member.email is None and not await ways_in.has_any(tx, member)


async def _enter(
    ctx: RequestContext, tx: UnitOfWork, proof: ProviderIdentity, invitation_id: str | None
) -> tuple[User, bool]:
    """Return the user of a new identity, and whether it was created now."""
    if proof.email == _UNFIT:
        raise EmailInvalid
    if proof.email and proof.email_verified and proof.authoritative:
        user: User = await _owner(ctx, tx, proof.email)
        created = isinstance(user, Ensured) and user.created
    else:
        user, created = await _create(ctx, tx, proof), True
    proved = proof.email if proof.email_verified else None
    if created and not await sign_up_rules.may_create(ctx, tx, email=proved, invitation_id=invitation_id):
        raise SignUpClosed
    if created and proof.email and await identities.has_address(tx, ctx.project.id, email=proof.email):
        # It was another user's address once, and may have changed hands: it is no proof of either.
        raise BadRequest
    if proof.name and not user.name:
        user = await users.change_name(tx, user, name=proof.name)
    if created:
        await events.record(tx, ctx.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=ctx.client)
    return replace(user, email_verified=proof.email_verified and bool(proof.email)), created


async def _owner(ctx: RequestContext, tx: UnitOfWork, email: str) -> Ensured:
    """Return the user of a proved address, created if there is none. It loses what its owner may not have put there.

    Raises BadRequest and UserBlocked.
    """
    user = await user_emails.create_verified_if_absent(tx, ctx.project.id, user_ids=[ids.new(), ids.new()], email=email)
    if user is None:  # its mailbox is another account's
        raise BadRequest
    if user.status == "blocked":
        raise UserBlocked
    if await ownership.secure_for_prover(tx, user):
        await token_revocations.revoke_all(tx, user, by_address=True)
        if not user.email_verified:
            event = Event.VERIFICATION_UPDATE
            await events.record(tx, ctx.project.id, event=event, user_id=user.id, by=ctx.client)
    return user


async def _create(ctx: RequestContext, tx: UnitOfWork, proof: ProviderIdentity) -> User:
    """Create a user whose address, if there is one, must be nobody's yet. Raises BadRequest.

    An address that the provider proved long ago may be another person's mailbox by now, who is alone once there.
    """
    try:
        user = await users.create(
            tx, ctx.project.id, user_id=ids.new(), email=proof.email or None, name=proof.name, password_hash=None
        )
    except UserExists:
        raise BadRequest from None
    if proof.email and proof.email_verified:
        await user_emails.verify(tx, user, by_holder=proof.authoritative)
    return user


async def _add(ctx: RequestContext, tx: UnitOfWork, user: User, proof: ProviderIdentity, *, created: bool) -> Identity:
    """Add the identity; the owner of an account that was there before is told, and can undo it."""
    made = await identities.create(
        tx, user, _subject(proof), email=proof.email.removeprefix(_UNFIT), email_verified=proof.email_verified
    )
    if made is None:
        raise UserExists
    if created:
        await events.record(tx, ctx.project.id, event=Event.IDENTITY_CREATE, user_id=user.id, by=ctx.client)
    else:
        await factors.record_change(ctx, tx, user, Event.IDENTITY_CREATE, "identity_added")
    return made


def _proved_two(proof: ProviderIdentity) -> bool:
    """Tell whether the provider says that it saw two factors (RFC 8176): by name, or a key that its user unlocked."""
    seen = {*proof.amr}
    return "mfa" in seen or ("user" in seen and bool(seen & {"hwk", "swk"}))
