"""Links of others that led to the attacker: by the request's headers, or by an address that two parsers read."""

from typing import Any

import pytest

from service.db import Pool
from service.links import redirect_policy
from service.settings import Settings
from testkit.api import Api
from testkit.outbox import claim as claim_mail
from worker.mail import compose

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}
HOSTS = ("app.example.com", "*.pages.example.com")


async def mailed(pool: Pool, settings: Settings) -> str:
    """The bytes that go out for the last mail."""
    row = await pool.fetchrow("select id from mails order by created_at desc, id desc limit 1")
    claim = await claim_mail(pool, row[0], worker="test", lease=30)
    assert claim is not None
    token = compose.token_of(claim)
    return compose.compose(
        claim, token, settings.key_ring, sender="no-reply@accounts.test", public_url="http://localhost:8080"
    ).decode()


async def asked_with(api: Api, pool: Pool, settings: Settings, path: str, headers: dict[str, str]) -> None:
    await pool.execute("delete from mails")
    answer = await api.call("POST", f"/v1/account/{path}", json=ASK | {"userId": "unique()"}, headers=headers)
    if answer.status == 403:
        assert (await pool.fetchrow("select count(*) from mails"))[0] == 0
        return
    assert answer.status == 201, answer.data
    assert "evil" not in await mailed(pool, settings)


@pytest.mark.advisory("GHSA-2wmj-46rj-qm2w")
@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-Host": "evil.test"}, {"Forwarded": "host=evil.test"}, {"X-Forwarded-Proto": "evil"}],
    ids=str,
)
async def test_forwarded_headers_make_no_link(
    api: Api, pool: Pool, settings: Settings, ann: str, headers: dict[str, str]
):
    """Zitadel built reset links from forwarding headers. Here they come from PUBLIC_URL and the checked address."""
    await asked_with(api, pool, settings, "recovery", headers)


@pytest.mark.advisory("GHSA-3529-5m8x-rpv3")
async def test_the_host_makes_no_link(api: Api, pool: Pool, settings: Settings, ann: str):
    """The class of: Supabase's auth server mailed links to the host that the request named. Here Host changes none."""
    for path in ("recovery", "tokens/email"):
        await asked_with(api, pool, settings, path, {"Host": "evil.test", "X-Forwarded-Host": "evil.test"})


@pytest.mark.advisory("CVE-2026-93453")
@pytest.mark.parametrize("name", ["Origin", "Referer"])
async def test_the_origin_makes_no_link(api: Api, pool: Pool, settings: Settings, ann: str, name: str):
    """SOGo made the link of a reset from the Origin. Here a strange origin is refused, or changes nothing."""
    await asked_with(api, pool, settings, "recovery", {name: "http://evil.test/"})


def refuse(url: str, hosts: Any = HOSTS) -> None:
    with pytest.raises(ValueError, match="URL"):
        redirect_policy.check(url, hosts)


@pytest.mark.advisory("CVE-2025-27143")
@pytest.mark.parametrize(
    "url",
    ["//evil.test", "/\\evil.test", "\\\\evil.test", "https:evil.test", "https:/evil.test", "https:///evil.test",
     "/%2f/evil.test", "///evil.test", "https:\\\\evil.test", "\thttps://evil.test", "ht\ntps://evil.test"],
    ids=ascii,
)  # fmt: skip
def test_half_an_address_is_none(url: str):
    """Better Auth's check of a callback took addresses without a scheme for paths. Here only whole ones pass."""
    refuse(url)


@pytest.mark.advisory("CVE-2024-56734")
@pytest.mark.parametrize(
    "url",
    ["https://app.example.com.evil.test/", "https://app.example.comevil.test", "https://evil.test/app.example.com",
     "https://evil-app.example.com", "https://app.example.com@evil.test", "https://evil.test?app.example.com",
     "https://evil.test#app.example.com", "https://xapp.example.com"],
)  # fmt: skip
def test_a_prefix_is_no_host(url: str):
    """Better Auth compared the beginning of the address. Here the host is compared, as a whole."""
    refuse(url)


@pytest.mark.advisory("CVE-2025-71403")
@pytest.mark.parametrize(
    "url",
    ["https://a.pages.example.com.evil.test", "https://evil.test/.pages.example.com", "https://pages.example.com",
     "https://.pages.example.com", "https://evil.test%2f.pages.example.com", "https://evil.test\\.pages.example.com",
     "https://evil.test%00.pages.example.com", "https://xn--a.pages.example.com", "https://a..pages.example.com"],
    ids=ascii,
)  # fmt: skip
def test_a_wildcard_is_labels_of_a_host(url: str):
    """The class of: a wildcard among trusted origins that matches across the end of a host. Here it is labels."""
    refuse(url)
    assert redirect_policy.check("https://a.b.pages.example.com/x", HOSTS)


@pytest.mark.advisory("PYSEC-2021-123")
@pytest.mark.parametrize(
    "url",
    ["https://evil.test\\@app.example.com/", "https://evil.test\\.app.example.com", "https:\\\\evil.test/",
     "https://app.example.com\\@evil.test/", "https://app.example.com\\evil.test",
     "https://app.example.com:80\\@evil.test", "https://user:pass@app.example.com/"],
    ids=ascii,
)  # fmt: skip
def test_a_backslash_is_refused(url: str):
    """The class of: Python's parser and the browser read another host beside a backslash or a user name."""
    refuse(url)
