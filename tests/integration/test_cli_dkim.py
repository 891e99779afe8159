"""`python -m service dkim …`: a key's way from made to published, active, former and gone."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from service.cli.exit_codes import EXISTS, MISSING, UNWELL, WRONG
from service.db import Pool
from service.settings import Settings
from service.store import dkim_keys, projects
from testkit.dns_server import DnsServer
from tests.integration.conftest import Terminal

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture(autouse=True)
async def sender(pool: Pool, project: projects.Project) -> None:
    await projects.change(pool, "shop", sender_address="hi@mail.shop.example")


async def states(type_: Terminal) -> dict[str, str]:
    return {row["selector"]: row["state"] for row in await type_.json("dkim", "list", "shop")}


async def test_a_key_is_published_before_it_signs(type_: Terminal, settings: Settings, pool: Pool):
    """The record is printed whole and as a zone has it; no key is active before the DNS shows just this one."""
    made = await type_.json("dkim", "create", "shop", "--selector", "s1")
    assert (made["domain"], made["algorithm"], made["state"]) == ("mail.shop.example", "rsa", "new")
    assert made["record_name"] == "s1._domainkey.mail.shop.example"
    assert made["record_value"].startswith("v=DKIM1; k=rsa; p=MII")
    strings = made["zone_line"].partition(" IN TXT ")[2].strip('"').split('" "')
    assert ("".join(strings), max(map(len, strings))) == (made["record_value"], 255)
    assert await type_.json("dkim", "show", "shop", "s1") == made
    name, whole = (made["record_name"], "TXT"), made["record_value"]
    revoked, other = "v=DKIM1; k=rsa; p=", whole.replace("p=MII", "p=MIJ")
    async with DnsServer({("mail.shop.example", "TXT"): ["v=spf1 -all"]}) as dns:
        for texts, says in (
            ([], "has no TXT record with a key"),
            ([revoked], "revokes its key"),
            ([other], "has another key than ours"),
            ([whole, other], "has 2 records"),
        ):
            dns.records[name] = texts
            code, _, err = await type_("dkim", "activate", "shop", "s1", "--dns-server", dns.address)
            assert (code, says in err, "--unchecked" in err) == (WRONG, True, True), err
        dns.mode = "refuse"
        assert "can't be looked up" in (await type_("dkim", "activate", "shop", "s1", "--dns-server", dns.address))[2]
        assert await states(type_) == {"s1": "new"}
        dns.mode, dns.records[name] = "answer", ["other text", whole.replace("; ", ";")]
        active = await type_.json("dkim", "activate", "shop", "s1", "--dns-server", dns.address)
    assert (active["state"], active["former"]) == ("active", [])
    (key,) = await dkim_keys.list_all(pool, "shop")
    private = dkim_keys.private_key(settings.key_ring, key).reveal().splitlines()[1]
    _, out, err = await type_("dkim", "show", "shop", "s1")
    assert private not in out + err + str(made)


async def test_a_rotation_leaves_the_other_algorithm_and_the_former_key(type_: Terminal):
    """Of each algorithm one signs; the former one stays until it is retired, which names the record to remove."""
    for words in (["s1"], ["s2"], ["e1", "--algorithm", "ed25519", "--domain", "shop.example"]):
        await type_.json("dkim", "create", "shop", "--selector", *words)
    for selector in ("s1", "e1", "s2"):
        active = await type_.json("dkim", "activate", "shop", selector, "--unchecked")
    assert active["former"] == ["s1"]
    assert await states(type_) == {"s1": "former", "s2": "active", "e1": "active"}
    assert 'dkim_selectors = ["s2", "e1"]' in (await type_("projects", "export", "shop"))[1]
    gone = await type_.json("dkim", "retire", "shop", "s1", "--yes")
    assert gone == {"retired": "s1", "remove_record": "s1._domainkey.mail.shop.example"}
    await type_.json("dkim", "activate", "shop", "s2", "--unchecked")
    await type_.json("dkim", "retire", "shop", "s2", "--yes")
    assert await states(type_) == {"e1": "active"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("create", "shop", "--selector", "s1"), EXISTS, "has a DKIM key s1 already"),
        (("create", "shop", "--domain", "other.example"), WRONG, "mail.shop.example, the sender's domain"),
        (("create", "shop", "--domain", "example"), WRONG, "--domain"),
        (("create", "shop", "--domain", "ail.shop.example"), WRONG, "--domain"),
        (("create", "shop", "--selector", "S_1"), WRONG, "small letters"),
        (("create", "none"), MISSING, "no project none"),
        (("show", "shop", "s9"), MISSING, "no DKIM key s9"),
        (("activate", "shop", "s9", "--unchecked"), MISSING, "no DKIM key s9"),
        (("retire", "shop", "s9", "--yes"), MISSING, "no DKIM key s9"),
    ],
)
async def test_what_cannot_be_done_is_said(type_: Terminal, words: tuple[str, ...], code: int, says: str):
    """Each refusal has its exit code and names what is wrong."""
    await type_.json("dkim", "create", "shop", "--selector", "s1", "--algorithm", "ed25519")
    found, _, err = await type_("dkim", *words)
    assert (found, says in err) == (code, True), err


async def test_a_project_has_ten_keys_at_most(pool: Pool, settings: Settings):
    """Also when they are made at once."""
    facts: dict[str, Any] = {"domain": "shop.example", "algorithm": "ed25519"}
    made = [dkim_keys.create(pool, settings.key_ring, "shop", selector=f"s{number}", **facts) for number in range(12)]
    found = await asyncio.gather(*made, return_exceptions=True)
    assert sum(isinstance(each, dkim_keys.TooManyKeys) for each in found) == 2
    assert len(await dkim_keys.list_all(pool, "shop")) == dkim_keys.MOST


async def test_a_file_of_settings_says_who_signs_and_changes_nothing(type_: Terminal, tmp_path: Path):
    """A file holds no private key: selectors that differ are noted."""
    file = tmp_path / "shop.toml"
    file.write_text('[projects.shop]\ndkim_selectors = ["s1"]\n')
    code, _, err = await type_("projects", "apply", str(file))
    assert (code, "the project signs with none" in err) == (0, True), err
    await type_.json("dkim", "create", "shop", "--selector", "s1")
    await type_.json("dkim", "activate", "shop", "s1", "--unchecked")
    assert "note" not in (await type_("projects", "apply", str(file)))[2]
    file.write_text("[projects.shop]\ndkim_selectors = 5\n")
    assert (await type_("projects", "apply", str(file)))[0] == WRONG


async def test_the_doctor_looks_at_one_sender(type_: Terminal):
    """`doctor --mail` knows which keys sign for a domain, and needs no relay."""
    made = await type_.json("dkim", "create", "shop", "--selector", "e1", "--algorithm", "ed25519")
    await type_.json("dkim", "activate", "shop", "e1", "--unchecked")
    domain = "mail.shop.example"
    records = {(domain, "TXT"): ["v=spf1 -all"], (made["record_name"], "TXT"): [made["record_value"]]}
    async with DnsServer(records) as dns:
        words = ("doctor", "--mail", domain, "--dns-server", dns.address, "--json")
        code, out, _ = await type_(*words)
        dns.records[f"_dmarc.{domain}", "TXT"] = ["v=DMARC1; p=reject"]
        sound = await type_.json(*words)
    found = {each["about"]: each["state"] for each in json.loads(out)}
    assert (code, found) == (UNWELL, {"SPF": "ok", "DKIM": "ok", "DMARC": "fail", "alignment": "ok"})
    assert {each["state"] for each in sound} == {"ok"}
    assert (await type_("doctor", "--mail", "no domain"))[0] == WRONG
