"""Sign-in by a provider in the walks: a page goes there and comes back, a server has its browser go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import ClientSession, DummyCookieJar

from service.db import Pool
from service.store import identities, users
from service.store.identities import Subject
from testkit.identity_provider import IdentityProvider
from testkit.waiting import until
from tests.sdk_compat.walk import Walk

_OWN = "http://localhost:8080"
_BACK = "http://localhost/back"


@asynccontextmanager
async def _pool(it: Walk) -> AsyncIterator[Pool]:
    pool = Pool(it.deployment.environment["DATABASE_URL"], size=1, name="test")
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def provider_of(it: Walk) -> AsyncIterator[IdentityProvider]:
    """Set a provider up for the shop, as `oidc`, and wait until the service has seen it."""
    name, _, key = it.deployment.environment["SECRET_KEYS"].partition(":")
    async with IdentityProvider() as provider, _pool(it) as pool:
        provider.user |= {"sub": f"user of {it.sdk.name}", "email": "pia@example.com"}
        await provider.register(pool, {name: bytes.fromhex(key)}, "shop", native=True)

        async def seen() -> bool:
            address = f"{it.deployment.address}/v1/account/sessions/oauth2/oidc?project=shop"
            async with ClientSession() as client, client.get(address, allow_redirects=False) as answer:
                return answer.status == 301

        await until(seen)
        yield provider


async def walk(it: Walk) -> None:
    """Sign in, extend the session, and take the provider off the account again."""
    async with provider_of(it) as provider:
        await _on_a_phone(it, provider)
        if it.in_browser:
            await _in_a_browser(it)
        else:
            await _on_a_server(it, provider)
    assert (await it.works("get"))["email"] == "pia@example.com"
    session = await it.works("updateSession", sessionId="current")
    assert session["provider"] == "oidc"
    listed = await it.works("listIdentities")
    assert [each["provider"] for each in listed["identities"]] == ["oidc"]
    await it.works("deleteIdentity", identityId=listed["identities"][0]["$id"])
    await it.works("deleteSession", sessionId="current")
    it.speak(key=it.key)


async def _on_a_phone(it: Walk, provider: IdentityProvider) -> None:
    """Sign in with an ID token, which the system of a phone would give to the app."""
    if not it.has("createIdTokenSession"):
        return
    token = {"provider": "oidc", "idToken": provider.id_token(nonce="n1"), "nonce": "n1"}
    session = await it.works("createIdTokenSession", **token, accessToken="a", accessTokenExpiry=3600)
    assert session["provider"] == "oidc"
    if not it.in_browser:
        it.speak(session=session["secret"])
    assert (await it.works("get"))["email"] == "pia@example.com"
    await it.works("deleteSession", sessionId="current")
    it.speak(key=it.key)


async def _in_a_browser(it: Walk) -> None:
    """First with a session, then with a token, which the page opens one with."""
    there = {"provider": "oidc", "success": f"{it.page}?done", "failure": f"{it.page}?failed"}
    for method in ("createOAuth2Session", "createOAuth2Token"):
        if not it.has(method):
            continue
        address = await it.follows(method, front=_OWN, **there)
        assert address.startswith(f"{it.page}?done"), address
        if method == "createOAuth2Token":
            proof = dict(parse_qsl(urlsplit(address).query))
            await it.works("createSession", userId=proof["userId"], secret=proof["secret"])
        if method == "createOAuth2Session" and it.has("createOAuth2Token"):
            assert (await it.works("get"))["email"] == "pia@example.com"
            await it.works("deleteSession", sessionId="current")


async def _on_a_server(it: Walk, provider: IdentityProvider) -> None:
    """The server asks for the address with its key; the browser that it sends there has no cookie of the service."""
    address = await it.works("createOAuth2Token", provider="oidc", success=_BACK, failure=_BACK)
    back = await provider.sign_in(address)
    callback = f"{it.deployment.address}/v1/account/sessions/oauth2/callback/oidc/shop?{urlencode(back)}"
    async with ClientSession(cookie_jar=DummyCookieJar()) as browser:
        async with browser.get(callback, allow_redirects=False) as answer:
            handed = answer.headers["Location"]
        async with browser.get(f"{it.deployment.address}{handed}", allow_redirects=False) as answer:
            ended = answer.headers["Location"]
    proof = dict(parse_qsl(urlsplit(ended).query))
    assert ended.startswith(_BACK), ended
    session = await it.works("createSession", userId=proof["userId"], secret=proof["secret"])
    it.speak(session=session["secret"])


async def add_identity(it: Walk, user_id: str) -> str:
    """Give a user an account at a provider, and return the identity's id."""
    async with _pool(it) as pool:
        user = await users.find(pool, "shop", user_id=user_id)
        assert user
        subject = Subject("oidc", "https://id.example.com", user_id)
        made = await identities.create(pool, user, subject, email="", email_verified=False)
        assert made
    return made.id


async def walk_legacy(it: Walk) -> None:
    """The one method that SDKs of the API document have, in a browser."""
    async with provider_of(it):
        there = {"provider": "oidc", "success": f"{it.page}?done", "failure": f"{it.page}?failed"}
        address = await it.follows("createOAuth2Session", front=_OWN, **there)
        assert address.startswith(f"{it.page}?done"), address
    assert (await it.works("get"))["email"] == "pia@example.com"
    await it.works("deleteSessions")
