"""A provider of the tests: OpenID Connect by the standard, or hostile by script; and GitHub, Discord and Facebook.

async with IdentityProvider() as provider:
    await provider.register(pool, ring, "shop")
    ... users sign in at provider.url; provider.user says who they are
"""

import asyncio
import base64
import hashlib
import html
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret
from service.db import Executor
from service.identity_providers.profiles import Endpoints
from service.identity_providers.provider import Provider
from service.store import projects, providers

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CLIENT_ID, CLIENT_SECRET = "client of the shop", "not+so/secret: äh"
ANN = {"sub": "user-1", "email": "ann@example.com", "email_verified": True, "name": "Ann"}
# Making one takes a while; a key opens nothing but these tests.
_RSA = [rsa.generate_private_key(65537, 2048) for _ in range(2)]


@dataclass
class SigningKey:
    """A key of the provider, as its JWKS shows it under `kid`."""

    kid: str
    private: Any
    algorithm: str = "RS256"

    @property
    def public(self) -> dict[str, Any]:
        maker = jwt.get_algorithm_by_name(self.algorithm)
        found = json.loads(maker.to_jwk(self.private.public_key()))
        return {"kid": self.kid, "use": "sig", "alg": self.algorithm} | {
            k: v for k, v in found.items() if k != "key_ops"
        }


def rsa_key(kid: str, number: int = 0) -> SigningKey:
    return SigningKey(kid, _RSA[number])


def ec_key(kid: str) -> SigningKey:
    return SigningKey(kid, ec.generate_private_key(ec.SECP256R1()), "ES256")


# Of a form_post's page.
_FIELD = re.compile(r'name="([^"]*)" value="([^"]*)"')


@dataclass
class Grant:
    """The request and the user that an authorization code stands for."""

    query: dict[str, str]
    user: dict[str, Any] = field(repr=False)


