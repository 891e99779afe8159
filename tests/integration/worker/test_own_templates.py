"""Mails by a project's own templates: chosen by the reader's language, and ours where one is broken."""

import email
import email.policy
from collections.abc import AsyncIterator

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects, template_overrides, users
from service.store.outbox_admin import find
from service.store.outbox_claims import Claim
from testkit.letters import link_of, text_of
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail
from testkit.sink import Mail, Sink
from testkit.waiting import until
from tests.integration.conftest import Terminal
from tests.integration.worker.conftest import staffed

OURS = "Choose a new password"
LETTER = "recovery"


async def own(pool: Pool, locale: str, text: str | None = None, *, letter: str = LETTER, **parts: str) -> None:
    given = {"body_text": text} if text else {}
    await template_overrides.change(pool, "shop", letter=letter, locale=locale, **given, **parts)


async def sent(pool: Pool, sink: Sink, worker, *, locale: str = "en") -> Mail:
    mail = await request_mail(pool)
    await pool.execute("update mails set locale = $1 where id = $2", locale, mail)
    await worker.deliver(mail)
    return sink.mails[-1]


@pytest.mark.parametrize(
    ("locale", "chosen"),
    [
        ("en", "any"),
        ("pt-BR", "Brazil"),
        ("pt", "Portugal"),
        ("pt_PT", "Portugal"),
        ("de", "any"),
        ("zh-Hant-TW", "Hant"),
        ("zh-HK", "Hant"),
        ("zh-SG", "zh"),
    ],
)
async def test_the_reader_s_language_chooses(  # noqa: PLR0917 - fixtures, and what is tried
    pool: Pool, sink: Sink, a_worker, ann: users.User, locale: str, chosen: str
):
    """The locale itself, its language, else the template for all others."""
    for where, name in (("*", "any"), ("pt", "Portugal"), ("pt-br", "Brazil"), ("zh", "zh"), ("zh-hant", "Hant")):
        await own(pool, where, f"{name} {{{{ link }}}}")
    mail = await sent(pool, sink, a_worker(), locale=locale)
    assert text_of(mail).startswith(f"{chosen} http://localhost/reset?")


@pytest.mark.parametrize(
    ("prefs", "accepted", "chosen"),
    [
        ("{}", ["sw", "de"], "Swahili"),
        ("{}", ["de", "sw"], "any"),
        ("{}", ["xh", "sw-KE"], "Swahili"),
        ("{}", [], "any"),
        ('{"locale": "sw"}', ["de"], "Swahili"),
        ('{"locale": "de"}', ["sw"], "any"),
    ],
)
async def test_a_template_may_be_in_a_language_that_we_lack(  # noqa: PLR0917 - fixtures, and what is tried
    pool: Pool, sink: Sink, a_worker, ann: users.User, prefs: str, accepted: list[str], chosen: str
):
    """It is found before a language that the reader wants less, and after one that the reader wants more."""
    for where, name in (("*", "any"), ("sw", "Swahili")):
        await own(pool, where, f"{name} {{{{ link }}}}")
    await pool.execute("update users set prefs = $1 where id = 'ann'", prefs)
    mail = await request_mail(pool)
    await pool.execute(
        "update mails set facts = facts || jsonb_build_object('accepted', $1::text[]) where id = $2", accepted, mail
    )
    await a_worker().deliver(mail)
    assert text_of(sink.mails[-1]).startswith(f"{chosen} http://localhost/reset?")


