"""`python -m service sms`, and the settings of projects for phones."""

import json
from uuid import UUID

import pytest

from service.cli.exit_codes import MISSING
from service.cli.mails.output import REFUSED
from service.crypto.key_derivation import sms_keys
from service.db import Pool
from service.settings import InvalidSettings, Settings
from service.store import projects, sms, tokens, user_phones
from service.store.tokens import Kind
from service.store.unit_of_work import unit_of_work
from testkit.phones import ANN, BOB
from tests.integration.conftest import Terminal


async def owed(pool: Pool, settings: Settings, phone: str = ANN) -> UUID:
    async with unit_of_work(pool, None) as tx:
        kid = next(iter(settings.key_ring))
        token = await tokens.issue(
            tx, "shop", kind=Kind.PHONE_LOGIN, email=phone, requested_user_id="ann", kid=kid, seconds=600
        )
        return await sms.enqueue(tx, token, locale="en")


async def test_sms_are_listed_and_shown(type_: Terminal, pool: Pool, settings: Settings, project: projects.Project):
    """Numbers are masked unless they are asked for; states and projects narrow."""
    first, second = await owed(pool, settings), await owed(pool, settings, BOB)
    await pool.execute("update sms set state = 'failed', last_fault = 'refused', ended_at = now() where id = $1", first)
    listed = await type_.json("sms", "list")
    assert [(each["id"], each["recipient"]) for each in listed] == [
        (str(second), "+49*********21"), (str(first), "+49*********78"),
    ]  # fmt: skip
    assert [each["id"] for each in await type_.json("sms", "list", "--state", "failed")] == [str(first)]
    assert [each["id"] for each in await type_.json("sms", "list", "--after", str(second))] == [str(first)]
    assert (await type_.json("sms", "show", str(first), "--recipients"))["recipient"] == ANN
    counted = {each["state"]: each["count"] for each in await type_.json("sms", "status", "--project", "shop")}
    assert counted == {"pending": 1, "failed": 1}
    code, _, err = await type_("sms", "show", "0199c0de-0000-7000-8000-000000000000")
    assert (code, "no SMS" in err) == (4, True)
    assert (await type_("sms", "list", "--project", "none"))[0] == 4


async def test_sms_are_retried_and_cancelled(
    type_: Terminal, pool: Pool, settings: Settings, project: projects.Project
):
    """A failed one whose code lives gets one more send; others are named with the reason, and another exit code."""
    failed, dead, waiting = await owed(pool, settings), await owed(pool, settings), await owed(pool, settings)
    await pool.execute("update sms set state = 'failed', sends = 4, ended_at = now() where id <> $1", waiting)
    await pool.execute("update sms set deadline_at = now() where id = $1", dead)
    code, out, _ = await type_("sms", "retry", str(failed), str(dead), "--json")
    assert (code, json.loads(out)["refused"]) == (REFUSED, [f"{dead}: it is failed, and its code works no more"])
    row = await pool.fetchrow("select state, sends, ended_at from sms where id = $1", failed)
    assert tuple(row) == ("pending", 2, None)
    done = await type_.json("sms", "cancel", str(waiting), "--yes")
    assert done == {"cancelled": [str(waiting)], "refused": []}
    assert (await pool.fetchrow("select state from sms where id = $1", waiting))[0] == "cancelled"
    nobody = "0199c0de-0000-7000-8000-000000000000"
    code, out, _ = await type_("sms", "cancel", str(dead), nobody, "--yes", "--json")
    told = [f"{dead}: it has ended as failed", f"{nobody}: there is no such SMS"]
    assert (code, json.loads(out)["refused"]) == (MISSING, told)


async def test_the_signing_key_is_shown(type_: Terminal, settings: Settings):
    """For the webhook; one for each of SECRET_KEYS."""
    assert await type_.json("sms", "key") == [
        {"key": kid, "signs_with": key} for kid, key in sms_keys(settings.key_ring).items()
    ]


