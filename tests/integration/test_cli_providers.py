"""`python -m service providers …`."""

import io
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.cli.exit_codes import MISSING, UNWELL, WRONG
from service.db import Pool
from service.settings import Settings
from service.store import projects, providers, sealed_rows
from testkit import hostile_provider as hostile
from testkit.identity_provider import IdentityProvider
from tests.integration.conftest import Terminal

pytestmark = pytest.mark.usefixtures("project")
SECRET = "s3cret of the shop"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a command something to read."""

    def give(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return give


async def test_a_provider_from_nothing_to_enabled(type_: Terminal, pool: Pool, settings: Settings, stdin: Any):
    """Set up, enabled, shown, listed, disabled, deleted; the secret is never shown."""
    stdin(SECRET + "\n")
    made = await type_.json("providers", "set", "shop", "google", "--client-id", "id", "--client-secret")
    assert made == {
        "provider": "google", "enabled": False, "client_id": "id", "client_secret": True,
        "redirect_url": "http://localhost:8080/v1/account/sessions/oauth2/callback/google/shop",
        "native": False, "native_client_ids": [], "trust_email": False, "issuer": "https://accounts.google.com",
        "discovery_url": "", "authorization_endpoint": "", "token_endpoint": "", "jwks_uri": "",
        "userinfo_endpoint": "", "tenant": "", "team_id": "", "key_id": "", "scopes": [], "prompt": "",
        "max_age": None,
    }  # fmt: skip
    assert (await type_.json("providers", "enable", "shop", "google"))["enabled"] is True
    found = (await providers.list_all(pool, settings.key_ring, "shop"))[0]
    assert found.usable
    assert found.client_secret
    assert found.client_secret.reveal() == SECRET
    changed = await type_.json(
        "providers", "set", "shop", "google", "--scopes", "a, b,a", "--native", "on", "--native-client-ids", "ios",
        "--max-age", "60", "--prompt", "login consent",
    )  # fmt: skip
    assert (changed["scopes"], changed["native_client_ids"], changed["max_age"]) == (["a", "b"], ["ios"], 60)
    assert (await type_.json("providers", "set", "shop", "google", "--max-age", "none"))["max_age"] is None
    code, out, _ = await type_("providers", "list", "shop")
    assert (code, "google" in out, SECRET in out) == (0, True, False)
    assert (await type_.json("providers", "show", "shop", "google"))["client_secret"] is True
    assert (await type_.json("providers", "disable", "shop", "google"))["enabled"] is False
    assert await type_.json("providers", "delete", "shop", "google", "--yes") == {"deleted": "google"}
    assert (await type_("providers", "show", "shop", "google"))[0] == MISSING


async def test_the_secret_is_sealed_for_its_row(type_: Terminal, pool: Pool, settings: Settings, stdin: Any):
    """It stands nowhere in clear, is counted, and is encrypted anew after a rotation of keys."""
    stdin(SECRET)
    await type_.json("providers", "set", "shop", "github", "--client-id", "id", "--client-secret")
    row = await pool.fetchrow("select kid, sealed from providers")
    assert row[0] == "test"
    assert SECRET.encode() not in row[1]
    ring = {"new": b"n" * 32} | dict(settings.key_ring)
    assert [(each.purpose, each.kid, each.rows) for each in await sealed_rows.count(pool)] == [("provider", "test", 1)]
    assert await sealed_rows.reseal(pool, ring) == (1, [])
    found = (await providers.list_all(pool, {"new": ring["new"]}, "shop"))[0]
    assert found.client_secret
    assert found.client_secret.reveal() == SECRET


async def test_a_key_that_is_gone(pool: Pool, settings: Settings, caplog: pytest.LogCaptureFixture):
    """A secret that can't be opened makes the provider unusable, tells the operator, and breaks nothing else."""
    await providers.save(pool, "shop", "google", enabled=True, client_id="id")
    await IdentityProvider().register(pool, settings.key_ring, "shop", "google")
    found = (await providers.list_all(pool, {"other": b"o" * 32}, "shop"))[0]
    assert (found.client_secret, found.usable, found.audiences) == (None, False, ("client of the shop",))
    assert [record.event for record in caplog.records if hasattr(record, "event")] == ["provider.cannot_unseal"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nowhere",), "one of apple, auth0"), (("amazon",), "or oidc-NAME"), (("oidc-Company",), "or oidc-NAME"),
        (("google",), "nothing to change"), (("google", "--tenant", "common"), "--tenant is not for Google"),
        (("google", "--issuer", "https://evil.example"), "--issuer is not for Google"),
        (("google", "--trust-email", "on"), "--trust-email is not for Google"),
        (("github", "--native", "on"), "--native is not for GitHub"),
        (("microsoft", "--tenant", "contoso.com"), "a tenant's id"),
        (("apple", "--key-id", "a b"), "letters and digits"),
        (("oidc", "--issuer", "http://id.example.com"), "--issuer: it is not https"),
        (("oidc", "--issuer", "http://127.0.0.1:1"), "in a project with --plain-http on"),
        (("oidc", "--issuer", "https://a.example", "--jwks-uri", "https://a.example/jwks"), "go together"),
        (("oidc", "--discovery-url", "https://a@b.example"), "a user or a fragment"),
        (("oidc", "--prompt", "shout"), "select_account"), (("oidc", "--max-age", "-1"), "a whole number"),
        (("oidc", "--client-secret"), "the client secret has 1 to"),
        (("oidc", "--native-client-ids", "a b"), "comma-separated"),
        (("oidc", "--client-id", "a" * 256), "at most 255"),
    ],
)  # fmt: skip
async def test_settings_that_are_refused(type_: Terminal, pool: Pool, stdin: Any, words: tuple[str, ...], text: str):
    """2, with the reason; nothing is kept."""
    stdin("")
    code, _, err = await type_("providers", "set", "shop", *words)
    assert (code, text in err) == (WRONG, True), err
    assert await pool.fetch("select from providers") == []


