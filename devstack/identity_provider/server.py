"""Routes of the provider: code flow with PKCE (RFC 7636) and `iss` (RFC 9207), keys and userinfo."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from urllib.parse import unquote_plus, urlencode

from aiohttp import web

from devstack.answers import EVERYWHERE
from devstack.identity_provider.grants import Client, Grants
from devstack.web_server import serve

_PAGES = Path(__file__).with_name("pages")
# Without form-action: browsers hold it against each redirect after the form, and those lead to the service and the app.
_POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
# What the form brings back of the request that it answers.
_KEPT = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method"
)  # fmt: skip


@asynccontextmanager
async def open_identity_provider(*, issuer: str, client: Client, port: int = 0) -> AsyncIterator[int]:
    """Serve the provider on 127.0.0.1 until the block ends; yields its port, which `issuer` has to name."""
    application = web.Application()
    application.add_routes(_Provider(issuer, client).routes())
    async with serve(application, port=port) as chosen:
        yield chosen


class _Provider:
    def __init__(self, issuer: str, client: Client) -> None:
        self._issuer = issuer
        self._client = client
        self._grants = Grants(issuer, client)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.explain),
            web.get("/.well-known/openid-configuration", self.discover),
            web.get("/jwks", self.show_keys),
            web.get("/authorize", self.ask),
            web.post("/authorize", self.decide),
            web.get("/provider.css", self.style),
            web.post("/token", self.exchange),
            web.get("/userinfo", self.describe_user),
        ]

    async def explain(self, _request: web.Request) -> web.Response:
        return _page("<h1>Demo provider</h1>\n<p>Apps lead people here to sign in. Nobody does so by this page.</p>")

    async def ask(self, request: web.Request) -> web.Response:
        """Ask for an address and a name, and for nothing else."""
        query = request.query
        if fault := _fault(query, self._client):
            return _refusal(fault)
        hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(query.get(name, ""))}">' for name in _KEPT)
        return _page(_read("form.html").replace("{{hidden}}", hidden))

    async def decide(self, request: web.Request) -> web.Response:
        """Lead back to the client, with a code for whoever was typed, or with the refusal."""
        form = await _form(request)
        if fault := _fault(form, self._client):
            return _refusal(fault)
        email, back = form.get("email", "").strip().lower(), {"state": form.get("state", ""), "iss": self._issuer}
        if "cancel" in form or not email:
            back["error"] = "access_denied"
        else:
            back["code"] = self._grants.issue_code(
                email=email,
                name=form.get("name", "").strip(),
                nonce=form.get("nonce", ""),
                challenge=form["code_challenge"],
            )
        raise web.HTTPSeeOther(f"{self._client.redirect_uri}?{urlencode(back)}")

    async def exchange(self, request: web.Request) -> web.Response:
        """Exchange a code for tokens."""
        form = await _form(request)
        if not _is_client(request.headers.get("Authorization", ""), self._client):
            return _json({"error": "invalid_client"}, status=401)
        if form.get("grant_type") != "authorization_code":
            return _json({"error": "unsupported_grant_type"}, status=400)
        answer = self._grants.exchange(form)
        return _json(answer) if answer else _json({"error": "invalid_grant"}, status=400)

    async def describe_user(self, request: web.Request) -> web.Response:
        user = self._grants.find_user(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return _json(user) if user else _json({"error": "invalid_token"}, status=401)

    async def discover(self, _request: web.Request) -> web.Response:
        return _json(_metadata(self._issuer))

    async def show_keys(self, _request: web.Request) -> web.Response:
        return _json(self._grants.public_keys())

    async def style(self, _request: web.Request) -> web.Response:
        return web.Response(text=_read("provider.css"), content_type="text/css", headers=EVERYWHERE)


def _metadata(issuer: str) -> dict[str, object]:
    """Make the discovery document (OpenID Connect Discovery, 3)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


def _fault(query: Mapping[str, str], client: Client) -> str:
    """Describe why nobody is sent back; "" for a request of our client as the standards have it."""
    if query.get("client_id") != client.id:
        return "The client is unknown."
    if query.get("redirect_uri") != client.redirect_uri:
        return "The redirect_uri is not that of the client."
    if query.get("response_type") != "code" or "openid" not in query.get("scope", "").split():
        return "It asks for no code with the scope openid."
    if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
        return "It has no code_challenge by S256."
    return ""


def _is_client(header: str, client: Client) -> bool:
    """Check client id and secret (RFC 6749, 2.3.1)."""
    try:
        given = base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
    except ValueError:
        return False
    name, _, secret = given.partition(":")
    return unquote_plus(name) == client.id and hmac.compare_digest(
        unquote_plus(secret).encode(), client.secret.encode()
    )


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.post()).items()}


def _read(name: str) -> str:
    return (_PAGES / name).read_text(encoding="utf-8")


def _refusal(fault: str) -> web.Response:
    return _page(f"<h1>This request can't be served</h1>\n<p>{escape(fault)}</p>", status=400)


def _page(body: str, *, status: int = 200) -> web.Response:
    html = _read("page.html").replace("{{body}}", body)
    headers = {**EVERYWHERE, "Content-Security-Policy": _POLICY}
    return web.Response(text=html, status=status, content_type="text/html", headers=headers)


def _json(facts: object, *, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(facts), status=status, content_type="application/json", headers=EVERYWHERE)
