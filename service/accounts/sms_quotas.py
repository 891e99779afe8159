"""Quotas of SMS, which cost money: whoever owns expensive numbers can earn by having codes sent to them.

They count every number alike, with or without an account, for clients and servers. A refusal tells nothing: who asks
for a code without an account gets the same answer, and no SMS is sent.
"""

from service.http import rate_limit_keys as of_calls
from service.http import rate_limits
from service.http.context import RequestContext
from service.rate_limiter import DAY, HOUR, Rule, Tally, Window

BY_NUMBER = (Rule("sms.hour", 5, HOUR), Rule("sms.number", 10, DAY))
BY_NETWORK, BY_PROJECT = Rule("sms.ip", 10, HOUR), Rule("sms.day", 500, DAY)
RULES = (*BY_NUMBER, BY_NETWORK, BY_PROJECT)


async def charge(ctx: RequestContext, phone: str) -> None:
    """Charge an SMS to this number. Raises TooManyRequests where a quota is used up."""
    if tally := await _count(ctx, phone):
        rate_limits.enforce(ctx, tally)


async def may_send(ctx: RequestContext, phone: str) -> bool:
    """Charge an SMS to this number, if it may be sent."""
    tally = await _count(ctx, phone)
    return tally is None or not rate_limits.is_refused(ctx, tally)


async def _count(ctx: RequestContext, phone: str) -> Tally | None:
    counted = [Window(rule, phone, only="successes") for rule in of_calls.project_rules(ctx.project, BY_NUMBER)]
    if ctx.key is None:  # a server that holds a key asks for many users from one place
        for rule in of_calls.project_rules(ctx.project, [BY_NETWORK]):
            counted += of_calls.windows_of_address(rule, ctx.client.ip, "successes")
    counted += [Window(rule, "", only="successes") for rule in of_calls.project_rules(ctx.project, [BY_PROJECT])]
    return await rate_limits.count(ctx, ctx.project.id, counted) if counted else None
