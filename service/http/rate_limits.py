"""Rate limits of a request: counting it, refusing it beyond a limit, and refunding its places."""

import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

from service import tracing
from service.errors import AccountError, ArgumentInvalid, LoginTokenPending, TooManyRequests
from service.http import rate_limit_keys, request_body
from service.http.context import RequestContext
from service.http.routing import Route
from service.rate_limiter import Decision, DeferredCount, Only, Tally, Window
from service.store import rate_limit_windows
from service.store.rate_limit_windows import CountedCall

log = logging.getLogger(__name__)
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
            ctx.rate_limit = _shown(tally)
            enforce(ctx, tally)
    if unread:
        raise unread


async def _count_together(ctx: RequestContext, route: Route, counted: Sequence[Window]) -> None:
    """Count the windows of a route, and with them the quota that its handler will ask for: in one call.

    Postgres's part is left to the handler's first statement where nothing is done before it.
    """
    if ctx.parameters is None:
        return
    groups = [(ctx.project.id, counted)]
    if route.quota:
        email = ctx.member.email or "" if route.access == "member" else rate_limit_keys.field_value(ctx, "email")
        groups += [group for group in [route.quota(ctx, email)] if group[1]]
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
    _record_decisions(ctx, begun)


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
    _record_decisions(ctx, tallies)
    for tally in tallies:
        enforce(ctx, tally)


def _keep(ctx: RequestContext, tallies: Sequence[Tally]) -> None:
    ctx.deferred = None
    ctx.tallies[:0] = tallies
    ctx.rate_limit = _shown(tallies[0])


async def count(ctx: RequestContext, scope: str, counted: Sequence[Window]) -> Tally:
    """Count once, however often a fault of Postgres has the handler run again, and not what is counted already."""
    await settle_alone(ctx)
    if ctx.asked < len(ctx.tallies) and ctx.tallies[ctx.asked].windows == counted:
        tally = ctx.tallies[ctx.asked]
    else:
        with tracing.span("limits"):
            tally = await ctx.services.limits.count(scope, counted)
        ctx.tallies.insert(ctx.asked, tally)
        _record_decisions(ctx, [tally])
    ctx.asked += 1
    return tally


def _record_decisions(ctx: RequestContext, tallies: Iterable[Tally]) -> None:
    for tally in tallies:
        for decision in tally.verdicts:
            ctx.services.metrics.record_decision(decision)


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
        await ctx.services.limits.redis.refund(())  # what it has counted and Postgres has not


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
    enforce(ctx, tally)
    return tally


def enforce(ctx: RequestContext, tally: Tally) -> None:
    """Raise TooManyRequests where a window is full."""
    if is_refused(ctx, tally):
        ctx.rate_limit = _refusal(tally)
        raise TooManyRequests(retry_after=ctx.rate_limit.reset)


def is_refused(ctx: RequestContext, tally: Tally) -> bool:
    """Tell whether a window is full and limits are enforced, not only observed."""
    if tally.allowed or ctx.services.settings.limits == "off":
        return False
    if ctx.project.limits_dry_run or _is_observed(ctx, tally):
        found = next(verdict for verdict in tally.verdicts if not verdict.allowed)
        log.warning(
            "The client is over a rate limit and is let through: the limit is a dry run",
            extra={
                "event": "rate_limit.dry_run_exceeded",
                "project": ctx.project.id,
                "rule": found.rule,
                "limit": found.limit,
            },
        )
        return False
    return True


def _is_observed(ctx: RequestContext, tally: Tally) -> bool:
    """Tell whether only windows of the client's address are full, and those are observed."""
    return ctx.services.settings.limits == "observe-addresses" and all(
        window.by_address or verdict.allowed for window, verdict in _decided(tally)
    )


def _refusal(tally: Tally) -> Decision:
    """Choose the refusal to show. A full window that others share shows neither its name nor its reset."""
    if own := _tightest(verdict for window, verdict in _decided(tally) if window.own and not verdict.allowed):
        return own
    shared = next(verdict for window, verdict in _decided(tally) if not window.own)
    return shared._replace(allowed=False, remaining=0, reset=shared.window)


def _decided(tally: Tally) -> Iterable[tuple[Window, Decision]]:
    return zip(tally.windows, tally.verdicts, strict=True)


def _shown(tally: Tally) -> Decision | None:
    return _tightest(verdict for window, verdict in _decided(tally) if window.own)


def _tightest(verdicts: Iterable[Decision]) -> Decision | None:
    return min(verdicts, key=lambda verdict: (verdict.allowed, verdict.remaining, -verdict.reset), default=None)


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
