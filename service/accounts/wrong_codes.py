"""Brakes on wrong codes, beyond those of each route: a code of six digits can be guessed where a link can't.

Somebody who guesses at the codes of ten thousand accounts would soon have one. So wrong codes count for the project and
for a network, over all routes that take codes. Known devices of an account are left out: no guesser can keep its owner
out. Answers to challenges count for their account too, which only a session of it can do. Links are never braked.
"""

from collections.abc import Sequence
from typing import Literal

from service.errors import TokenInvalid
from service.http import device_cookie, rate_limit_keys, rate_limits
from service.http.context import RequestContext
from service.rate_limiter import DAY, HOUR, Rule, Tally, Window
from service.store.members import Member

OF_PROJECT, OF_NETWORK = Rule("codes.project", 200, HOUR), Rule("codes.network", 20, HOUR)
# Answers to challenges of one account. Recovery codes have a window of their own: wrong codes bar nobody from them.
OF_MEMBER, OF_MEMBER_BY_DAY = Rule("mfa.hour", 10, HOUR), Rule("mfa.day", 30, DAY)
OF_RECOVERY = Rule("mfa.recovery", 5, HOUR)
OF_MEMBERS = (OF_MEMBER, OF_MEMBER_BY_DAY, OF_RECOVERY)
RULES = (OF_PROJECT, OF_NETWORK, *OF_MEMBERS)
Kind = Literal["code", "recoveryCode"]


async def charge(ctx: RequestContext, *, known_device: bool) -> None:
    """Count a code before it is compared; raises TooManyRequests. It is refunded unless the request fails."""
    if ctx.key is not None or known_device:
        return
    counted = [Window(rule, "", only="failures") for rule in _own(ctx, OF_PROJECT)]
    await rate_limits.charge(ctx, counted + rate_limit_keys.windows_of_client(ctx, OF_NETWORK, "failures"))


async def charge_member(ctx: RequestContext, kind: Kind) -> bool:
    """Count the answer to a challenge; raises TooManyRequests. Returns whether it is the last that the account has.

    Only wrong answers stay counted.
    """
    rules = (OF_RECOVERY,) if kind == "recoveryCode" else (OF_MEMBER, OF_MEMBER_BY_DAY)
    tally = await rate_limits.charge(ctx, _windows(ctx, ctx.member, rules))
    last = tally is not None and _is_last(tally)
    if kind == "code":
        names = (ctx.member.email, ctx.member.phone)
        await charge(ctx, known_device=any(is_known(ctx, name) for name in names))
    return last


def is_known(ctx: RequestContext, name: str | None) -> bool:
    """Tell whether the device has signed in with an address or a number."""
    return name is not None and device_cookie.find(ctx, name) is not None


def _windows(ctx: RequestContext, member: Member, rules: Sequence[Rule]) -> list[Window]:
    owned = [rule for each in rules for rule in _own(ctx, each)]
    return [Window(rule, member.id, own=True, only=TokenInvalid) for rule in owned]


def _is_last(tally: Tally) -> bool:
    """Tell whether a window is full with this call; of the owner's notice one is enough."""
    return any(decision.allowed and decision.remaining == 0 for decision in tally.decisions)


def _own(ctx: RequestContext, rule: Rule) -> list[Rule]:
    return rate_limit_keys.project_rules(ctx.project, [rule])
