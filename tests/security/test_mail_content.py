"""Bounds of a mail's content, its recipients and its bytes on the wire (docs/security.md S30 to S37).

Bytes of a message alone are tried in tests/unit/test_mime.py, letters alone in tests/unit/test_mail_templates.py,
TLS and the dialogue in tests/integration/worker/test_smtp.py; here is the whole way from a row to the wire.
"""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest

from service.db import Pool
from service.queue import JobQueue, connect
from service.settings import Settings
from service.store import outbox, projects, tokens, users
from service.store.tokens import Kind
from service.store.unit_of_work import unit_of_work
from testkit.api import Api
from testkit.sink import Mail, Sink
from tests.integration.worker.conftest import staffed
from tests.security.data import hostile
from worker.delivery import Delivery
from worker.mail import templates
from worker.relays import RelayPool, SmtpUrl

ANN, URL = "ann@example.com", "http://localhost/reset"
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted", "X-Auto-Response-Suppress",
    "Content-Type",
}  # fmt: skip
KINDS = {
    "recovery": Kind.RECOVERY, "verification": Kind.VERIFICATION, "magic_url": Kind.MAGIC_URL, "otp": Kind.OTP,
    "otp_verification": Kind.VERIFICATION_OTP, "otp_recovery": Kind.RECOVERY_OTP,
    "password_changed": Kind.ACCOUNT_UNDO, "new_device": Kind.ACCOUNT_UNDO, "email_changed": Kind.EMAIL_UNDO,
    "security_changed": Kind.ACCOUNT_UNDO, "mfa_challenge": Kind.MFA_EMAIL,
    "invitation": Kind.VERIFICATION, "already_registered": None, "account_ends": None, "relay_test": None,
}  # fmt: skip


@dataclass
class Post:
    """A worker and the sink that its mails go to."""

    pool: Pool
    sink: Sink
    delivery: Delivery

    async def write(self, letter: str = "recovery", *, locale: str = "en", **facts: Any) -> Any:
        """Accept a mail as the API does, about the user `ann`; its id."""
        kind, token = KINDS[letter], None
        by_address = kind in (Kind.MAGIC_URL, Kind.OTP)
        if kind:
            token = await tokens.issue(
                self.pool, "shop", kind=kind, email=ANN, kid="test", seconds=3600,
                user_id=None if by_address else "ann", requested_user_id="ann" if by_address else None,
                email_version=None if by_address else 1,
            )  # fmt: skip
        told = {"modern": True, "ip": "192.0.2.1", "user_agent": "UNKNOWN", "phrase": "", "url": URL} | facts
        told |= {"ends_at": "2026-11-30T09:30:00+00:00"} if letter == "account_ends" else {}
        common = {"letter": letter, "recipient": ANN, "user_id": "ann", "locale": locale, "facts": told}
        sender = "no-reply@accounts.test"
        if token:
            common |= {"token_id": token.id, "deadline_at": token.expires_at}
        async with unit_of_work(self.pool, None) as tx:
            return await outbox.enqueue(tx, "shop", sender=sender, **common)

    async def see_through(self, mail_id: Any) -> str:
        """Try a mail until it has ended, eight times at most; its state then."""
        state = ""
        for _ in range(8):
            await self.pool.execute("update mails set due_at = now() - interval '1 second'")
            await self.delivery.deliver(mail_id)
            state = (await self.pool.fetchrow("select state from mails where id = $1", mail_id))[0]
            if state not in ("pending", "sending"):
                break
        return state

    async def send(self, letter: str = "recovery", **facts: Any) -> Mail:
        assert await self.see_through(await self.write(letter, **facts)) == "sent"
        return self.sink.mails[-1]


@pytest.fixture
async def post(pool: Pool, project: projects.Project, settings: Settings, redis_url: str) -> AsyncIterator[Post]:
    await users.create(pool, "shop", user_id="ann", email=ANN, name="Ann", password_hash=None)
    redis = connect(redis_url)
    async with Sink() as sink:
        relay = RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"), connections=1)
        yield Post(pool, sink, staffed(pool, relay, JobQueue(redis), settings, "one"))
        await relay.close()
    await redis.aclose(close_connection_pool=True)


