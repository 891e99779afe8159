"""Rate limits of a request: counting it, before its act or by the act's statement, and refunding its places."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from service import tracing
from service.errors import AccountError, ArgumentInvalid, LoginTokenPending, TooManyRequests
from service.http import rate_limit_decisions, rate_limit_keys, request_body
from service.http.context import RequestContext
from service.http.routing import Route
from service.rate_limiter import DeferredCount, Only, Tally, Window
from service.store import rate_limit_windows
from service.store.rate_limit_windows import CountedCall

_FAILURE = 400


def check_rate_limits(ctx: RequestContext, route: Route) -> Awaitable[None] | None:
    """Count before any check: a malformed guess is a guess."""
    if not route.limits or ctx.key is not None:  # a server with a key calls for many users
        return None
    return _count_call(ctx, route)


async def _count_call(ctx: RequestContext, route: Route) -> None:
    unread = await _read(ctx, route)
    if counted := rate_limit_keys.windows_of_call(ctx, route):
        await _count_together(ctx, route, counted)
        if ctx.deferred is None:
            tally = await count(ctx, ctx.project.id, counted)
            ctx.rate_limit = rate_limit_decisions.shown(tally)
            rate_limit_decisions.enforce(ctx, tally)
    if unread:
        raise unread


async def _count_together(ctx: RequestContext, route: Route, counted: Sequence[Window]) -> None:
    """Count the windows of a route, and with them the quota that its handler will ask for: in one call.

    Not where addresses are only observed, whose windows would keep the call out of the others. Postgres's part is left
    to the handler's first statement where nothing is done before it.
    """
    if ctx.parameters is None or ctx.services.settings.limits == "observe-addresses":
        return
    groups = [(ctx.project.id, counted)]
    if route.quota:
        email = ctx.member.email or "" if route.access == "member" else rate_limit_keys.field_value(ctx, "email")
        scope, quota = route.quota(ctx, email)
        if quota:
            groups.append((scope, quota))
    if len(groups) == 1 and not route.deferred:
        return
    with tracing.span("limits"):
        begun = await ctx.services.limits.defer_groups(groups)
        if isinstance(begun, DeferredCount):
            if _may_defer(ctx):
                ctx.deferred, ctx.asked = begun, 1
                return
            begun = await begun.count()
    ctx.tallies = begun
    rate_limit_decisions.record(ctx, begun)


def _may_defer(ctx: RequestContext) -> bool:
    """Tell whether a full window refuses the call, and nothing is looked up before the statement that counts it."""
    enforced = ctx.services.settings.limits == "on" and not ctx.project.limits_dry_run
    return enforced and not ctx.project.reveal_unknown_users


def is_deferred(ctx: RequestContext, counted: Sequence[Window]) -> bool:
    """Tell whether these windows, the last of the request's, are left to the statement of its act."""
    return ctx.deferred is not None and ctx.deferred.groups[-1].windows == counted


@dataclass(frozen=True, slots=True)
class DeferredLimits:
    """A request's limits, as far as the statement that does what they guard is to count them in Postgres."""

    ctx: RequestContext

    @property
    def windows(self) -> str | None:
        return rate_limit_windows.lines(*self.ctx.deferred.arguments()) if self.ctx.deferred else None

    def settle(self, counted: CountedCall) -> None:
        """Take the statement's answer. Raises TooManyRequests where a window is full: it did nothing else then."""
        if deferred := self.ctx.deferred:
            _take_over(self.ctx, deferred.settle(rate_limit_windows.read(counted, deferred.joined.numbers)))

    def settle_lost(self) -> None:
        """Do so where the statement was committed and its answer lost."""
        if self.ctx.deferred:
            _keep(self.ctx, self.ctx.deferred.allow())


async def settle_alone(ctx: RequestContext) -> None:
    """Count what is deferred by a statement of its own, where there is no act, or not yet. Raises TooManyRequests."""
    if ctx.deferred is not None:
        with tracing.span("limits"):
            tallies = await ctx.deferred.count()
        _take_over(ctx, tallies)


def _take_over(ctx: RequestContext, tallies: Sequence[Tally]) -> None:
    _keep(ctx, tallies)
    rate_limit_decisions.record(ctx, tallies)
    for tally in tallies:
        rate_limit_decisions.enforce(ctx, tally)


def _keep(ctx: RequestContext, tallies: Sequence[Tally]) -> None:
    ctx.deferred = None
    ctx.tallies[:0] = tallies
    ctx.rate_limit = rate_limit_decisions.shown(tallies[0])


async def count(ctx: RequestContext, scope: str, counted: Sequence[Window]) -> Tally:
    """Count once, however often a fault of Postgres has the handler run again, and not what is counted already."""
    await settle_alone(ctx)
    if ctx.asked < len(ctx.tallies) and ctx.tallies[ctx.asked].windows == counted:
        tally = ctx.tallies[ctx.asked]
    else:
        with tracing.span("limits"):
            tally = await ctx.services.limits.count(scope, counted)
        ctx.tallies.insert(ctx.asked, tally)
        rate_limit_decisions.record(ctx, [tally])
    ctx.asked += 1
    others = [window for window in counted if not window.by_address]
    if others and rate_limit_decisions.is_observed(ctx, tally):
        # A full window keeps the call out of all: guesses at one account count all the same.
        rate_limit_decisions.enforce(ctx, tally)
        return await count(ctx, scope, others)
    return tally


def keep_places(ctx: RequestContext, *, since: int) -> None:
    """Refund nothing of what was counted since so many tallies: it was done, although the call fails."""
    del ctx.tallies[since:]


async def refund_by_outcome(ctx: RequestContext, status: int) -> None:
    """Refund, once the outcome is certain, the places that the request is not to keep."""
    if ctx.deferred is not None and ctx.ended:
        ctx.deferred.drop()
    places = [
        place
        for tally in ctx.tallies
        for window, place in zip(tally.windows, tally.places, strict=False)
        if not _stays_counted(window.only, status, ctx.fault)
    ]
    if ctx.ended and places:
        await ctx.services.limits.refund(places)
    elif status == TooManyRequests.status or ctx.deferred is not None:
        await ctx.services.limits.redis.flush_removals()  # of what it has counted and Postgres has not


def _stays_counted(only: Only, status: int, fault: AccountError | None) -> bool:
    match only:
        case None:
            return True
        case "failures":
            return status >= _FAILURE and not isinstance(fault, LoginTokenPending)
        case "successes":
            return status < _FAILURE
    return isinstance(fault, only)


async def charge(ctx: RequestContext, counted: Sequence[Window]) -> Tally | None:
    """Count in windows of the project, None if there are none. Raises TooManyRequests where one is full.

    What is deferred is counted in any case: the caller goes on to look something up.
    """
    if not counted:
        await settle_alone(ctx)
        return None
    tally = await count(ctx, ctx.project.id, counted)
    rate_limit_decisions.enforce(ctx, tally)
    return tally


async def _read(ctx: RequestContext, route: Route) -> AccountError | None:
    """Read and check the body where a window or a quota depends on it; return the fault of one that can't be read.

    A parameter that does not fit is the handler's to refuse: other refusals come before it.
    """
    takes = route.contract.request
    if takes is None or (route.quota is None and all(limit.by in ("ip", "network", "user") for limit in route.limits)):
        return None
    try:
        ctx.parameters = await request_body.read(ctx, takes)
    except ArgumentInvalid:
        return None
    except AccountError as fault:
        return fault
    return None
