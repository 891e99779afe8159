"""`python -m service webhooks`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.cli.exit_codes import EXISTS, MISSING, UNWELL, WRONG
from service.crypto.sealing import CannotUnseal
from service.db import Pool
from service.settings import Settings
from service.store import events, projects, sealed_rows, webhooks
from service.store.events import Actor, Event
from service.store.unit_of_work import unit_of_work
from testkit.webhook_receiver import Receiver, Reply
from tests.integration.conftest import Terminal
from worker.security_log import SecurityLogWriter


@pytest.fixture
async def receiver(monkeypatch: pytest.MonkeyPatch, project: projects.Project) -> AsyncIterator[Receiver]:
    monkeypatch.setenv("WEBHOOK_NETWORKS", "127.0.0.0/8, ::1")
    async with Receiver() as receiver:
        yield receiver


async def test_a_webhook_is_made_tried_and_changed(type_: Terminal, pool: Pool, receiver: Receiver):
    """The secret is shown when it is made and never again; a test event is signed, and no user's."""
    made = await type_.json("webhooks", "create", "shop", receiver.url, "--id", "crm", "--types", "users.*")
    receiver.secret = made["secret"]
    tested = await type_.json("webhooks", "test", "shop", "crm")
    assert (tested["delivered"], tested["status"], 0 <= tested["seconds"] < 30) == (True, 204, True)
    [(_, payload)] = receiver.received
    assert (payload["type"], payload["data"]) == ("webhooks.test", {"projectId": "shop"})
    receiver.always = Reply(500)
    code, out, _ = await type_("webhooks", "test", "shop", "crm", "--json")
    assert (code, json.loads(out)["fault"]) == (UNWELL, "it answered 500")
    rotated = await type_.json("webhooks", "rotate", "shop", "crm", "--overlap", "0")
    receiver.secret, receiver.always = rotated["secret"], Reply()
    assert (await type_.json("webhooks", "test", "shop", "crm"))["delivered"]
    await type_.json("webhooks", "update", "shop", "crm", "--types", "*", "--url", f"{receiver.url}?new")
    shown = await type_.json("webhooks", "show", "shop", "crm")
    assert (shown["types"], shown["url"], shown["status"]) == ([], f"{receiver.url}?new", "enabled")
    assert shown["failing_seconds"] == 0
    assert "whsec_" not in json.dumps(await type_.json("webhooks", "list", "shop"))
    assert (await type_.json("webhooks", "delete", "shop", "crm", "--yes")) == {"deleted": "crm"}
    assert (await type_("webhooks", "show", "shop", "crm"))[0] == MISSING
    assert (await type_("webhooks", "delete", "shop", "crm", "--yes"))[0] == MISSING


