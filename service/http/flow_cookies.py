"""Cookies that tie a sign-in by a provider to the browser that started it.

Without one, whoever gets a browser to open the end of a sign-in could sign it in, or link an account of their own. The
cookie is SameSite=Lax: a browser sends it on its way back from the provider, and never in a request of another page.
"""

import re
import secrets

from service.crypto.secret import Secret
from service.http import session_cookies
from service.http.context import RequestContext
from service.store.oauth_flows import SECONDS

_PATH = "/v1/account/sessions/oauth2"
_NAME = re.compile(r"oauth_([0-9a-f]{20})")
_MOST = 5


def new() -> Secret:
    """Make 256 random bits."""
    return Secret(secrets.token_urlsafe(32))


def remember(ctx: RequestContext, flow_id: str, value: Secret) -> None:
    """Set the cookie of a flow; of more than five the oldest go."""
    # An id begins with the time at which it was made.
    for earlier in sorted(filter(_NAME.fullmatch, session_cookies.cookies_of(ctx)))[: -(_MOST - 1)]:
        _set(ctx, earlier, "", seconds=0)
    _set(ctx, f"oauth_{flow_id}", value.reveal(), seconds=SECONDS)


def find(ctx: RequestContext, flow_id: str) -> Secret:
    """Return what the browser has kept for a flow, "" for nothing."""
    return Secret(session_cookies.cookies_of(ctx).get(f"oauth_{flow_id}", ""))


def forget(ctx: RequestContext, flow_id: str) -> None:
    _set(ctx, f"oauth_{flow_id}", "", seconds=0)


def _set(ctx: RequestContext, name: str, value: str, *, seconds: int) -> None:
    session_cookies.set_lax(ctx, name, value, path=_PATH, seconds=seconds)
