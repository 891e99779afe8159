"""The provider of `./dev run` for trying out sign-in by OpenID Connect."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import jwt
import pytest
from aiohttp import ClientResponse, ClientSession, encode_basic_auth

from devstack.identity_provider import Client, open_identity_provider
from devstack.servers import free_port

REDIRECT = "http://localhost:8080/v1/account/sessions/oauth2/callback/oidc-demo/demo"
VERIFIER = "a" * 43
REQUEST = {
    "client_id": "demo",
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "openid email profile",
    "state": 'state"><script>',
    "nonce": "nonce",
    "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    "code_challenge_method": "S256",
}
GRANT = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER}


@dataclass
class Provider:
    url: str
    http: ClientSession

    async def decide(self, **form: str) -> dict[str, str]:
        """Send the form of a person; returns what the callback gets."""
        answer = await self.http.post(f"{self.url}/authorize", data=REQUEST | form, allow_redirects=False)
        assert answer.status == 303, await answer.text()
        assert answer.headers["Location"].startswith(f"{REDIRECT}?")
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    async def exchange(self, code: str, *, secret: str = "s+/ecret", **changes: str) -> ClientResponse:
        headers = {"Authorization": encode_basic_auth("demo", quote_plus(secret))}
        return await self.http.post(f"{self.url}/token", data=GRANT | {"code": code} | changes, headers=headers)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    client = Client("demo", "s+/ecret", REDIRECT)
    async with open_identity_provider(issuer=url, client=client, port=port), ClientSession() as http:
        yield Provider(url, http)


async def test_a_person_is_whom_they_say(provider: Provider):
    """The page asks for an address and a name; the ID token, signed by a published key, has them and the nonce."""
    form = await provider.http.get(f"{provider.url}/authorize?{urlencode(REQUEST)}")
    assert form.status == 200
    assert 'value="state&quot;&gt;&lt;script&gt;"' in await form.text()
    back = await provider.decide(email=" Ann@Example.com ", name="Ann")
    assert (back["state"], back["iss"]) == (REQUEST["state"], provider.url)
    tokens = await (await provider.exchange(back["code"])).json()
    metadata = await (await provider.http.get(f"{provider.url}/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == provider.url
    keys = jwt.PyJWKSet.from_dict(await (await provider.http.get(metadata["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(tokens["id_token"])["kid"]]
    claims = jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience="demo", issuer=provider.url)
    user = {name: claims[name] for name in ("sub", "email", "email_verified", "name")}
    assert user == {"sub": user["sub"], "email": "ann@example.com", "email_verified": True, "name": "Ann"}
    assert claims["nonce"] == "nonce"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert await (await provider.http.get(metadata["userinfo_endpoint"], headers=bearer)).json() == user
    assert (await provider.http.get(metadata["userinfo_endpoint"])).status == 401


async def test_the_same_address_is_the_same_person(provider: Provider):
    """The subject depends on the address alone."""
    subjects = []
    for email in ("ann@example.com", "ANN@example.com", "bob@example.com"):
        tokens = await (await provider.exchange((await provider.decide(email=email))["code"])).json()
        subjects.append(jwt.decode(tokens["id_token"], options={"verify_signature": False})["sub"])
    assert subjects[0] == subjects[1] != subjects[2]


async def test_a_person_may_refuse(provider: Provider):
    """Cancelling leads back with the error of the standard, and without a code."""
    back = await provider.decide(email="", cancel="yes")
    assert back == {"state": REQUEST["state"], "iss": provider.url, "error": "access_denied"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", "other"), ("redirect_uri", "https://evil.example/"), ("response_type", "token"),
        ("scope", "email"), ("code_challenge", ""), ("code_challenge_method", "plain"),
    ],
)  # fmt: skip
async def test_a_wrong_request_leads_nowhere(provider: Provider, name: str, value: str):
    """A request that is not the client's own, or has no PKCE, is answered by a page, for the form as for the link."""
    wrong = REQUEST | {name: value, "email": "ann@example.com"}
    assert (await provider.http.get(f"{provider.url}/authorize?{urlencode(wrong)}")).status == 400
    assert (await provider.http.post(f"{provider.url}/authorize", data=wrong, allow_redirects=False)).status == 400


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"secret": "other"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"code_verifier": "b" * 43}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"redirect_uri": "http://localhost:8080/"}, 400, "invalid_grant"),
    ],
)
async def test_a_wrong_exchange_is_refused(provider: Provider, changes: dict[str, str], status: int, error: str):
    """A code is worth nothing without the client's secret, the verifier of its challenge and its redirect_uri."""
    code = (await provider.decide(email="ann@example.com"))["code"]
    refused = await provider.exchange(code, **changes)
    assert (refused.status, await refused.json()) == (status, {"error": error})


async def test_a_code_works_once(provider: Provider):
    """A code that was used, also wrongly, is gone."""
    code = (await provider.decide(email="ann@example.com"))["code"]
    assert (await provider.exchange(code)).status == 200
    assert (await provider.exchange(code)).status == 400
    other = (await provider.decide(email="ann@example.com"))["code"]
    assert (await provider.exchange(other, code_verifier="b" * 43)).status == 400
    assert (await provider.exchange(other)).status == 400
