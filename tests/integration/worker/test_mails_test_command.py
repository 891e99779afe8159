"""`mails test`: the relay is tried for real, step by step, and a test message travels the way of every mail."""

import asyncio
import email
import email.policy
import json
from pathlib import Path

import pytest

from service.__main__ import main
from service.cli.exit_codes import MISSING, UNFIT, UNWELL, WRONG
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import project_relays, projects
from testkit.dns_server import DnsServer
from testkit.sink import Sink, make_certificate, server_context

pytestmark = pytest.mark.usefixtures("pool")
TO = "ann@example.com"


@pytest.fixture
def setting(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


async def tried(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, str]]]:
    """The command where no DNS server answers; other tests look at what is said of records."""
    async with DnsServer(mode="refuse") as server:
        code = await asyncio.to_thread(main, ["--json", "mails", "test", "--dns-server", server.address, *words])
    found = json.loads(capsys.readouterr().out)
    return code, [each for each in found if each["about"] in ("relay", "letter")]


def states(found: list[dict[str, str]]) -> list[str]:
    """`ok connect`, `fail auth`: of the relay's steps, and of the letter."""
    return [
        f"{each['state']} {each['message'].split(' ')[1].rstrip(':')}" for each in found if each["about"] == "relay"
    ] + [f"{each['state']} letter" for each in found if each["about"] == "letter"]


async def test_a_letter_is_sent_as_every_mail_is(setting, capsys, pool: Pool, project: projects.Project):
    """Each step is one line; the message says what it is, and comes from the project's sender."""
    await projects.change(pool, "shop", sender_address="post@shop.example", sender_name="The Shop", locale="de")
    async with Sink(users={"ann": "good"}) as sink:
        setting.setenv("SMTP_URL", f"smtp://ann:good@127.0.0.1:{sink.port}?tls=none")
        code, found = await tried(capsys, "--to", TO, "--project", "shop")
        assert (code, states(found)) == (0, ["ok connect", "ok banner", "ok ehlo", "ok auth", "ok letter"])
        (mail,) = sink.mails
        assert (mail.sender, mail.recipients, sink.violations) == ("post@shop.example", (TO,), [])
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert str(message["From"]) == "The Shop <post@shop.example>"
    assert message["Subject"] == "Testnachricht von Shop"
    assert message["Message-ID"].endswith("@shop.example>")
    assert await pool.fetch("select from mails") == []


async def test_a_projects_own_server_is_tried_and_sends(setting, capsys, pool: Pool, project: projects.Project):
    """It alone, signed in; lines name the project and never the password. Without --project the shared one is tried."""
    ring, secret = Settings.read().key_ring, "s3cret-of-the-shop"
    async with Sink() as shared, Sink(users={"shop": secret}) as own:
        setting.setenv("SMTP_URL", f"smtp://127.0.0.1:{shared.port}?tls=none")
        url = Secret(f"smtp://shop:{secret}@127.0.0.1:{own.port}?tls=none")
        await project_relays.save(pool, ring, "shop", server=f"127.0.0.1:{own.port}", url=url)
        code, found = await tried(capsys, "--to", TO, "--project", "shop")
        assert (code, states(found)) == (0, ["ok connect", "ok banner", "ok ehlo", "ok auth", "ok letter"])
        assert {each["message"].split(" ")[0] for each in found} == {f"127.0.0.1:{own.port}/shop"}
        assert (len(own.mails), len(shared.mails), shared.connections) == (1, 0, 0)
        own.users = {"shop": "another"}
        code, found = await tried(capsys, "--to", TO, "--project", "shop")
        assert (code, states(found)[-2:], len(own.mails)) == (UNWELL, ["fail auth", "fail letter"], 1)
        assert secret not in str(found)
        assert (await tried(capsys, "--to", TO))[0] == 0
        assert len(shared.mails) == 1


async def test_a_password_that_cannot_be_decrypted_is_said(setting, capsys, pool: Pool, project: projects.Project):
    """Nothing is sent by another server instead."""
    async with Sink() as shared:
        setting.setenv("SMTP_URL", f"smtp://127.0.0.1:{shared.port}?tls=none")
        url = Secret("smtp://127.0.0.1:25?tls=none")
        await project_relays.save(pool, {"gone": b"x" * 32}, "shop", server="127.0.0.1:25", url=url)
        code, found = await tried(capsys, "--to", TO, "--project", "shop")
        assert (code, len(found), shared.connections) == (UNWELL, 1, 0)
        assert found[0]["message"] == "127.0.0.1:25/shop: the key gone is not among SECRET_KEYS"


async def test_without_a_recipient_nothing_is_sent(setting, capsys):
    """The relay is greeted and signed in to, and says goodbye."""
    async with Sink() as sink:
        setting.setenv("SMTP_URL", f"smtp://127.0.0.1:{sink.port}?tls=none")
        code, found = await tried(capsys)
        assert (code, states(found)) == (0, ["ok connect", "ok banner", "ok ehlo", "ok auth"])
        assert sink.mails == []
        assert "QUIT" in sink.commands