@dataclass
class IdentityProvider:
    """The provider. `user` are the claims of whoever signs in next; a claim that is None is left out.

    `claims` and `header` change ID tokens, `discovery` the discovery document. `answers` takes another handler for a
    path, such as `hostile.html`; `calls` lists the paths that were asked for, in order.
    """

    user: dict[str, Any] = field(default_factory=lambda: dict(ANN))
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    # Userinfo only, as many providers have it.
    sparse: bool = False
    keys: list[SigningKey] = field(default_factory=lambda: [rsa_key("first")])
    cache_control: str = ""
    # Apple's way: its clients have no secret, but sign one with the private key of this public one.
    client_key: Any = field(default=None, repr=False)
    # Further fields of a form_post, such as the name that Apple tells once.
    form: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Handler] = field(default_factory=dict)
    # Seconds before each answer.
    delay: float = 0.0
    calls: list[str] = field(default_factory=list)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    # Of GitHub's user; the second is another one that is not the primary.
    emails: list[dict[str, Any]] = field(default_factory=list)
    now: Callable[[], float] = time.time
    port: int = 0
    _codes: dict[str, Grant] = field(default_factory=dict, repr=False)
    _refreshes: dict[str, Grant] = field(default_factory=dict, repr=False)
    _accesses: dict[str, Grant] = field(default_factory=dict, repr=False)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        return self.url

    async def __aenter__(self) -> Self:
        app = web.Application()
        for method, path, handler in (
            ("GET", "/.well-known/openid-configuration", self._discover),
            ("GET", "/jwks", self._jwks),
            ("GET", "/authorize", self._authorize),
            ("POST", "/token", self._token),
            ("GET", "/userinfo", self._userinfo),
            ("GET", "/github/user", self._github_user),
            ("GET", "/github/user/emails", self._github_emails),
            ("GET", "/discord/users/@me", self._discord_user),
            ("GET", "/facebook/me", self._facebook_user),
        ):
            app.router.add_route(method, path, self._scripted(path, handler))
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def register(
        self,
        conn: Executor,
        ring: KeyRing,
        project_id: str,
        name: str = "oidc",
        *,
        secret: str = CLIENT_SECRET,
        **changes: Any,
    ) -> None:
        """Make it a provider of a project, which is allowed http to this machine; `changes` are columns."""
        await projects.change(conn, project_id, plain_http=True)
        facts = {"enabled": True, "client_id": CLIENT_ID, "trust_email": True, "issuer": self.issuer}
        await providers.save(conn, project_id, name, **facts | self._adapter(name) | changes)
        await providers.set_secret(conn, ring, project_id, name, secret=Secret(secret))

    def settings(self, name: str = "oidc", **changes: Any) -> Provider:
        """Make a provider of the shop without a database."""
        adapter = self._adapter(name)
        own = Endpoints(
            authorization=adapter.get("authorization_endpoint", ""),
            token=adapter.get("token_endpoint", ""),
            userinfo=adapter.get("userinfo_endpoint", ""),
        )
        facts = {
            "client_secret": Secret(CLIENT_SECRET),
            "trust_email": True,
            "native": True,
            "issuer": self.issuer,
            "endpoints": own,
            "plain_http": True,
        }
        return Provider("shop", name, enabled=True, client_id=CLIENT_ID, **facts | changes)

    def _adapter(self, name: str) -> dict[str, str]:
        """Columns of a provider without discovery."""
        paths = {"github": "/github/user", "discord": "/discord/users/@me", "facebook": "/facebook/me"}
        if name not in paths:
            return {}
        return {
            "authorization_endpoint": self.url + "/authorize",
            "token_endpoint": self.url + "/token",
            "userinfo_endpoint": self.url + paths[name],
        }

    async def sign_in(self, url: str) -> dict[str, str]:
        """Sign in at the address that the service has sent a user to; return what the callback would get."""
        async with ClientSession() as session, session.get(url, allow_redirects=False) as answer:
            page = await answer.text()
            if answer.status == 200:
                return {name: html.unescape(value) for name, value in _FIELD.findall(page)}
            assert answer.status == 302, page
            return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def id_token(self, *, key: SigningKey | None = None, algorithm: str = "", **claims: Any) -> str:
        """Sign a token for `user`; a claim or a field of the header that is None is left out."""
        key = key or self.keys[0]
        now = int(self.now())
        facts = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300} | self.user | self.claims | claims
        header = {"kid": key.kid} | self.header
        return jwt.encode(
            {name: value for name, value in facts.items() if value is not None},
            key.private,
            algorithm=algorithm or key.algorithm,
            headers={name: value for name, value in header.items() if value is not None},
        )

    def rotate(self, key: SigningKey) -> None:
        """Sign by another key, and forget the earlier ones."""
        self.keys = [key]

    def _scripted(self, path: str, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.calls.append(path)
            await asyncio.sleep(self.delay)
            return await self.answers.get(path, handler)(request)

        return answer

    async def _discover(self, _request: web.Request) -> web.Response:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": self.url + "/authorize",
            "token_endpoint": self.url + "/token",
            "userinfo_endpoint": self.url + "/userinfo",
            "jwks_uri": self.url + "/jwks",
            "authorization_response_iss_parameter_supported": True,
        } | self.discovery
        return web.json_response({name: value for name, value in document.items() if value is not None})

    async def _jwks(self, _request: web.Request) -> web.Response:
        headers = {"Cache-Control": self.cache_control} if self.cache_control else {}
        return web.json_response({"keys": [key.public for key in self.keys]}, headers=headers)

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            return web.Response(status=400, text="not a request of the shop")
        code = secrets.token_urlsafe(16)
        self._codes[code] = Grant(query, dict(self.user))
        back = {"code": code, "state": query.get("state", ""), "iss": self.issuer}
        if query.get("response_mode") == "form_post":
            return _form_post(query["redirect_uri"], back | self.form)
        raise web.HTTPFound(f"{query['redirect_uri']}?{urlencode(back)}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        self.token_requests.append(form)
        if not self._knows(*_client(request, form)):
            return web.json_response({"error": "invalid_client"}, status=401)
        grant = self._redeem(form)
        if grant is None:
            return web.json_response({"error": "invalid_grant", "error_description": str(form)}, status=400)
        access, refresh = f"access-{secrets.token_urlsafe(16)}", f"refresh-{secrets.token_urlsafe(16)}"
        self._accesses[access] = self._refreshes[refresh] = grant
        claims = {"sub": grant.user["sub"]} if self.sparse else grant.user
        left_out = {name: None for name in self.user if name not in claims}
        token = self.id_token(**left_out | claims | {"nonce": grant.query.get("nonce")} | self.claims)
        answer = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600}
        return web.json_response(answer | {"id_token": token})

    def _knows(self, client: str, secret: str) -> bool:
        """Check a client's secret, or the one that it has signed with its own key for this provider."""
        if self.client_key is None:
            return (client, secret) == (CLIENT_ID, CLIENT_SECRET)
        try:
            claims = jwt.decode(secret, self.client_key, algorithms=["ES256"], audience=self.issuer)
        except jwt.PyJWTError:
            return False
        return client == claims["sub"] == CLIENT_ID

    def _redeem(self, form: dict[str, str]) -> Grant | None:
        """Use a code or a refresh token up; both work once."""
        if form.get("grant_type") == "refresh_token":
            return self._refreshes.pop(form.get("refresh_token", ""), None)
        grant = self._codes.pop(form.get("code", ""), None)
        if grant is None or form.get("redirect_uri") != grant.query.get("redirect_uri"):
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return grant if grant.query.get("code_challenge", challenge) == challenge else None

    def _user(self, request: web.Request) -> dict[str, Any]:
        """Return the user of an access token."""
        grant = self._accesses.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if grant is None:
            raise web.HTTPUnauthorized(text="{}", content_type="application/json")
        return grant.user

    async def _userinfo(self, request: web.Request) -> web.Response:
        return web.json_response(self._user(request) | self.userinfo)

    async def _github_user(self, request: web.Request) -> web.Response:
        # The address of a profile is any that the user wrote there.
        return web.json_response({"id": 1, "login": "ann", "email": "boss@example.com"} | self._user(request))

    async def _github_emails(self, request: web.Request) -> web.Response:
        self._user(request)
        return web.json_response(self.emails)

    async def _discord_user(self, request: web.Request) -> web.Response:
        return web.json_response({"id": "80351110224678912", "username": "ann"} | self._user(request))

    async def _facebook_user(self, request: web.Request) -> web.Response:
        return web.json_response({"id": "10224678"} | self._user(request))


def _form_post(address: str, fields: dict[str, str]) -> web.Response:
    """Make the page that sends its reader on by POST (OAuth 2.0 Form Post Response Mode)."""
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
    )
    page = (
        f'<!doctype html><title>Going back</title><form method="post" action="{html.escape(address)}">{inputs}</form>'
        "<script>document.forms[0].submit()</script>"
    )
    return web.Response(text=page, content_type="text/html")


def _client(request: web.Request, form: dict[str, str]) -> tuple[str, str]:
    """Read client id and secret, from the header (RFC 6749, 2.3.1) or the form."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind != "Basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    name, _, secret = base64.b64decode(value).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)
