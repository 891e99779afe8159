"""Sign-in by npm's oidc-provider, which is no part of ours: set up as an operator does, walked as a person does."""

import asyncio
import base64
import hashlib
import json
import secrets
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
from aiohttp import encode_basic_auth

from testkit.drivers import Unfit, lacking
from testkit.oidc_provider import Person, oidc_provider, person
from testkit.patience import PATIENCE
from testkit.processes import ROOT, Process, lasting_port
from testkit.waiting import until
from tests.e2e.conftest import Deployment
from tests.sdk_compat.conftest import Start
from tests.sdk_compat.sdks import SDKS, Sdk

HOME, AGAIN, APP = "http://localhost/home", "http://localhost/again", "com.example.shop:/back"
SERVERS = [sdk for sdk in SDKS if sdk.modern and sdk.language != "web"]
PYTHON = next(sdk for sdk in SERVERS if sdk.language == "python")


@dataclass
class Shop:
    """The project `shop`, whose users may sign in by the provider. `url` is the service's, as the world knows it."""

    api: Process
    url: str
    issuer: str
    redirect_url: str
    secret: str = field(repr=False)

    def start(self, **query: str) -> str:
        """Make the address that a page of the shop leads its visitor to."""
        facts = {"project": "shop", "success": HOME, "failure": AGAIN, **query}
        return f"{self.url}/v1/account/sessions/oauth2/oidc?{urlencode(facts)}"

    async def sign_in(self, pia: Person) -> str:
        """Go all the way with a session at its end; return the callback's address, which has been used."""
        callback = await pia.go(self.start(), until=self.redirect_url)
        assert await pia.go(callback, until="http://localhost/") == HOME
        return callback

    async def session(self, pia: Person) -> dict[str, Any]:
        status, found = await pia.call("GET", f"{self.url}/v1/account/sessions/current")
        assert status == 200, found
        return dict(found)

    async def extend(self, pia: Person) -> tuple[int, Any]:
        return await pia.call("PATCH", f"{self.url}/v1/account/sessions/current")


async def command(environment: dict[str, str], *words: str, given: str = "") -> Any:
    """Type a command of `python -m service`, and read its JSON."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *words, "--json", cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(given.encode()), PATIENCE)
    assert process.returncode == 0, (words, out)
    return json.loads(out)


@pytest.fixture
async def shop(deployment: Deployment) -> AsyncIterator[Shop]:
    """Set the provider up by the commands of docs/sign-in-providers.md, in their order."""
    url = deployment.address.replace("127.0.0.1", "localhost")
    issuer, secret = f"http://127.0.0.1:{lasting_port()}", secrets.token_urlsafe(32)
    environment = deployment.environment | {"PUBLIC_URL": url}
    await command(environment, "projects", "set", "shop", "--plain-http", "on", "--provider-tokens", "on")
    # Without consent asked for this provider gives no refresh token.
    made = await command(
        environment, "providers", "set", "shop", "oidc", "--client-id", "shop", "--issuer", issuer, "--client-secret",
        "--trust-email", "on", "--scopes", "offline_access", "--prompt", "consent",
        "--native", "on", "--native-client-ids", "shop-app", given=secret,
    )  # fmt: skip
    grants = ["authorization_code", "refresh_token"]
    page = {
        "client_id": "shop",
        "client_secret": secret,
        "redirect_uris": [made["redirect_url"]],
        "grant_types": grants,
    }
    app = {
        "client_id": "shop-app", "application_type": "native", "redirect_uris": [APP],
        "token_endpoint_auth_method": "none",
    }  # fmt: skip
    try:
        async with oidc_provider(issuer, [page, app]):
            checked = await command(environment, "providers", "check", "shop", "oidc")
            assert "fail" not in {each["state"] for each in checked}, checked
            await command(environment, "providers", "enable", "shop", "oidc")
            shop = Shop(deployment.api, url, issuer, made["redirect_url"], secret)
            await until(lambda: _starts(shop))
            yield shop
    except Unfit as unfit:
        lacking(str(unfit))


async def _starts(shop: Shop) -> bool:
    """Tell whether the API has seen the change."""
    async with person("nobody") as visitor, visitor.browser.get(shop.start(), allow_redirects=False) as answer:
        return answer.status == 301


@pytest.fixture
async def pia() -> AsyncIterator[Person]:
    async with person("pia") as opened:
        yield opened


async def test_a_session(shop: Shop, pia: Person):
    """A new person comes back signed in, known by the provider's userinfo; the callback opens nothing twice."""
    callback = await shop.sign_in(pia)
    assert dict(parse_qsl(urlsplit(callback).query)).keys() == {"code", "state", "iss"}
    status, account = await pia.call("GET", f"{shop.url}/v1/account")
    assert status == 200, account
    assert (account["email"], account["emailVerification"]) == ("pia@example.com", True)
    assert account["name"] == "pia of the provider"
    session = await shop.session(pia)
    assert (session["provider"], session["providerUid"]) == ("oidc", "pia")
    assert session["providerAccessToken"]
    assert session["providerRefreshToken"]
    async with pia.browser.get(callback) as answer:
        assert (answer.status, answer.content_type) == (400, "text/html")
    assert (await shop.session(pia))["$id"] == session["$id"]


async def test_a_person_says_no(shop: Shop, pia: Person):
    """Cancelling there leads to the app's own page with the reason, and nobody is signed in."""
    address = await pia.go(shop.start(), until="http://localhost/", cancels=True)
    assert address.startswith(AGAIN)
    error = json.loads(dict(parse_qsl(urlsplit(address).query))["error"])
    assert (error["code"], error["type"]) == (424, "user_oauth2_provider_error")
    assert "access_denied" in error["message"]
    assert (await pia.call("GET", f"{shop.url}/v1/account"))[0] == 401