async def test_parts_that_are_not_own_are_ours(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A project may want one subject and nothing else; another project's letters are its own."""
    await projects.create(pool, "other", name="Other")
    await template_overrides.change(pool, "other", letter=LETTER, locale="*", subject="Not for Shop")
    worker = a_worker()
    assert b"Not for Shop" not in (await sent(pool, sink, worker)).content
    await own(pool, "*", subject="Hi {{ account }}")
    mail = await sent(pool, sink, worker)
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert message["Subject"] == "Hi a•••@example.com"
    assert OURS in text_of(mail)


async def test_a_change_is_seen_by_the_next_mail_of_each_worker(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Set, changed, another one removed, taken back: workers keep templates no longer than they are true."""
    workers = [a_worker("one"), a_worker("two")]

    async def begins(text: str) -> bool:
        return all([text_of(await sent(pool, sink, worker)).startswith(text) for worker in workers])

    assert await begins("Hello")
    for text in ("first", "second"):
        await own(pool, "*", text + " {{ link }}")
        assert await begins(text)
    await own(pool, "en", "third {{ link }}")
    assert await begins("third")
    await template_overrides.delete(pool, "shop", letter=LETTER, locale="en")
    assert await begins("second")
    await own(pool, "*", subject="Subject")
    await template_overrides.delete(pool, "shop", letter=LETTER, locale="*", part="text")
    assert await begins("Hello")
    await template_overrides.delete(pool, "shop", letter=LETTER, locale=None)
    assert await begins("Hello")
    assert b"Subject: Subject" not in sink.mails[-1].content


async def test_a_template_that_came_after_the_claim_is_not_kept_as_older(pool: Pool, a_worker, ann: users.User):
    """A template set and taken back between the claims of two mails is gone for the second."""
    await own(pool, "*", "first {{ link }}")
    overrides = a_worker().overrides
    claim = await claimed(pool)
    await own(pool, "en", "second {{ link }}")
    await overrides.find(claim, [claim.locale])
    await template_overrides.delete(pool, "shop", letter=LETTER, locale="en")
    again = await claimed(pool)
    assert again.overrides == claim.overrides
    found = await overrides.find(again, [claim.locale])
    assert found is not None
    assert found.body_text == "first {{ link }}"


async def claimed(pool: Pool) -> Claim:
    claim = await claim_mail(pool, await request_mail(pool), worker="one", lease=60)
    assert claim
    return claim


@pytest.fixture
async def statements(environment: dict[str, str], project: projects.Project) -> AsyncIterator[tuple[Pool, list[str]]]:
    """A pool of one connection, and the texts of all that it runs."""
    one, seen = Pool(environment["DATABASE_URL"], size=1), list[str]()
    async with one.connection() as connection:
        connection.add_query_logger(lambda record: seen.append(record.query))
    yield one, seen
    await one.close()


async def test_own_templates_cost_no_statement(  # noqa: PLR0917 - fixtures, and what is counted
    statements: tuple[Pool, list[str]], pool: Pool, sink: Sink, a_worker, ann: users.User, settings: Settings
):
    """Without them a mail costs none: its claim reads their state. A template costs one, and none while it stays."""
    one, seen = statements
    worker = staffed(one, a_worker().relays.shared, a_worker().job_queue, settings, "one")

    async def asked() -> list[str]:
        """First words of the statements that look at own templates."""
        seen.clear()
        await sent(pool, sink, worker)
        await until(lambda: any(query.startswith("with accepted") for query in seen))
        return [query.split()[0] for query in seen if "template_overrides" in query]

    claim, find = "with", "select"
    assert await asked() == [claim]
    for text in ("first", "second"):
        await own(pool, "*", text + " {{ link }}")
        assert [await asked(), await asked()] == [[claim, find], [claim]]
        assert text_of(sink.mails[-1]).startswith(text)


@pytest.mark.parametrize(
    ("column", "broken"),
    [
        ("body_text", "{{ gone }}"),
        ("body_text", "{% for x in link %}"),
        ("body_html", "{{ link }}" * 1000),
        ("body_text", "Your link is missing"),
        ("body_html", "<!-- {{ link }} -->"),
        ("subject", "{{ link }}"),
    ],
)
async def test_a_template_that_breaks_costs_no_mail(  # noqa: PLR0917 - fixtures, and what is tried
    pool: Pool, sink: Sink, a_worker, ann: users.User, caplog, type_: Terminal, column: str, broken: str
):
    """Ours goes out, with a line in the log and in `mails show`; nothing of the letter's secret is in either."""
    await pool.execute(
        f"insert into template_overrides (project_id, letter, locale, {column}) values ('shop', '{LETTER}', '*', $1)",
        broken,
    )
    mail = await sent(pool, sink, a_worker())
    assert OURS in text_of(mail)
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == "letter.override_failed"]
    assert (record.project, record.letter, record.locale) == ("shop", LETTER, "en")
    row = (await pool.fetch("select id, state from mails"))[0]
    kept = await find(pool, row["id"])
    assert kept is not None
    assert (row["state"], kept.override_fault) == ("sent", f"try 1: {record.fault}")
    assert link_of(mail) not in record.fault
    _, shown, _ = await type_("mails", "show", str(row["id"]))
    assert "own template: broken, our letter in its place (try 1: " in shown


async def test_dates_are_in_the_template_s_language(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A language that we have no letters in has its own dates all the same."""
    await own(pool, "nl", "{{ link }} {{ requested_at }}")
    await pool.execute("update mails set created_at = '2026-05-01'")
    mail = await request_mail(pool)
    await pool.execute("update mails set locale = 'nl', created_at = '2026-05-01 12:00Z' where id = $1", mail)
    await a_worker().deliver(mail)
    assert "1 mei 2026" in text_of(sink.mails[-1])


async def test_a_deleted_project_takes_its_templates_along(pool: Pool, project: projects.Project):
    """The rows are the project's."""
    await own(pool, "*", "{{ link }}")
    await pool.execute("delete from projects where id = 'shop'")
    assert await template_overrides.list_all(pool) == []
