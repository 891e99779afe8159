"""Letters of a project that has set its branding."""

import email
import email.policy
from email.message import EmailMessage
from typing import cast

from service.db import Pool
from service.store import branding, users
from service.store.branding import Logo
from testkit.images import png
from testkit.outbox import request_mail
from testkit.sink import Mail, Sink


def read(mail: Mail) -> EmailMessage:
    return email.message_from_bytes(mail.content, policy=email.policy.default)


def html_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part
    return cast("EmailMessage", part).get_content()


async def test_a_letter_shows_the_projects_face(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Answers go where the project wants them; colour, support address, footer and logo are its own."""
    await branding.change(
        pool, "shop", reply_to="help@shop.example", support_address="support@shop.example", accent_color="#ffcc00",
        footer_text="Shop Ltd <1 High Street>",
    )  # fmt: skip
    await branding.set_logo(pool, "shop", logo=Logo("image/png", png()))
    await a_worker().deliver(await request_mail(pool))
    message = read(sink.mails[0])
    assert message["Reply-To"] == "help@shop.example"
    html = html_of(message)
    (image,) = (part for part in message.walk() if part.get_content_maintype() == "image")
    assert f'src="cid:{image["Content-ID"][1:-1]}" alt="Shop"' in html
    assert image.get_payload(decode=True) == png()
    assert "#ffcc00" in html
    assert "mailto:support@shop.example" in html
    assert "Shop Ltd &lt;1 High Street&gt;" in html
    assert sink.violations == []


async def test_a_letter_of_a_project_that_has_set_nothing(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Two parts and no Reply-To, as before."""
    await a_worker().deliver(await request_mail(pool))
    message = read(sink.mails[0])
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    assert message["Reply-To"] is None


async def test_a_retry_repeats_the_letter_with_its_logo(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The same bytes from another worker, whose cache is empty."""
    await branding.set_logo(pool, "shop", logo=Logo("image/png", png()))
    mail = await request_mail(pool)
    await a_worker("one").deliver(mail)
    await pool.execute("update mails set state = 'pending', due_at = now() - interval '1 second'")
    await a_worker("two").deliver(mail)
    assert sink.mails[0].content == sink.mails[1].content


async def test_a_reply_address_that_is_none_stops_no_worker(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Written past the command line, it is told to the operator, and the mail waits for it to be mended."""
    await branding.change(pool, "shop", reply_to="no address")
    worker, mail = a_worker(), await request_mail(pool)
    await worker.deliver(mail)
    row = await pool.fetchrow("select state, last_fault from mails")
    assert row["state"] == "pending"
    assert "--reply-to" in row["last_fault"]
    await branding.change(pool, "shop", reply_to="help@shop.example")
    await pool.execute("update mails set due_at = now() - interval '1 second'")
    await worker.deliver(mail)
    assert len(sink.mails) == 1