async def test_deliveries_are_listed_and_owed_again(type_: Terminal, pool: Pool, receiver: Receiver):
    """By id or by time; a disabled webhook keeps what it is owed, and is owed no more until then."""
    await type_.json("webhooks", "create", "shop", receiver.url, "--id", "crm")
    assert (await type_("webhooks", "create", "shop", receiver.url, "--id", "crm"))[0] == EXISTS

    async def happened() -> None:
        async with unit_of_work(pool, None) as tx:
            await events.record(tx, "shop", event=Event.NAME_UPDATE, user_id="ann", by=Actor("::1", "test"))
        await SecurityLogWriter(pool).write_pending()

    await happened()
    await type_.json("webhooks", "disable", "shop", "crm")
    await happened()
    [owed] = await type_.json("webhooks", "deliveries", "shop", "crm")
    assert (owed["type"], owed["user_id"], owed["state"]) == ("account.update.name", "ann", "pending")
    assert (await type_.json("webhooks", "replay", "shop", "crm", "--since", "1h")) == {"owed": 1}
    assert len(await type_.json("webhooks", "deliveries", "shop", "crm", "--state", "pending")) == 2
    await pool.execute("update webhook_deliveries set state = 'delivered', ended_at = now() where number = 1")
    assert (await type_.json("webhooks", "replay", "shop", "crm", "--event", owed["event_id"])) == {"owed": 1}
    assert (await type_.json("webhooks", "deliveries", "shop", "crm", "--before", "2"))[0]["state"] == "pending"
    await type_.json("webhooks", "enable", "shop", "crm")
    assert (await type_.json("webhooks", "list", "shop"))[0]["status"] == "enabled"
    await type_.json("webhooks", "delete", "shop", "crm", "--yes")
    assert (await pool.fetchrow("select count(*) from webhook_deliveries"))[0] == 0


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "words",
    [
        ["create", "shop", "http://example.com/"], ["create", "shop", "https://10.0.0.1/"], ["create", "shop", "x"],
        ["create", "shop", "https://example.com/", "--types", "users.made"],
        ["create", "shop", "https://example.com/", "--types", "*,users.*"],
        ["create", "shop", "https://example.com/", "--id", "A B"],
        ["update", "shop", "crm"], ["replay", "shop", "crm"], ["replay", "shop", "crm", "--since", "yesterday"],
        ["rotate", "shop", "crm", "--overlap", "soon"],
    ],
)  # fmt: skip
async def test_wrong_words_are_refused(type_: Terminal, pool: Pool, words: list[str]):
    """Before anything is written."""
    assert (await type_("webhooks", *words))[0] == WRONG
    assert (await pool.fetchrow("select count(*) from webhook_endpoints"))[0] == 0


async def test_webhooks_stand_in_settings_files(type_: Terminal, pool: Pool, receiver: Receiver, tmp_path: Path):
    """Without their secrets: a note says how to see one. A second run, and one of an export, change nothing."""
    file = tmp_path / "shop.toml"
    table = f'[projects.shop.webhooks.crm]\nurl = "{receiver.url}"\ntypes = ["users.*"]\n'
    file.write_text(table)
    assert len(await type_.json("projects", "apply", str(file), "--dry-run")) == 3
    assert (await pool.fetchrow("select count(*) from webhook_endpoints"))[0] == 0
    assert "webhooks rotate shop crm" in (await type_("projects", "apply", str(file)))[2]
    assert await type_.json("projects", "apply", str(file)) == []
    file.write_text(table.replace('["users.*"]', "[]") + "enabled = false\n")
    changed = {row["setting"]: row["after"] for row in await type_.json("projects", "apply", str(file))}
    assert changed == {"webhooks.crm.types": [], "webhooks.crm.enabled": False}
    exported = (await type_("projects", "export", "shop"))[1]
    assert f'[projects.shop.webhooks.crm]\nurl = "{receiver.url}"\ntypes = []\nenabled = false\n' in exported
    file.write_text(exported)
    assert await type_.json("projects", "apply", str(file)) == []
    for fault in ("types = 1", 'types = ["x"]', "enabled = 1", 'url = "ftp://x"', "secret = 1"):
        file.write_text(f"[projects.shop.webhooks.new]\n{fault}\n")
        assert (await type_("projects", "apply", str(file)))[0] == WRONG, fault


async def test_secrets_are_sealed_anew(type_: Terminal, pool: Pool, settings: Settings, receiver: Receiver):
    """Under the first of SECRET_KEYS, as all that is sealed; in its own row alone."""
    made = await type_.json("webhooks", "create", "shop", receiver.url, "--id", "crm")
    ring = {"new": b"n" * 32, **settings.key_ring}
    assert await sealed_rows.reseal(pool, ring) == (1, [])
    [secret] = await webhooks.live_secrets(pool, {"new": ring["new"]}, "shop", "crm")
    assert secret.reveal() == made["secret"]
    await pool.execute("update webhook_secrets set id = 'another'")
    with pytest.raises(CannotUnseal):
        await webhooks.live_secrets(pool, ring, "shop", "crm")
