"""Decisions of rate limits: which of them refuse a request, and which one its headers show."""

import logging
from collections.abc import Iterable

from service.errors import TooManyRequests
from service.http.context import RequestContext
from service.rate_limiter import Decision, Tally, Window

log = logging.getLogger(__name__)


def record(ctx: RequestContext, tallies: Iterable[Tally]) -> None:
    """Have decisions counted in the metrics."""
    for tally in tallies:
        for decision in tally.decisions:
            ctx.services.metrics.record_decision(decision)


def enforce(ctx: RequestContext, tally: Tally) -> None:
    """Raise TooManyRequests where a window is full."""
    if is_refused(ctx, tally):
        ctx.rate_limit = _refusal(tally)
        raise TooManyRequests(retry_after=ctx.rate_limit.reset)


def is_refused(ctx: RequestContext, tally: Tally) -> bool:
    """Tell whether a window is full and limits are enforced, not only observed."""
    if tally.allowed or ctx.services.settings.limits == "off":
        return False
    if ctx.project.limits_dry_run or is_observed(ctx, tally):
        found = next(decision for decision in tally.decisions if not decision.allowed)
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


def is_observed(ctx: RequestContext, tally: Tally) -> bool:
    """Tell whether only windows of the client's address are full, and those are observed."""
    return (
        not tally.allowed
        and ctx.services.settings.limits == "observe-addresses"
        and all(window.by_address or decision.allowed for window, decision in _decided(tally))
    )


def _refusal(tally: Tally) -> Decision:
    """Choose the refusal to show. A full window that others share shows neither its name nor its reset."""
    if own := _tightest(decision for window, decision in _decided(tally) if window.own and not decision.allowed):
        return own
    shared = next(decision for window, decision in _decided(tally) if not window.own)
    return shared._replace(allowed=False, remaining=0, reset=shared.window)


def _decided(tally: Tally) -> Iterable[tuple[Window, Decision]]:
    return zip(tally.windows, tally.decisions, strict=True)


def shown(tally: Tally) -> Decision | None:
    """Return the tightest of the caller's own windows, for the headers."""
    return _tightest(decision for window, decision in _decided(tally) if window.own)


def _tightest(decisions: Iterable[Decision]) -> Decision | None:
    return min(decisions, key=lambda decision: (decision.allowed, decision.remaining, -decision.reset), default=None)
