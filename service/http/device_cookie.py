"""How a browser keeps its marks: a cookie of its own, beside those of the session."""

from service import email_addresses
from service.crypto import known_devices
from service.crypto.known_devices import SECONDS, KnownDevice
from service.http import session_cookies
from service.http.context import Call


def find(call: Call, email: str) -> KnownDevice | None:
    """Whether somebody has signed in here with this address before. It says so of no other address."""
    return known_devices.find(
        call.services.ring, _marks(call), call.project.id, email=email_addresses.lookup_form(email)
    )


def remember(call: Call, email: str, *, proven: bool) -> None:
    """After a sign-in. A server that holds a key speaks for many devices: it keeps none."""
    if call.key is not None or not email:
        return
    value = known_devices.remember(call.services.ring, _marks(call), call.project.id, email=email, proven=proven)
    https = call.services.settings.public_url.startswith("https:")
    rest = "; Secure; SameSite=None" if https else "; SameSite=Lax"
    # Before the session's own cookies: some clients keep only the last.
    call.headers.append(("Set-Cookie", f"{_name(call)}={value}; Path=/; Max-Age={SECONDS}; HttpOnly{rest}"))


def _marks(call: Call) -> str:
    return session_cookies.kept(call).get(_name(call), "")


def _name(call: Call) -> str:
    """Not one that an SDK reads."""
    return f"known_device_{call.project.id}".lower()