def parsed(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert message.defects == []
    return message


def texts(mail: Mail) -> str:
    """All that a reader is shown: subject, sender, both parts."""
    message = parsed(mail)
    parts = [part.get_content() for part in message.iter_parts()]
    return "\n".join([str(message["Subject"]), str(message["From"]), *parts])


def expect_plain(mail: Mail, sink: Sink) -> None:
    """One recipient, the fixed headers once each, nothing but CRLF on the wire."""
    message = parsed(mail)
    assert sorted(message.keys()) == sorted(HEADERS)
    assert [address.addr_spec for address in message["To"].addresses] == [ANN] == list(mail.recipients)
    assert mail.content.isascii()
    assert re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", mail.content) is None
    assert sink.violations == []


@pytest.mark.parametrize("letter", KINDS)
async def test_s37_every_letter_has_the_headers_of_a_machine(post: Post, letter: str):
    """Whoever answers by machine is told not to; the bounce goes to the sender; a mail is known by its own id."""
    mail_id = await post.write(letter)
    assert await post.see_through(mail_id) == "sent"
    (mail,) = post.sink.mails
    expect_plain(mail, post.sink)
    message = parsed(mail)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == f"<{mail_id.hex}@accounts.test>"
    assert message["Date"].datetime.tzinfo
    assert mail.sender == message["From"].addresses[0].addr_spec == "no-reply@accounts.test"
    assert "List-Unsubscribe" not in message


def test_s37_no_letter_is_left_out():
    """A new letter is tried above, too."""
    assert set(KINDS) == set(templates.load_templates().letters)


@pytest.mark.parametrize("place", ["user_agent", "locale", "ip", "phrase", "name", "url"])
async def test_s30_no_header_comes_from_outside(post: Post, place: str):
    """Control characters in what a client says of itself, even behind the API's back, add no header and no line."""
    for text in hostile.INJECTIONS:
        if place == "name":
            await post.pool.execute("update users set name = $1", text)
            mail_id = await post.write()
        elif place == "locale":
            mail_id = await post.write(locale=text)
        else:
            mail_id = await post.write(**{place: text})
        state, count = await post.see_through(mail_id), len(post.sink.mails)
        assert state == ("cancelled" if place == "url" else "sent")
        assert count == (0 if place == "url" else hostile.INJECTIONS.index(text) + 1)
        if count:
            expect_plain(post.sink.mails[-1], post.sink)
            assert "evil" not in texts(post.sink.mails[-1])


@pytest.mark.parametrize("column", ["name", "sender_name"])
async def test_s30_a_poisoned_project_sends_nothing(post: Post, column: str):
    """A control character in a project's own words stops its mails until they are mended; none goes out repaired."""
    for text in hostile.INJECTIONS:
        await post.pool.execute(f"update projects set {column} = $1 where id = 'shop'", text)
        assert await post.see_through(await post.write()) == "pending"
    assert (post.sink.mails, post.sink.connections) == ([], 0)


@pytest.mark.parametrize("text", hostile.INJECTIONS, ids=ascii)
async def test_s30_the_api_takes_no_such_text(api: Api, text: str):
    """A name with a line's end, a control or a separator in it is refused before it is anywhere."""
    body = {"email": ANN, "password": "correct horse", "name": text}
    answer = await api.call("POST", "/v1/account", json=body)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


@pytest.mark.parametrize("poison", hostile.RECIPIENTS, ids=ascii)
async def test_s31_a_poisoned_row_reaches_no_wire(post: Post, poison: str):
    """Whatever stands in the row: no second recipient, no parameter, not even a connection; the mail has failed."""
    mail_id = await post.write("verification")
    await post.pool.execute("update users set email = lower($1)", poison)
    await post.pool.execute("update tokens set email = lower($1)", poison)
    await post.pool.execute("update mails set recipient = lower($1)", poison)
    assert await post.see_through(mail_id) == "failed"
    assert (post.sink.mails, post.sink.connections) == ([], 0)
    fault = (await post.pool.fetchrow("select last_fault from mails"))[0]
    assert fault
    assert "evil" not in fault


@pytest.mark.parametrize("poison", hostile.RECIPIENTS, ids=ascii)
async def test_s31_a_poisoned_sender_reaches_no_wire(post: Post, poison: str):
    """The same for what a project sends from; its mails wait until an operator has set a sender that can be one."""
    await post.pool.execute("update projects set sender_address = $1", poison)
    if poison:
        mail_id = await post.write()
        assert await post.see_through(mail_id) == "pending"
        assert post.sink.connections == 0
        await post.pool.execute("update projects set sender_address = ''")
        assert await post.see_through(mail_id) == "sent"
    else:
        assert (await post.send()).sender == "no-reply@accounts.test"


async def test_s32_templates_are_never_made_of_text(post: Post):
    """Text that looks like a template is shown as it stands, in subject, sender and both parts."""
    for text in hostile.TEMPLATES:
        await post.pool.execute("update projects set name = $1, sender_name = $1 where id = 'shop'", text)
        mail = await post.send("magic_url", user_agent=text, phrase=text)
        expect_plain(mail, post.sink)
        message = parsed(mail)
        assert text in str(message["Subject"])
        assert message["From"].addresses[0].display_name == text
        text_part, html_part = (part.get_content() for part in message.iter_parts())
        assert text in text_part
        assert "49" not in re.sub(r"secret=\S+|\d{10}|[0-9a-f-]{20,}|\d\d:\d\d", "", text_part)
        assert "<script" not in html_part
        assert "<img" not in html_part


@pytest.mark.parametrize("letter", KINDS)
async def test_s34_no_letter_repeats_what_a_stranger_wrote(post: Post, letter: str):
    """Two hundred names, devices and languages that advertise: no letter holds a host but ours, or a word of them."""
    for bait in hostile.BAITS[:: 1 if letter == "verification" else 10]:
        await post.pool.execute("update users set name = $1", bait)
        mail = await post.send(letter, user_agent=bait, phrase=bait, ip=bait, locale=bait)
        shown = texts(mail)
        assert {host.lower() for host in re.findall(r"//([^/\s\"'<>]+)", shown)} <= {"localhost", "localhost:8080"}
        assert "evil" not in shown.lower()
        assert "WIN" not in shown
        expect_plain(mail, post.sink)


@pytest.mark.parametrize(
    ("prefs", "zone"),
    [
        ('{"timezone": "Asia/Tokyo"}', "Japan Standard Time"), ('{"timezone": "WIN at evil.test"}', "UTC"),
        ('{"x": "\\u0000", "timezone": "Asia/Tokyo"}', "Japan Standard Time"),
        ('{"x": "\\ud800", "timezone": "Asia/Tokyo"}', "UTC"), ('{"timezone": 1e999}', "UTC"),
        ('"timezone"', "UTC"), ("{}", "UTC"),
    ],
)  # fmt: skip
async def test_s34_preferences_name_a_zone_of_the_list(post: Post, prefs: str, zone: str):
    """A letter's times are in the zone of the user's preferences; whatever else stands there, it is sent."""
    await post.pool.execute("update users set prefs = $1 where id = 'ann'", prefs)
    shown = texts(await post.send())
    assert f" {zone})" in shown
    assert "evil" not in shown


async def test_s34_preferences_choose_among_our_languages(post: Post):
    """A locale in the preferences counts where the request named none; text that is no locale is passed over."""
    await post.pool.execute("update users set prefs = $1 where id = 'ann'", '{"locale": "zh-HK"}')
    assert 'lang="zh-Hant"' in texts(await post.send(accepted=["de"]))
    assert 'lang="en"' in texts(await post.send())
    await post.pool.execute("update users set prefs = $1 where id = 'ann'", '{"locale": "de><b>evil.test"}')
    shown = texts(await post.send(accepted=["it"]))
    assert 'lang="it"' in shown
    assert "evil" not in shown


async def test_a_retried_mail_has_the_same_bytes(post: Post):
    """A mail that is sent twice is one mail for its reader: a true duplicate."""
    mail_id = await post.write("verification")
    assert await post.see_through(mail_id) == "sent"
    await post.pool.execute("update mails set state = 'pending', ended_at = null")
    assert await post.see_through(mail_id) == "sent"
    first, second = post.sink.mails
    assert first.content == second.content


async def test_s36_a_letter_of_dots_is_one_letter(post: Post):
    """Lines that are a dot or begin with one neither end a mail nor lose a dot, and no line is too long."""
    dots = ".. . .MAIL FROM:<eve@evil.test>"
    await post.pool.execute("update projects set name = $1 where id = 'shop'", dots)
    mail = await post.send()
    await post.pool.execute("update projects set name = $1 where id = 'shop'", "." * 128)
    other = await post.send()
    assert len(post.sink.mails) == 2
    assert dots in texts(mail)
    assert "." * 128 in texts(other)
    expect_plain(mail, post.sink)
    expect_plain(other, post.sink)