async def test_without_a_project_the_sender_is_the_services(setting, capsys):
    """MAIL_FROM is the sender then."""
    setting.setenv("MAIL_FROM", "accounts@example.com")
    async with Sink() as sink:
        setting.setenv("SMTP_URL", f"smtp://127.0.0.1:{sink.port}?tls=none")
        assert (await tried(capsys, "--to", TO))[0] == 0
        assert sink.mails[0].sender == "accounts@example.com"


@pytest.mark.parametrize(
    ("stage", "reply", "wanted"),
    [
        ("banner", "554 no", ["ok connect", "fail banner", "fail letter"]),
        ("ehlo", "550 who are you", ["ok connect", "ok banner", "fail ehlo", "fail letter"]),
        ("auth", "535 5.7.8 no", ["ok connect", "ok banner", "ok ehlo", "fail auth", "fail letter"]),
        ("mail", "550 5.7.1 sender not verified", ["ok connect", "ok banner", "ok ehlo", "ok auth", "fail letter"]),
        ("rcpt", "550 5.1.1 nobody", ["ok connect", "ok banner", "ok ehlo", "ok auth", "fail letter"]),
        ("rcpt", "450 4.2.0 greylisted", ["ok connect", "ok banner", "ok ehlo", "ok auth", "warn letter"]),
        ("dot", "554 5.7.1 spam", ["ok connect", "ok banner", "ok ehlo", "ok auth", "fail letter"]),
    ],
)
async def test_a_refusal_is_named_with_its_step(setting, capsys, stage, reply: str, wanted: list[str]):
    """The line has the relay's own words and what to mend; only a letter that workers would try again is a warning."""
    async with Sink(users={"ann": "good"}) as sink:
        sink.script(stage, reply)
        setting.setenv("SMTP_URL", f"smtp://ann:good@127.0.0.1:{sink.port}?tls=none")
        code, found = await tried(capsys, "--to", TO)
    assert (code, states(found)) == (UNWELL if "fail" in str(wanted) else 0, wanted)
    said = " ".join(each["message"] for each in found if each["state"] != "ok")
    assert reply[:3] in said
    assert "good" not in said


async def test_a_certificate_is_looked_at(setting, capsys, tmp_path: Path):
    """An untrusted one fails with what to mend; a trusted one is named with its end, a warning if that is near."""
    certificate, key = make_certificate(
        tmp_path / "far", names="DNS:localhost,IP:127.0.0.1", start="20200101000000Z", end="20990101000000Z"
    )
    async with Sink(tls=server_context(certificate, key)) as sink:
        setting.setenv("SMTP_URL", f"smtp://127.0.0.1:{sink.port}")
        code, found = await tried(capsys)
        assert (code, states(found)) == (UNWELL, ["ok connect", "ok banner", "ok ehlo", "fail tls"])
        assert "?ca=FILE" in found[-1]["message"]
        setting.setenv("SMTP_URL", f"smtp://127.0.0.1:{sink.port}?ca={certificate}")
        code, found = await tried(capsys)
        assert (code, states(found)) == (0, ["ok connect", "ok banner", "ok ehlo", "ok tls", "ok auth"])
        assert "valid until 2099-01-01" in found[3]["message"]


async def test_a_relay_that_is_away_has_failed(setting, capsys):
    """An operator who asks for a try wants to know, whoever is to blame."""
    setting.setenv("SMTP_URL", "smtp://127.0.0.1:1?tls=none")
    code, found = await tried(capsys)
    assert (code, states(found)) == (UNWELL, ["fail connect"])
    assert "firewall" in found[0]["message"]


async def test_the_senders_records_are_looked_up(setting, capsys, pool: Pool, project: projects.Project):
    """Those of the project's own domain, at the server that the option names."""
    await projects.change(pool, "shop", sender_address="post@shop.example")
    async with Sink() as sink, DnsServer({("shop.example", "TXT"): ["v=spf1 -all"]}) as server:
        setting.setenv("SMTP_URL", f"smtp://127.0.0.1:{sink.port}?tls=none")
        words = ["mails", "test", "--project", "shop", "--dns-server", server.address, "--dkim-selector", "r1"]
        code = await asyncio.to_thread(main, words)
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert code == UNWELL
        assert "ok SPF v=spf1 -all" in lines
        assert any(line.startswith("fail DKIM no key at r1._domainkey.shop.example") for line in lines)
        assert any(line.startswith("fail DMARC shop.example has no record") for line in lines)
        assert ("_dmarc.shop.example", "TXT") in server.asked


async def test_wrong_words(setting, capsys):
    """An unknown project, no address, no relay: an exit code, and nothing is sent."""
    assert await asyncio.to_thread(main, ["mails", "test", "--project", "none"]) == MISSING
    with pytest.raises(SystemExit) as left:
        await asyncio.to_thread(main, ["mails", "test", "--to", "nobody"])
    assert left.value.code == WRONG
    setting.setenv("SMTP_URL", "")
    code, found = await tried(capsys)
    assert (code, [each["state"] for each in found]) == (UNWELL, ["fail"])
    setting.delenv("SECRET_KEYS")
    assert await asyncio.to_thread(main, ["mails", "test"]) == UNFIT