async def test_projects_say_where_sms_go(type_: Terminal, pool: Pool, project: projects.Project):
    """Beginnings of numbers, each once; none for none."""
    for text, kept in (("+49, +43,+49", ["+49", "+43"]), ("+1787", ["+1787"]), ("none", []), ("", [])):
        assert (await type_.json("projects", "set", "shop", "--sms-countries", text))["sms_countries"] == kept
    for text in ("49", "+0", "+49 151", "all", "+12345678"):
        assert (await type_("projects", "set", "shop", "--sms-countries", text))[0] == 2


async def test_numbers_for_tests_are_nobodys(type_: Terminal, pool: Pool, project: projects.Project):
    """Ten at most, each with six digits. A number that a user has proved is refused: its code would open it."""
    shown = await type_.json("projects", "set", "shop", "--mock-phones", f"{ANN}=271828,{BOB}=314159")
    assert shown["mock_phones"] == {ANN: "271828", BOB: "314159"}
    many = ",".join(f"+4915100000{number:03}=271828" for number in range(11))
    for text in (ANN, f"{ANN}=1", f"{ANN}=abcdef", "0151=271828", many):
        assert (await type_("projects", "set", "shop", "--mock-phones", text))[0] == 2
    assert (await type_.json("projects", "set", "shop", "--mock-phones", "none"))["mock_phones"] == {}
    await user_phones.create_by_number_if_absent(pool, "shop", user_ids=["ann"], phone=ANN)
    code, _, err = await type_("projects", "set", "shop", "--mock-phones", f"{ANN}=271828")
    assert (code, "number of a user" in err) == (2, True)


@pytest.mark.parametrize(
    ("url", "public", "fine"),
    [
        ("", "https://accounts.example.com", True),
        ("https://sms.example.com/send?token=x", "https://accounts.example.com", True),
        ("http://127.0.0.1:9999/sms", "https://accounts.example.com", True),
        ("log:", "http://localhost:8080", True),
        ("log:", "https://accounts.example.com", False),
        ("http://sms.example.com/send", "https://accounts.example.com", False),
        ("https://user:secret-word@sms.example.com/send", "https://accounts.example.com", False),
        ("https://sms.example.com/send#x", "https://accounts.example.com", False),
        ("sms.example.com/secret-word", "https://accounts.example.com", False),
        ("ftp://sms.example.com", "https://accounts.example.com", False),
        ("https://:0/", "https://accounts.example.com", False),
        ("https://[::1/secret-word", "https://accounts.example.com", False),
    ],
)
def test_what_sms_url_may_be(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, url: str, public: str, fine: bool
):
    """Over TLS or to this machine; the log in development alone. A refusal quotes nothing of it."""
    for name, value in (environment | {"SMS_URL": url, "PUBLIC_URL": public}).items():
        monkeypatch.setenv(name, value)
    if fine:
        assert Settings.read().sms_url.get_secret_value() == url
        return
    with pytest.raises(InvalidSettings, match="SMS_URL") as refused:
        Settings.read()
    assert "secret-word" not in str(refused.value)


async def test_the_doctor_tries_the_webhook(
    type_: Terminal, monkeypatch: pytest.MonkeyPatch, pool: Pool, project: projects.Project
):
    """One that is away has failed; without SMS_URL a project with countries is a warning."""
    monkeypatch.setenv("SMTP_URL", "")
    monkeypatch.setenv("SMS_URL", "http://127.0.0.1:9/sms")
    _, out, err = await type_("doctor", "--json")
    assert "127.0.0.1:9 connect: it can't be reached" in out + err
    monkeypatch.setenv("SMS_URL", "")
    await pool.execute("update projects set sms_countries = '{+49}'")
    _, out, err = await type_("doctor", "--json")
    assert "shop has --sms-countries, and SMS_URL is empty" in out + err
