"""How a browser keeps its marks: a cookie of its own, beside those of the session."""

from service import email_addresses
from service.crypto import known_devices
from service.crypto.known_devices import SECONDS, KnownDevice
from service.http import session_cookies
from service.http.context import RequestContext


def find(ctx: RequestContext, email: str) -> KnownDevice | None:
    """Whether somebody has signed in here with this address before. It says so of no other address."""
    return known_devices.find(ctx.services.ring, _tokens(ctx), ctx.project.id, email=email_addresses.lookup_form(email))


def remember(ctx: RequestContext, email: str, *, proven: bool) -> None:
    """After a sign-in. A server that holds a key speaks for many devices: it keeps none."""
    if ctx.key is not None or not email:
        return
    value = known_devices.add_token(ctx.services.ring, _tokens(ctx), ctx.project.id, email=email, proven=proven)
    https = ctx.services.settings.public_url.startswith("https:")
    rest = "; Secure; SameSite=None" if https else "; SameSite=Lax"
    # Before the session's own cookies: some clients keep only the last.
    ctx.headers.append(("Set-Cookie", f"{_name(ctx)}={value}; Path=/; Max-Age={SECONDS}; HttpOnly{rest}"))


def _tokens(ctx: RequestContext) -> str:
    return session_cookies.kept(ctx).get(_name(ctx), "")


def _name(ctx: RequestContext) -> str:
    """Not one that an SDK reads."""
    return f"known_device_{ctx.project.id}".lower()
