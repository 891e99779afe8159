"""Quotas of SMS, which cost money: whoever owns expensive numbers can earn by having codes sent to them.

They count every number alike, with or without an account, for clients and servers. A refusal tells nothing: who asks
for a code without an account gets the same answer, and no SMS is sent. Whoever has shown that a number is theirs has
quotas of their own for it: strangers who use up the others keep no owner out.
"""

from service.http import device_cookie, rate_limit_decisions, rate_limit_keys, rate_limits
from service.http.context import RequestContext
from service.rate_limiter import DAY, HOUR, Rule, Tally, Window

BY_NUMBER = (Rule("sms.hour", 5, HOUR), Rule("sms.number", 10, DAY))
BY_OWNER = (Rule("sms.owner.hour", 5, HOUR), Rule("sms.owner", 10, DAY))
BY_NETWORK, BY_PROJECT = Rule("sms.ip", 10, HOUR), Rule("sms.day", 500, DAY)
RULES = (*BY_NUMBER, *BY_OWNER, BY_NETWORK, BY_PROJECT)


async def charge(ctx: RequestContext, phone: str) -> None:
    """Charge an SMS to this number. Raises TooManyRequests where a quota is used up."""
    if tally := await _count(ctx, phone):
        rate_limit_decisions.enforce(ctx, tally)


async def may_send(ctx: RequestContext, phone: str) -> bool:
    """Charge an SMS to this number, if it may be sent."""
    tally = await _count(ctx, phone)
    return tally is None or not rate_limit_decisions.is_refused(ctx, tally)


async def _count(ctx: RequestContext, phone: str) -> Tally | None:
    rules = rate_limit_keys.project_rules(ctx.project, BY_OWNER if _is_owner(ctx, phone) else BY_NUMBER)
    counted = [Window(rule, phone, only="successes") for rule in rules]
    if ctx.key is None:  # a server that holds a key asks for many users from one place
        counted += rate_limit_keys.windows_of_client(ctx, BY_NETWORK, "successes")
    counted += [Window(rule, "", only="successes") for rule in rate_limit_keys.project_rules(ctx.project, [BY_PROJECT])]
    return await rate_limits.count(ctx, ctx.project.id, counted) if counted else None


def _is_owner(ctx: RequestContext, phone: str) -> bool:
    """Tell whether the client has proved the number: in the account of its session, or on this device by a sign-in."""
    found = ctx.found_member
    if found is not None and found.phone == phone and found.phone_verified:
        return True
    return device_cookie.find_verified(ctx, phone) is not None