async def test_refresh_tokens_rotate(shop: Shop, pia: Person):
    """Each extension of the session exchanges the refresh token for the next one; no token, code or state is logged."""
    callback = await shop.sign_in(pia)
    seen = [await shop.session(pia)]
    for _ in range(3):
        status, extended = await shop.extend(pia)
        assert status == 200, extended
        seen.append(extended)
    assert len({each["providerRefreshToken"] for each in seen}) == 4
    assert len({each["providerAccessToken"] for each in seen}) == 4
    assert (await shop.session(pia))["providerRefreshToken"] == seen[-1]["providerRefreshToken"]
    back = dict(parse_qsl(urlsplit(callback).query))
    told = {each[f"provider{kind}Token"] for each in seen for kind in ("Access", "Refresh")}
    told |= {back["code"], back["state"]}
    assert shop.api.lines
    assert not [line for line in shop.api.lines if any(text in line for text in told)]


async def test_a_code_works_once(shop: Shop, pia: Person):
    """A spent code in a fresh flow is refused by the provider, and the session that it opened goes on."""
    spent = dict(parse_qsl(urlsplit(await shop.sign_in(pia)).query))
    before = await shop.session(pia)
    callback = urlsplit(await pia.go(shop.start(), until=shop.redirect_url))
    mixed = urlencode({**dict(parse_qsl(callback.query)), "code": spent["code"]})
    ended = await pia.go(urlunsplit(callback._replace(query=mixed)), until="http://localhost/")
    assert ended.startswith(AGAIN)
    error = json.loads(dict(parse_qsl(urlsplit(ended).query))["error"])
    assert (error["code"], error["type"]) == (424, "user_oauth2_provider_error")
    assert await shop.session(pia) == before
    assert (await shop.extend(pia))[0] == 200


async def test_a_stolen_refresh_token(shop: Shop, pia: Person):
    """Once a thief has used one again the provider takes none: the app is told, tokens go, the session stays."""
    await shop.sign_in(pia)
    stolen = (await shop.session(pia))["providerRefreshToken"]
    assert (await shop.extend(pia))[0] == 200
    form = {"grant_type": "refresh_token", "refresh_token": stolen}
    client = {"Accept": "application/json", "Authorization": encode_basic_auth("shop", shop.secret)}
    async with pia.browser.post(f"{shop.issuer}/token", data=form, headers=client) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")
    before = await shop.session(pia)
    status, refused = await shop.extend(pia)
    assert (status, refused["type"]) == (424, "user_oauth2_provider_error")
    after = await shop.session(pia)
    assert after["providerAccessToken"] == after["providerRefreshToken"] == ""
    assert after["expire"] == before["expire"]
    assert (await shop.extend(pia))[0] == 200


@pytest.mark.parametrize("sdk", SERVERS, ids=lambda sdk: sdk.language)
async def test_a_token_for_a_server(shop: Shop, pia: Person, start: Start, sdk: Sdk):
    """An app's server asks for the address, opens the session by the token, extends it, and removes the identity."""
    it = await start(sdk)
    it.speak(key=it.key)
    address = await it.works("createOAuth2Token", provider="oidc", success=f"{HOME}?begun=mine", failure=AGAIN)
    assert address.startswith(f"{shop.issuer}/auth?")
    ended = await pia.go(address, until="http://localhost/")
    assert ended.startswith(f"{HOME}?begun=mine&"), ended
    given = dict(parse_qsl(urlsplit(ended).query))
    proof = {"userId": given["userId"], "secret": given["secret"]}
    opened = await it.works("createSession", **proof)
    assert (opened["provider"], opened["providerUid"]) == ("oidc", "pia")
    await it.refused("createSession", 401, "user_invalid_token", **proof)
    it.speak(session=opened["secret"])
    assert (await it.works("get"))["email"] == "pia@example.com"
    extended = await it.works("updateSession", sessionId="current")
    assert extended["providerRefreshToken"] not in ("", opened["providerRefreshToken"])
    (identity,) = (await it.works("listIdentities"))["identities"]
    assert identity["providerAccessToken"] == extended["providerAccessToken"]
    await it.works("deleteIdentity", identityId=identity["$id"])


async def test_an_apps_own_sign_in(shop: Shop, pia: Person, start: Start):
    """An ID token that an app got by itself, as another client, opens the same person's account, once."""
    await shop.sign_in(pia)
    _, account = await pia.call("GET", f"{shop.url}/v1/account")
    it = await start(PYTHON)
    token, nonce = await id_token(shop, pia)
    invalid, proof = (401, "user_oauth2_token_invalid"), {"provider": "oidc", "idToken": token, "nonce": nonce}
    await it.refused("createIdTokenSession", *invalid, **proof | {"nonce": "another"})
    session = await it.works("createIdTokenSession", **proof)
    assert (session["userId"], session["providerUid"]) == (account["$id"], "pia")
    await it.refused("createIdTokenSession", *invalid, **proof)


async def id_token(shop: Shop, pia: Person) -> tuple[str, str]:
    """Sign in at the provider as the shop's app on a phone does; return the ID token and its nonce."""
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code", "client_id": "shop-app", "redirect_uri": APP, "scope": "openid email",
        "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    back = await pia.go(f"{shop.issuer}/auth?{urlencode(query)}", until=APP)
    form = {
        "grant_type": "authorization_code", "client_id": "shop-app", "redirect_uri": APP, "code_verifier": verifier,
        "code": dict(parse_qsl(urlsplit(back).query))["code"],
    }  # fmt: skip
    async with pia.browser.post(f"{shop.issuer}/token", data=form) as answer:
        found = await answer.json()
        assert answer.status == 200, found
    return found["id_token"], nonce