async def test_a_provider_is_enabled_when_it_is_complete(type_: Terminal, pool: Pool, stdin: Any):
    """Enabling names what is missing; an enabled one can't be made incomplete."""
    await type_.json("providers", "set", "shop", "oidc-company", "--client-id", "id")
    code, _, err = await type_("providers", "enable", "shop", "oidc-company")
    assert (code, "--client-secret, --issuer" in err) == (WRONG, True), err
    stdin(SECRET)
    await type_.json(
        "providers", "set", "shop", "oidc-company", "--client-secret", "--issuer", "https://id.example.com/"
    )
    await type_.json("providers", "enable", "shop", "oidc-company")
    code, _, err = await type_("providers", "set", "shop", "oidc-company", "--client-id", "")
    assert (code, "an enabled provider needs --client-id" in err) == (WRONG, True), err
    assert (await pool.fetchrow("select client_id from providers"))[0] == "id"


async def test_http_of_this_machine(type_: Terminal, pool: Pool):
    """A project with --plain-http on may have a provider on this machine."""
    await projects.change(pool, "shop", plain_http=True)
    made = await type_.json("providers", "set", "shop", "keycloak", "--issuer", "http://localhost:8081/realms/shop")
    assert made["issuer"] == "http://localhost:8081/realms/shop"


@pytest.mark.parametrize("words", [("show",), ("enable",), ("disable",), ("check",), ("delete", "--yes")])
async def test_a_provider_that_is_not_there(type_: Terminal, words: tuple[str, ...]):
    """4 for an unknown project and for an unknown provider."""
    for project, text in (("nowhere", "no project nowhere"), ("shop", "shop has no provider google")):
        code, _, err = await type_("providers", words[0], project, "google", *words[1:])
        assert (code, text in err) == (MISSING, True), err


async def test_check_asks_the_provider(type_: Terminal, pool: Pool, settings: Settings):
    """A right setup is told with the redirect URL; discovery that can't be had is a failure with its reason."""
    async with IdentityProvider() as server:
        await server.register(pool, settings.key_ring, "shop", "oidc", trust_email=False)
        found = {row["about"]: row for row in await type_.json("providers", "check", "shop", "oidc")}
        assert {row["state"] for row in found.values()} == {"ok"}
        assert found["redirect URL"]["message"].endswith(":8080/v1/account/sessions/oauth2/callback/oidc/shop")
        assert "can be used: 1" in found["provider"]["message"]
        assert "--trust-email" in found["addresses"]["message"]
        server.answers["/.well-known/openid-configuration"] = hostile.html
        code, out, _ = await type_("providers", "check", "shop", "oidc")
        assert (code, "its answer is no JSON" in out) == (UNWELL, True), out


async def test_check_of_what_is_not_complete(type_: Terminal, pool: Pool):
    """Missing settings are named, and nobody is asked without an address."""
    await providers.save(pool, "shop", "okta", client_id="id")
    code, out, _ = await type_("providers", "check", "shop", "okta")
    assert code == UNWELL
    assert "still needed: --client-secret, --issuer" in out
    assert "no address to ask" in out


@pytest.mark.parametrize("fits", [True, False])
async def test_check_of_apples_key(type_: Terminal, pool: Pool, settings: Settings, fits: bool):
    """The private key is tried."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    async with IdentityProvider() as server:
        await server.register(
            pool, settings.key_ring, "shop", "apple", secret=key.decode() if fits else "none", team_id="T", key_id="K"
        )
        code, out, _ = await type_("providers", "check", "shop", "apple")
    assert (code, "private key can't be used" in out) == ((0, False) if fits else (UNWELL, True)), out


async def test_switches_of_the_project(type_: Terminal, pool: Pool):
    """Second factors after a provider's sign-in, and whether its tokens are shown."""
    assert [(await type_.json("projects", "show", "shop"))[name] for name in ("provider_mfa", "provider_tokens")] == [
        "ask", False,
    ]  # fmt: skip
    changed = await type_.json("projects", "set", "shop", "--provider-mfa", "trust", "--provider-tokens", "on")
    assert (changed["provider_mfa"], changed["provider_tokens"]) == ("trust", True)
    assert (await type_("projects", "set", "shop", "--provider-mfa", "maybe"))[0] == WRONG
