"""Mails of projects with DKIM keys, as they arrive; dkimpy verifies them by the records that `dkim show` prints."""

import asyncio
import email
from collections.abc import Callable

import dkim

from service.cli.exit_codes import UNWELL
from service.db import Pool
from service.settings import Settings
from service.store import dkim_keys, projects, users
from service.store.outbox import DueMail
from service.store.outbox_admin import find
from testkit.dns_server import DnsServer
from testkit.outbox import request_mail
from testkit.sink import Sink
from tests.integration.conftest import Terminal
from tests.integration.worker.conftest import OneByOne, Statements
from worker.mail.signing import MailSigner


async def signatures(pool: Pool, message: bytes) -> list[str]:
    """Selectors of a mail's signatures, all of them valid."""
    records = {f"{key.record_name}.": key.record.encode() for key in await dkim_keys.list_all(pool, "shop")}
    fields = email.message_from_bytes(message).get_all("DKIM-Signature", [])
    for number in range(len(fields)):
        assert dkim.DKIM(message).verify(number, dnsfunc=lambda name, timeout=5: records[name.decode()])
    return [field.partition("s=")[2].partition(";")[0] for field in fields]


async def test_a_rotation_is_seen_by_the_next_mail(
    pool: Pool, sink: Sink, a_worker: Callable[..., OneByOne], ann: users.User, settings: Settings
):
    """No signature before a key is active; then one of each algorithm, the new key's from its activation on."""
    worker = a_worker()

    async def sent() -> list[str]:
        await worker.deliver(await request_mail(pool))
        return await signatures(pool, sink.mails[-1].content)

    for selector, algorithm in (("s1", "rsa"), ("s2", "rsa"), ("e1", "ed25519")):
        await dkim_keys.create(
            pool, settings.key_ring, "shop", selector=selector, domain="accounts.test", algorithm=algorithm
        )
    assert await sent() == []
    for selector, signing in (("s1", ["s1"]), ("e1", ["s1", "e1"]), ("s2", ["s2", "e1"]), ("s1", ["s1", "e1"])):
        await dkim_keys.activate(pool, "shop", selector)
        assert await sent() == signing
    await dkim_keys.retire(pool, "shop", "s1")
    assert await sent() == ["e1"]
    assert sink.violations == []


async def test_a_batch_reads_its_keys_once_and_has_each_mail_signed(
    statements: tuple[Pool, Statements], pool: Pool, a_worker: Callable[..., OneByOne], ann: users.User,
    settings: Settings,
):  # fmt: skip
    """Mails that wait for their signatures together get those of their own bytes; one that can't be signed is alone."""
    for name in ("rsa", "ed25519"):
        await dkim_keys.create(pool, settings.key_ring, "shop", selector=name, domain="accounts.test", algorithm=name)
        await dkim_keys.activate(pool, "shop", name)
    due = [DueMail(await request_mail(pool), "shop") for _ in range(20)]
    claims = await a_worker().claim(*due)
    one, count = statements
    before = count()["keys"]
    messages = [*(b"From: hi@accounts.test\r\nSubject: %d\r\n\r\nHello\r\n" % number for number in range(19)), "none"]
    signer = MailSigner(one, settings.key_ring)
    found = await asyncio.gather(*map(signer.signed, claims, messages), return_exceptions=True)  # type: ignore[arg-type]
    assert count()["keys"] - before == 1
    assert isinstance(found.pop(), TypeError)
    for message, whole in zip(messages, found, strict=False):
        assert isinstance(whole, bytes)
        assert whole.endswith(message)  # type: ignore[arg-type]
        assert await signatures(pool, whole) == ["rsa", "ed25519"]


async def test_a_mail_waits_for_a_key_that_cannot_be_opened(
    pool: Pool, sink: Sink, a_worker: Callable[..., OneByOne], ann: users.User
):
    """Without its signature receivers might refuse it for good; the operator reads why."""
    await dkim_keys.create(
        pool, {"gone": b"x" * 32}, "shop", selector="s1", domain="accounts.test", algorithm="ed25519"
    )
    await dkim_keys.activate(pool, "shop", "s1")
    mail = await request_mail(pool)
    await a_worker().deliver(mail)
    found = await find(pool, mail)
    assert found
    assert (found.state, sink.mails) == ("pending", [])
    assert found.last_fault == "the DKIM key s1 of its project: the key gone is not among SECRET_KEYS"


async def test_a_letter_that_an_operator_sends_is_signed(  # noqa: PLR0917 - fixtures
    type_: Terminal, pool: Pool, sink: Sink, project: projects.Project, settings: Settings, monkeypatch
):
    """`mails test` shows what receivers will see."""
    monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{sink.port}?tls=none")
    await dkim_keys.create(pool, settings.key_ring, "shop", selector="s1", domain="accounts.test", algorithm="ed25519")
    await dkim_keys.activate(pool, "shop", "s1")
    async with DnsServer(mode="refuse") as dns:
        words = ("--to", "ann@example.com", "--project", "shop", "--dns-server", dns.address)
        assert (await type_("mails", "test", *words))[0] in (0, UNWELL)
    assert await signatures(pool, sink.mails[0].content) == ["s1"]
