"""Limits of others that were walked around."""

import asyncio
from ipaddress import IPv6Address
from typing import Any

import pytest

from service.db import Pool
from service.http import client_info
from service.store.tokens import Kind
from testkit.api import Api
from testkit.proofs import ANN, WAYS, Post, use

pytestmark = [pytest.mark.usefixtures("cheap", "patient")]
*_, CODE = WAYS[:6]
GUESS = {"email": ANN, "password": "wrong horse"}


async def knock(api: Api, *headers: Any) -> list[int]:
    """Sign-ups that can't succeed, each with its own headers: ten an hour and address are heard."""
    return [(await api.call("POST", "/v1/account", json={}, headers=own)).status for own in headers]


@pytest.mark.advisory("GHSA-x732-6j76-qmhm")
async def test_a_spelling_is_no_new_key(api: Api):
    """The class of: a limit's key that changes with case, path or query. Here all spellings are one window."""
    statuses = []
    for number in range(12):
        path = ("/v1/account/sessions", "/v1/account/sessions/email", f"/v1/account/sessions?{number}")[number % 3]
        email = ("ann@example.com", "ANN@example.com", "Ann@EXAMPLE.com", "ann+a@example.com")[number % 4]
        answer = await api.call("POST", path, json=GUESS | {"email": email}, headers={"Host": f"h{number}"})
        statuses.append(answer.status)
    assert statuses == [401] * 10 + [429] * 2


@pytest.mark.advisory("CVE-2023-36456")
async def test_what_a_client_says_of_itself_is_not_believed(api: Api):
    """The caller's address was taken from a header (authentik). Here without a proxy it is the socket's."""
    said = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(12)]
    assert await knock(api, *said) == [400] * 10 + [429] * 2


@pytest.mark.advisory("django-allauth 65.14.2")
async def test_other_headers_are_not_believed_either(api: Api):
    """The class of: django-allauth's limits by a spoofed address. Here no other header names the caller."""
    names = ("X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "X-Cluster-Client-IP")
    said = [{name: f"for=198.51.100.{number}" if name == "Forwarded" else f"198.51.100.{number}" for name in names}
            for number in range(12)]  # fmt: skip
    assert await knock(api, *said) == [400] * 10 + [429] * 2


@pytest.mark.advisory("CVE-2026-111934")
async def test_the_proxys_own_word_counts(behind: Api):
    """The class of: the first of several forwarded addresses taken for the client's. Here the trusted hop's is."""
    said = [{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.9"} for number in range(12)]
    assert await knock(behind, *said) == [400] * 10 + [429] * 2


@pytest.mark.advisory("CVE-2026-11922")
async def test_garbage_is_no_address(behind: Api):
    """The class of: what is no address makes a window of its own. Here the socket's address counts then."""
    garbage = (
        "x",
        "1.2.3",
        "1.2.3.4.5",
        "::g",
        "a" * 300,
        "127.0.0.1:80",
        "-",
        "0x7f.1",
        "1.2.3.4/8",
        "[::1",
        "%",
        ",",
    )
    said = [{"X-Forwarded-For": text} for text in garbage]
    assert await knock(behind, *said) == [400] * 10 + [429] * 2


@pytest.mark.advisory("CVE-2026-45364")
async def test_a_64_is_one_client(behind: Api):
    """The class of: each of a customer's 2**64 addresses with a limit of its own. Here a /64 is one, however spelt."""
    base = int(IPv6Address("2001:db8:1:2::"))
    said = [{"X-Forwarded-For": str(IPv6Address(base + number * 7919**3))} for number in range(12)]
    assert await knock(behind, *said) == [400] * 10 + [429] * 2
    assert client_info.networks_of("::ffff:192.0.2.1") == client_info.networks_of("192.0.2.1")


@pytest.mark.advisory("GHSA-7h8m-vrxx-vr4m")
async def test_guesses_at_once_are_counted(api: Api, ann: str):
    """Zitadel checked the count and raised it after the password was tried: at once many were. Here ten are heard."""
    answers = await asyncio.gather(
        *(api.call("POST", "/v1/account/sessions", json=GUESS) for _ in range(40)),
    )
    assert sorted(answer.status for answer in answers) == [401] * 10 + [429] * 30


@pytest.mark.advisory("CVE-2025-64102")
async def test_codes_are_not_guessed_at_once(api: Api, pool: Pool, ann: str, post: Post):
    """Zitadel let second-factor codes be guessed without end. Here five guesses at once, or in a row, end a code."""
    proof = await post.issue(Kind.OTP, ann)
    wrong = [f"{(int(proof.secret) + number) % 1_000_000:06}" for number in range(1, 21)]
    await asyncio.gather(*(use(api, CODE, proof, body={"secret": guess}) for guess in wrong))
    assert (await pool.fetchrow("select attempts from tokens"))[0] == 5
    assert (await use(api, CODE, proof)).status == 429
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0


@pytest.mark.advisory("CVE-2026-33640")
async def test_codes_are_not_guessed_from_everywhere(behind: Api, pool: Pool, ann: str, post: Post):
    """The class of: a mailed code limited by client address only. Here its own counter ends it, whoever guesses."""
    proof = await post.issue(Kind.OTP, ann)
    for number in range(1, 8):
        guess = {"secret": f"{(int(proof.secret) + number) % 1_000_000:06}"}
        away = {"X-Forwarded-For": f"203.0.{number}.1"}
        assert (await use(behind, CODE, proof, body=guess, headers=away)).status == 401
    assert (await use(behind, CODE, proof, headers={"X-Forwarded-For": "203.0.99.1"})).status == 401


@pytest.mark.advisory("django-allauth 65.8.1")
async def test_ones_own_success_frees_nothing(api: Api, ann: str):
    """django-allauth's limit was cleared by a login of the attacker's own. Here it clears nobody's window."""
    await api.sign_up("eve@evil.example")
    statuses = []
    for _ in range(12):
        statuses.append((await api.call("POST", "/v1/account/sessions", json=GUESS)).status)
        await api.call("POST", "/v1/account/sessions", json={"email": "eve@evil.example", "password": "correct horse"})
    assert statuses == [401] * 10 + [429] * 2


@pytest.mark.advisory("GHSA-277c-prw2-rqgh")
async def test_a_mailbox_is_not_flooded(behind: Api, pool: Pool, ann: str):
    """Budibase sent a reset mail for every request. Here a mailbox gets ten an hour, over all routes and spellings."""
    for number in range(60):
        path, more = (("recovery", {"url": "http://localhost/x"}), ("sessions/magic-url", {}),
                      ("tokens/email", {"userId": "unique()"}))[number % 3]  # fmt: skip
        body = {"email": (ANN, ANN.upper(), f"ann+{number}@example.com")[number % 3 - number % 2], **more}
        await behind.call("POST", f"/v1/account/{path}", json=body, headers={"X-Forwarded-For": f"198.51.{number}.1"})
    assert (await pool.fetchrow("select count(*) from mails"))[0] <= 10
