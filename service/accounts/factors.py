"""Second factors of a user: which the user has, and what is recorded when they change."""

import logging
from dataclasses import dataclass
from typing import Literal

from service.accounts import outgoing_mail, outgoing_sms
from service.crypto import totp
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal
from service.db import Executor
from service.errors import FactorDisabled
from service.http.context import RequestContext
from service.settings import Settings
from service.store import authenticators, events, recovery_codes
from service.store.authenticators import Authenticator
from service.store.events import Event
from service.store.projects import Project
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

log = logging.getLogger(__name__)
_DIGITS = 6
Change = Literal[
    "mfa_on", "mfa_off", "authenticator_added", "authenticator_removed", "recovery_codes_made", "recovery_code_used",
    "wrong_codes", "passkey_added", "passkey_removed", "identity_added", "identity_removed", "phone_changed",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Factors:
    """Factors that a user can prove as far as the project allows them. A phone is one if SMS are sent."""

    totp: bool
    phone: bool
    email: bool
    recovery_code: bool
    custom: bool


async def find(conn: Executor, project: Project, user: User, *, settings: Settings, first_proof: str = "") -> Factors:
    """Find a user's factors; the first proof of a session that lacks a second one is none for it."""
    allowed = {*project.mfa_factors} - {first_proof}
    return Factors(
        totp="totp" in allowed and await _has_app(conn, user, settings.key_ring),
        phone="phone" in allowed and is_factor(project, user) and outgoing_sms.is_set_up(project, settings),
        email="email" in allowed and user.email is not None and user.email_verified,
        recovery_code=await recovery_codes.count(conn, user) > 0,
        custom="custom" in allowed,
    )


async def _has_app(conn: Executor, user: User, ring: KeyRing) -> bool:
    """Tell whether codes of the user's app can be checked. One whose key is gone still keeps its account closed."""
    found = await authenticators.find(conn, user)
    if found is None or not found.verified:
        return False
    try:
        authenticators.secret_of(ring, found)
    except CannotUnseal:
        return False
    return True


def is_factor(project: Project, user: User) -> bool:
    """Tell whether a user's number is proved. The codes of numbers for tests are known, so those prove nothing."""
    return user.phone_verified and user.phone not in project.mock_phones


def check_allowed(project: Project, factor: str) -> None:
    """Raise FactorDisabled for a factor that the project does not allow; recovery codes can't be switched off."""
    if factor != "recoveryCode" and factor not in project.mfa_factors:
        raise FactorDisabled


def digits_of(otp: str) -> str:
    """Return six digits as their user typed them, perhaps with a space; empty for anything else."""
    text = "".join(otp.split())
    return text if len(text) == _DIGITS and text.isascii() and text.isdigit() else ""


def step_of(ctx: RequestContext, found: Authenticator, otp: str) -> int | None:
    """Return the time step that a code belongs to; None for a wrong one, and where the secret can't be read."""
    try:
        secret = authenticators.secret_of(ctx.services.ring, found)
    except CannotUnseal as fault:
        place = {"project": found.project_id, "user": found.user_id}
        log.error(  # noqa: TRY400 - the reason says all
            "An authenticator's secret can't be read",
            extra={"event": "authenticator.unreadable", **place, "fault": str(fault)},
        )
        return None
    return totp.matching_step(secret, digits_of(otp), now=found.step)


async def record_change(
    ctx: RequestContext, tx: UnitOfWork, user: User, event: Event, change: Change, *, left: int | None = None
) -> None:
    """Record a change, and tell the owner of a proved address, who can undo it."""
    await events.record(tx, ctx.project.id, event=event, user_id=user.id, by=ctx.client)
    if user.email is not None and user.email_verified:
        about = {"change": change} if left is None else {"change": change, "left": left}
        await outgoing_mail.notify(ctx, tx, letter="security_changed", user=user, about=about)


async def record_wrong_answer(ctx: RequestContext, *, last: bool) -> None:
    """Record a wrong answer to a challenge; the owner is told of the last one that the account had for now."""
    async with ctx.unit_of_work() as tx:
        if last:
            await record_change(ctx, tx, ctx.member, Event.CHALLENGE_FAILED, "wrong_codes")
        else:
            await events.record(tx, ctx.project.id, event=Event.CHALLENGE_FAILED, user_id=ctx.member.id, by=ctx.client)
