"""Counting calls at the door, refusing those beyond a limit, and giving places back."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from service.errors import AccountError, ArgumentInvalid, TooManyRequests
from service.http import rate_limit_keys, request_body
from service.http.context import Call
from service.http.routing import Route
from service.rate_limiter import Only, Tally, Verdict, Window

log = logging.getLogger(__name__)
_FAILURE = 400


async def within_limits(call: Call, route: Route) -> None:
    """Counted before anything is looked at: a guess that is malformed is a guess."""
    if not route.limits or call.key is not None:  # a key speaks for many people at once
        return
    unread = await _read(call, route)
    if counted := rate_limit_keys.of_call(call, route):
        tally = await count(call, call.project.id, counted)
        call.verdict = _tightest(verdict for window, verdict in _pairs(tally) if window.own)
        obey(call, tally)
    if unread:
        raise unread


async def count(call: Call, scope: str, counted: Sequence[Window]) -> Tally:
    """Once, however often a fault of Postgres has the handler run again."""
    if call.asked < len(call.tallies) and call.tallies[call.asked].windows == counted:
        tally = call.tallies[call.asked]
    else:
        tally = await call.services.limits.count(scope, counted)
        call.tallies.insert(call.asked, tally)
    call.asked += 1
    return tally


async def settle(call: Call, status: int) -> None:
    """When it is certain how a call ended: the places that it is not to keep are given back."""
    places = [
        place
        for tally in call.tallies
        for window, place in zip(tally.windows, tally.places, strict=False)
        if not _keeps(window.only, status, call.fault)
    ]
    if call.ended and places:
        await call.services.limits.give_back(places)


def _keeps(only: Only, status: int, fault: AccountError | None) -> bool:
    match only:
        case None:
            return True
        case "failures":
            return status >= _FAILURE
        case "successes":
            return status < _FAILURE
    return isinstance(fault, only)


def obey(call: Call, tally: Tally) -> None:
    """Raises TooManyRequests where a window is full."""
    if refuses(call, tally):
        call.verdict = _refusal(tally)
        raise TooManyRequests(retry_after=call.verdict.reset)


def refuses(call: Call, tally: Tally) -> bool:
    """Whether a window is full, and the operator does not only watch."""
    if tally.allowed or call.services.settings.limits == "off":
        return False
    if call.project.limits_dry_run:
        found = next(verdict for verdict in tally.verdicts if not verdict.allowed)
        log.warning("would refuse", extra={"project": call.project.id, "rule": found.rule, "limit": found.limit})
        return False
    return True


def _refusal(tally: Tally) -> Verdict:
    """A full window of others shows nothing of them: neither which it is nor when its places fall free."""
    if own := _tightest(verdict for window, verdict in _pairs(tally) if window.own and not verdict.allowed):
        return own
    told = next(verdict for window, verdict in _pairs(tally) if not window.own)
    return replace(told, allowed=False, remaining=0, reset=told.window)


def _pairs(tally: Tally) -> Iterable[tuple[Window, Verdict]]:
    return zip(tally.windows, tally.verdicts, strict=True)


def _tightest(verdicts: Iterable[Verdict]) -> Verdict | None:
    return min(verdicts, key=lambda verdict: (verdict.allowed, verdict.remaining, -verdict.reset), default=None)


async def _read(call: Call, route: Route) -> AccountError | None:
    """The body, checked, where a window is named by it; the fault of a body that can't be read at all.

    A parameter that does not fit is the handler's to refuse: other refusals come before it.
    """
    takes = route.contract.takes
    if takes is None or all(limit.by in ("ip", "network", "user") for limit in route.limits):
        return None
    try:
        call.parameters = await request_body.read(call, takes)
    except ArgumentInvalid:
        return None
    except AccountError as fault:
        return fault
    return None
