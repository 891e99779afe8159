"""Device cookie: a browser's device tokens, beside the cookies of the session."""

from service import email_addresses
from service.crypto import known_devices
from service.crypto.known_devices import SECONDS, KnownDevice
from service.http import session_cookies
from service.http.context import RequestContext


def find(ctx: RequestContext, email: str) -> KnownDevice | None:
    """Find the known device that has signed in here with this address; it holds for no other address."""
    if not (tokens := _tokens(ctx)):
        return None
    return known_devices.find(ctx.services.ring, tokens, ctx.project.id, email=email_addresses.lookup_form(email))


def find_verified(ctx: RequestContext, email: str) -> KnownDevice | None:
    """Find the same if the address, or number, was verified by that sign-in: anybody can sign up with one of others."""
    device = find(ctx, email)
    return device if device is not None and device.verified else None


def remember(ctx: RequestContext, email: str, *, verified: bool) -> None:
    """Set the device token after a sign-in. A server that holds a key calls for many devices and gets none."""
    if ctx.key is not None or not email:
        return
    value = known_devices.add_token(ctx.services.ring, _tokens(ctx), ctx.project.id, email=email, verified=verified)
    session_cookies.set_across_sites(ctx, _name(ctx), value, seconds=SECONDS)


def _tokens(ctx: RequestContext) -> str:
    jar = session_cookies.cookies_of(ctx)
    return jar.get(_name(ctx), "") if jar else ""


def _name(ctx: RequestContext) -> str:
    """Name of the cookie; no SDK reads it."""
    return f"known_device_{ctx.project.id}".lower()
