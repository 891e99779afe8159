"""What a call's windows count by, and what happens where one is full.

Each value is in one canonical form, so that no other spelling, address or path of the same thing is another window.
The form is lossy: it is for counting only, and never says who somebody is.
"""

import logging
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from service import addresses, tokens
from service.api import bodies, clients, known_devices
from service.api.calls import Call
from service.api.routes import Limit, Route
from service.errors import TooManyRequests
from service.limits import Rule, Verdict
from service.projects import Project

log = logging.getLogger(__name__)
_LONGEST = 512
# Who has a /48 of IPv6 has 65,536 networks, and who has the password can make many known devices of an address:
# together they get so many times one's calls.
_WIDE = 10


async def within_limits(call: Call, route: Route) -> None:
    """Counted before the parameters are looked at: a guess that is malformed is a guess."""
    if not route.limits or call.key is not None:  # a key speaks for many people at once
        return
    known = await _known(call, route)
    counted = await _strangers(call, route) if known is None else known
    if counted:
        call.verdict = await call.services.limits.count(call.project.id, counted)
        obey(call, call.verdict)


def obey(call: Call, verdict: Verdict) -> None:
    """Raises TooManyRequests where a window is full."""
    if refuses(call, verdict):
        call.verdict = verdict
        raise TooManyRequests(retry_after=verdict.reset)


def refuses(call: Call, verdict: Verdict) -> bool:
    """Whether a window is full, and the operator does not only watch."""
    if verdict.allowed or call.services.settings.limits == "off":
        return False
    if call.project.limits_dry_run:
        log.warning("would refuse", extra={"project": call.project.id, "rule": verdict.rule, "limit": verdict.limit})
        return False
    return True


def own(project: Project, rules: Iterable[Rule]) -> list[Rule]:
    """With the numbers that the project has set; one that it has switched off is left out."""
    if not project.limits:
        return list(rules)
    found = []
    for rule in rules:
        numbers = project.limits.get(rule.name)
        if numbers is None:
            found.append(rule)
        elif numbers:
            found.append(replace(rule, limit=numbers[0], window=numbers[1]))
    return found


async def _known(call: Call, route: Route) -> list[tuple[Rule, str]] | None:
    """A device that the named address has signed in on before is counted by itself: nobody can lock it out (S55)."""
    for limit in route.limits:
        if limit.by == "email":
            email = (await bodies.load(call)).get("email")
            if isinstance(email, str) and (device := known_devices.find(call, email)):
                mine = [replace(rule, name=f"{rule.name}.device") for rule in own(call.project, [limit.rule])]
                return [(rule, device.id) for rule in mine] + by_devices(call.project, limit.rule, email)
    return None


def by_devices(project: Project, rule: Rule, email: str) -> list[tuple[Rule, str]]:
    """All known devices of an address together."""
    return [
        (replace(mine, name=f"{mine.name}.devices", limit=mine.limit * _WIDE), mailbox_of(email))
        for mine in own(project, [rule])
    ]


async def _strangers(call: Call, route: Route) -> list[tuple[Rule, str]]:
    counted = []
    for limit in route.limits:
        for rule in own(call.project, [limit.rule]):
            counted += by_address(rule, call.client.ip) if limit.by == "ip" else [(rule, await _value(call, limit))]
    return counted


async def _value(call: Call, limit: Limit) -> str:
    match limit.by:
        case "user":
            return call.found_member.id if call.found_member else ""
        case "project":
            return ""
        case field:
            body = await bodies.load(call)
            value = body.get(field)
            if not isinstance(value, str):
                return ""
            return mailbox_of(value) if field == "email" else _guess(value, body.get("secret"))


def _guess(user_id: str, secret: object) -> str:
    """The link that a guess is aimed at: else whoever knows a user's id could keep its owner from using any."""
    return f"{folded(user_id)}\0{tokens.aim(secret)}" if isinstance(secret, str) else folded(user_id)


def by_address(rule: Rule, ip: str) -> list[tuple[Rule, str]]:
    """An IPv4 address; of IPv6 the /64 that one customer has, and the /48 around it with ten times the calls."""
    counted = [(rule, clients.network_of(ip))]
    if wide := clients.wide_network_of(ip):
        counted.append((replace(rule, name=f"{rule.name}.wide", limit=rule.limit * _WIDE), wide))
    return counted


def mailbox_of(email: str) -> str:
    """All spellings that may reach one mailbox: case, look-alikes, dots and +tag of the local part, Unicode domains."""
    local, at, domain = folded(addresses.lookup_form(email[:_LONGEST])).rpartition("@")
    local = local.partition("+")[0].replace(".", "") or local
    return f"{local}{at}{domain.rstrip('.').replace('googlemail.com', 'gmail.com')}"


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().strip()
