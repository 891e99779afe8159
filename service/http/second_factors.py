"""Second factors of a member: which count, which sessions must prove one, and which proofs are fresh.

A factor that was the first proof of a session is no second one for it. Whether a code can be delivered decides
nothing here: a relay or a key that is away must not open accounts (docs/second-factors.md).
"""

from service.errors import ChallengeRequired, MoreFactorsRequired, ReauthenticationRequired
from service.http.context import RequestContext
from service.http.routing import Proof, Route
from service.store.members import Member
from service.store.projects import Project

PROVED = 2
# An earlier release did not keep what a session's first proof was: a mailed code or a password.
_BY_MAILBOX = ("unknown", "oauth2")


def usable(member: Member, project: Project) -> frozenset[str]:
    """Return the factors that a member whose `mfa` is on can prove, as far as the project allows them."""
    has = {
        "totp": member.has_totp,
        "email": member.email_verified and member.email is not None,
        "phone": member.phone_verified and member.phone not in project.mock_phones,  # whose codes are known
        "custom": True,
    }
    return frozenset(factor for factor in project.mfa_factors if has.get(factor))


def is_asked_for(member: Member, project: Project) -> bool:
    """Tell whether `mfa` has any effect: without a factor to prove it has none."""
    return member.mfa and bool(usable(member, project))


def is_gated(member: Member, project: Project) -> bool:
    """Tell whether the session opens nothing but the way to a second factor.

    A member with a password whose only factor is the one that opened the session has to sign in with the password.
    Without a password that factor is all that there is, and it opens the account.
    """
    if not member.mfa or member.assurance >= PROVED:
        return False
    factors = usable(member, project)
    if factors - {first_proof(member)}:
        return True
    return bool(factors) and member.password_hash is not None and member.first_factor != "password"


def first_proof(member: Member) -> str:
    """Return the factor that opened the session; of an unknown one it is held that it was a mailed code.

    A provider's account counts as the mailbox behind it, for that is what gets its user into it.
    """
    return "email" if member.first_factor in _BY_MAILBOX else member.first_factor


def assurance_by(member: Member, factor: str) -> int:
    """Return the assurance that a challenge passed by a factor gives: the first proof once more is no second one."""
    return member.assurance if factor == first_proof(member) else PROVED


def check_gate(ctx: RequestContext, route: Route) -> None:
    """Raise MoreFactorsRequired where the member's session, or that of the JWT, lacks its second factor."""
    if route.access == "member" and route.gated and ctx.found_member and is_gated(ctx.found_member, ctx.project):
        raise MoreFactorsRequired


def check_proof(ctx: RequestContext, route: Route) -> None:
    """Raise ChallengeRequired or ReauthenticationRequired where the route needs a newer proof than the session has."""
    if route.proof is not None and ctx.found_member is not None:
        require(ctx.found_member, ctx.project, route.proof)


def require(member: Member, project: Project, proof: Proof) -> None:
    match proof:
        case "fresh" if not member.is_fresh:
            raise ChallengeRequired
        case "fresh_if_mfa" if not member.is_fresh and is_asked_for(member, project):
            raise ChallengeRequired
        case "recent" if is_gated(member, project):
            raise MoreFactorsRequired
        case "recent" if not member.is_recent:
            raise ReauthenticationRequired
