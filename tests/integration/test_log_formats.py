"""The security log for other systems: every event in a form that they know, each once, over interruptions too."""

import json
from hashlib import sha256
from pathlib import Path

import jsonschema_rs
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from service.cli.exit_codes import MISSING, WRONG
from service.cli.log.formats import ACTIVITIES
from service.crypto import log_hashes
from service.db import Pool
from service.store import event_feed, events
from service.store.events import Actor, Event
from service.store.projects import Project
from service.store.unit_of_work import unit_of_work
from tests.integration.conftest import Terminal
from worker.security_log import SecurityLogWriter

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0.3538.77 Safari/537.36"
CLASSES = {3001: "account_change", 3002: "authentication"}


async def happen(pool: Pool, *found: Event) -> None:
    for event in found:
        async with unit_of_work(pool, None) as tx:
            await events.record(tx, "shop", event=event, user_id="ann", by=Actor("8.8.8.8", CHROME))
    await SecurityLogWriter(pool).write_pending()


async def lines(type_: Terminal, *words: str) -> list[dict]:
    code, out, err = await type_("log", *words)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


async def test_each_event_is_an_event_of_ocsf_and_ecs(type_: Terminal, pool: Pool, project: Project):
    """Of OCSF by the published schema, which allows no other attributes; activities have the captions of their ids."""
    published = get_ocsf_schema("1.5.0")
    schemas = {uid: OcsfJsonSchemaEmbedded(published).get_class_schema(name) for uid, name in CLASSES.items()}
    await happen(pool, *Event)
    assert ACTIVITIES.keys() <= set(Event)
    for line in await lines(type_, "export", "shop", "--format", "ocsf"):
        assert [each.message for each in jsonschema_rs.iter_errors(schemas[line["class_uid"]], line)] == []
        described = published["classes"][CLASSES[line["class_uid"]]]
        captions = described["attributes"]["activity_id"]["enum"] | {"99": {"caption": line["message"]}}
        assert line["activity_name"] == captions[str(line["activity_id"])]["caption"]
        assert (line["class_name"], line["category_name"]) == (described["caption"], described["category_name"])
        assert (line["category_uid"], line["type_uid"]) == (3, line["class_uid"] * 100 + line["activity_id"])
        assert (line["user"], line["src_endpoint"]) == (
            {"uid": "ann"},
            {"ip": "8.8.8.8", "location": {"country": "US"}},
        )
        assert line["metadata"]["product"]["name"] == "accounts"
        assert isinstance(line["time"], int)
        assert line["status_id"] == (2 if line["message"] == "account.challenges.failed" else 1)
        assert line["class_uid"] == 3001 or line["service"], "a sign-in names what was signed in to"
    found = {line["event.action"]: line for line in await lines(type_, "export", "shop", "--format", "ecs")}
    assert found.keys() == set(Event)
    assert found["account.sessions.create"]["event.category"] == ["authentication"]
    assert found["account.create"]["event.type"] == ["user", "creation"]
    assert found["account.create"]["source.geo.country_iso_code"] == "US"


async def test_an_export_is_enough_to_verify_the_chain(type_: Terminal, pool: Pool, project: Project):
    """By the documented steps: a program of somebody else finds the same hashes."""
    await happen(pool, Event.ACCOUNT_CREATE, Event.SESSION_CREATE, Event.SESSION_DELETE)
    rows = await lines(type_, "export", "shop")
    before = log_hashes.start("shop", rows[0]["time"][:7], None).hex()
    for number, row in enumerate(rows, 1):
        names = list(row)
        personal = [row[name] for name in names[names.index("user_id") : names.index("number")]]
        digest = sha256(bytes.fromhex(row["salt"]) + _json(personal)).hexdigest()
        link = _json([before, number, row["id"], row["time"], row["event"], digest])
        assert sha256(link).hexdigest() == row["hash"]
        before = row["hash"]
    assert (await type_("log", "export", "shop", "--month", "2020-01"))[0] == MISSING


def _json(values: list) -> bytes:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


async def test_following_leaves_none_out(type_: Terminal, pool: Pool, project: Project, tmp_path: Path):
    """It goes on at its cursor; a cursor whose events are deleted, or of another feed, is refused."""
    cursor = str(tmp_path / "cursor")
    words = ("follow", "shop", "--once", "--cursor", cursor)
    assert await lines(type_, *words) == []
    await happen(pool, Event.SESSION_CREATE, Event.NAME_UPDATE)
    assert [line["event"] for line in await lines(type_, *words)] == ["account.sessions.create", "account.update.name"]
    await happen(pool, Event.SESSION_DELETE)
    assert [line["event"] for line in await lines(type_, *words)] == ["account.sessions.delete"]
    assert await lines(type_, *words) == []
    await happen(pool, *[Event.PREFS_UPDATE] * 3)
    await pool.execute("update feed_events set filed_at = now() - interval '31 days'")
    await event_feed.delete_old(pool, days=30, most=100)
    code, _, err = await type_("log", *words)
    assert (code, "up to 6 are deleted" in err) == (WRONG, True)
    for text, fault in (("99", "beyond the newest"), ("x", "holds no cursor")):
        Path(cursor).write_text(text)
        code, _, err = await type_("log", *words)
        assert (code, fault in err) == (WRONG, True)


async def test_a_cursor_that_can_t_be_kept(type_: Terminal, pool: Pool, project: Project, tmp_path: Path):
    """The file is named, and Postgres is not said to be away."""
    (tmp_path / "file").touch()
    await happen(pool, Event.SESSION_CREATE)
    await lines(type_, "follow", "shop", "--once")
    await happen(pool, Event.SESSION_DELETE)
    code, _, err = await type_("log", "follow", "shop", "--once", "--cursor", str(tmp_path / "file" / "cursor"))
    assert (code, err) == (WRONG, f"{tmp_path / 'file'}: File exists\n")


@pytest.mark.parametrize("words", [("export", "nix"), ("follow", "nix", "--once")])
async def test_a_project_that_is_not_there(type_: Terminal, words: tuple[str, ...]):
    """It is told, with the code for what is missing."""
    assert (await type_("log", *words))[0] == MISSING
