"""The windows that a request counts in.

Each value is in one canonical form, so that no other spelling, address or path of the same thing is another window.
The form is lossy: it is for counting only, and never identifies a user.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from service import email_addresses
from service.crypto.known_devices import KnownDevice
from service.crypto.secret import Secret
from service.http import client_info, device_cookie
from service.http.context import RequestContext
from service.http.routing import Limit, Route
from service.rate_limiter import Only, Rule, Window
from service.store import token_secrets
from service.store.projects import Project

_LONGEST = 512
# One holder of a /48 of IPv6 has 65,536 networks, and one who knows the password can make many known devices of an
# address: together they get so many times the calls of one.
_WIDE = 10
# Parameters that a device may have signed in with.
_OF_DEVICES = ("email", "phone")


def windows_of_call(ctx: RequestContext, route: Route) -> list[Window]:
    """List a route's windows. A malformed value counts too, but in no window that its body would name."""
    named = next((limit.by for limit in route.limits if limit.by in _OF_DEVICES), "")
    name = getattr(ctx.parameters, named, None) if named else None
    device = device_cookie.find(ctx, name) if name else None
    return [
        window
        for limit in route.limits
        for rule in project_rules(ctx.project, [limit.rule])
        for window in _count_by(ctx, limit, rule, device)
    ]


def _count_by(ctx: RequestContext, limit: Limit, rule: Rule, device: KnownDevice | None) -> list[Window]:
    """List the windows of one limit. A known device of the address, or number, has its own, safe from others (S55)."""
    if limit.by == "user":
        return [Window(rule, ctx.member.id, own=True, only=limit.only)]
    if limit.by == "network" or (limit.by == "ip" and not device):
        return windows_of_address(rule, ctx.client.ip, limit.only)
    if limit.by in _OF_DEVICES and device:
        alone = replace(rule, name=f"{rule.name}.device")
        return [
            Window(alone, device.id, own=True, only=limit.only),
            window_of_devices(rule, field_value(ctx, limit.by), limit.only),
        ]
    if device or ctx.parameters is None:
        return []
    return [Window(rule, _value(ctx, limit), only=limit.only)]


def _value(ctx: RequestContext, limit: Limit) -> str:
    match limit.by:
        case "email":
            return mailbox_key(field_value(ctx, "email"))
        case "userId":
            # The token that a guess is aimed at: else a client that knows a user's id could lock the owner's links.
            return guess_key(field_value(ctx, "userId"), field_value(ctx, "secret"))
        case "phone":
            return fold(field_value(ctx, "phone"))
        case "challengeId":
            return fold(field_value(ctx, "challengeId"))
    return ""


def field_value(ctx: RequestContext, field: str) -> str:
    """Return a parameter that a route with such a limit takes."""
    value = getattr(ctx.parameters, field)
    if isinstance(value, email_addresses.Address):  # as it is: text would be checked anew
        return value
    return value.reveal() if isinstance(value, Secret) else str(value or "")


def guess_key(user_id: str, secret: str) -> str:
    return f"{fold(user_id)}\0{token_secrets.target_id(secret)}"


def window_of_devices(rule: Rule, name: str, only: Only = None) -> Window:
    """Window of all known devices of an address, or a number, together."""
    wide = replace(rule, name=f"{rule.name}.devices", limit=rule.limit * _WIDE)
    return Window(wide, mailbox_key(name), only=only)


def windows_of_address(rule: Rule, ip: str, only: Only = None) -> list[Window]:
    """List the windows of an address: IPv4; of IPv6 the /64 of one customer, and the /48 with ten times the calls."""
    network, wider = client_info.networks_of(ip)
    windows = [Window(rule, network, own=True, only=only, by_address=True)]
    if wider:
        wide = replace(rule, name=f"{rule.name}.wide", limit=rule.limit * _WIDE)
        windows.append(Window(wide, wider, own=True, only=only, by_address=True))
    return windows


def mailbox_key(email: str) -> str:
    """Fold spellings that may reach one mailbox: case, look-alikes, dots and +tag of the local part, Unicode."""
    address = email if isinstance(email, email_addresses.Address) else email_addresses.lookup_form(email[:_LONGEST])
    local, at, domain = fold(address).rpartition("@")
    local = local.partition("+")[0].replace(".", "") or local
    return f"{local}{at}{domain.rstrip('.').replace('googlemail.com', 'gmail.com')}"


def fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().strip()


def windows_of_client(ctx: RequestContext, rule: Rule, only: Only = None) -> list[Window]:
    """List the windows of the client's address by a rule with the project's numbers; none where it is off."""
    found = project_rules(ctx.project, [rule])
    return [window for own in found for window in windows_of_address(own, ctx.client.ip, only)]


def project_rules(project: Project, rules: Iterable[Rule]) -> list[Rule]:
    """Apply the numbers that the project has set; a rule that it has switched off is left out."""
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
