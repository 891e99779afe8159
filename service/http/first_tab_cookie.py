"""Cookie of a browser that has asked for magic links: by it alone the session opens, wherever the link is opened.

Scripts can't read it. Browsers that refuse cookies of another site get it as X-Fallback-Cookies, as they get sessions.
"""

from service.crypto import tab_secrets
from service.crypto.secret import Secret
from service.crypto.tab_secrets import AwaitedLink
from service.http import session_cookies
from service.http.context import RequestContext

# Links that a browser waits for at a time, in one tab or several.
_MOST = 3


def remember(ctx: RequestContext, secret: Secret) -> None:
    """Put a secret before those that the browser has already; the oldest goes."""
    secrets = [secret, *_kept(ctx)][:_MOST]
    _set(ctx, secrets)
    session_cookies.add_fallback(ctx, _name(ctx), _joined(secrets))


def forget(ctx: RequestContext, used: Secret) -> None:
    """Remove a secret that has opened a session, whose own fallback takes the place of ours."""
    if kept := _kept(ctx):
        _set(ctx, [secret for secret in kept if secret != used])


def find(ctx: RequestContext, user_id: str) -> AwaitedLink | None:
    """Find the link of this user id that the browser has asked for last."""
    return next(filter(None, (read(ctx, secret, user_id) for secret in _kept(ctx))), None)


def read(ctx: RequestContext, secret: Secret, user_id: str) -> AwaitedLink | None:
    return tab_secrets.read(ctx.services.ring, secret, ctx.project.id, user_id=user_id)


def _kept(ctx: RequestContext) -> list[Secret]:
    name = _name(ctx)
    found = session_cookies.cookies_of(ctx).get(name) or session_cookies.fallback(ctx).get(name, "")
    return [Secret(text) for text in found.split("~", _MOST)[:_MOST] if text]


def _set(ctx: RequestContext, secrets: list[Secret]) -> None:
    seconds = ctx.project.magic_url_seconds if secrets else 0
    session_cookies.set_across_sites(
        ctx, _name(ctx), _joined(secrets), seconds=seconds, partitioned=ctx.project.partitioned_cookies
    )


def _joined(secrets: list[Secret]) -> str:
    """Join what needs no quotes in a cookie."""
    return "~".join(secret.reveal() for secret in secrets)


def _name(ctx: RequestContext) -> str:
    return f"first_tab_{ctx.project.id}".lower()
