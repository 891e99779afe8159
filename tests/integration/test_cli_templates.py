"""`python -m service templates`: own templates are checked when they are set, shown, tried, and taken back."""

from pathlib import Path
from typing import Any

import pytest

from service.cli.exit_codes import MISSING, UNWELL, WRONG
from service.db import Pool
from service.store import projects
from service.template_overrides.values import MOST
from testkit.sink import Sink
from tests.integration.conftest import Terminal

TEXT = "Hallo {{ account }},\n{% if device %}von {{ device }}\n{% endif %}\n{{ link }}\n"


@pytest.fixture
async def files(type_: Terminal, project: projects.Project, tmp_path: Path) -> Any:
    """Writes a file and returns its path."""

    def write(name: str, text: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


async def test_a_template_is_set_part_by_part(type_: Terminal, files: Any):
    """Parts that are not named stay; the list has sizes and no sources."""
    place = ("shop", "recovery", "--locale", "de")
    await type_.json("templates", "set", *place, "--text", files("a", TEXT))
    set_ = await type_.json("templates", "set", *place, "--subject", files("b", "Neues Passwort für {{ project }}\n"))
    assert set_["parts"] == ["subject (33 bytes)", f"text ({len(TEXT)} bytes)"]
    (row,) = await type_.json("templates", "list", "--project", "shop")
    assert (row["project"], row["letter"], row["locale"], row["faults"]) == ("shop", "recovery", "de", [])
    shown = await type_.json("templates", "show", *place)
    assert (shown["subject"], shown["text"]) == ("Neues Passwort für {{ project }}", TEXT)
    assert shown["own"] == ["subject", "text"]
    assert "{{ link }}" in shown["html"], "ours, to begin with"


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ("one\ntwo\n{% for x in link %}{% endfor %}{{ link }}", "text: line 3: a loop is not allowed"),
        ("{{ link }}\n{{ link.__class__ }}", "text: line 2: a dot after a value is not allowed"),
        ("{{ link }}\n\n{% if ip %}", "text: line 3: Unexpected end of template"),
        ("Hello", "text: the letter lacks its link"),
        ("{% if ip %}{{ link }}{% endif %}.", "for readers without ip"),
        ("{{ link }}" + "x" * 16_400, "text: the source has more than 16384 bytes"),
    ],
)
async def test_a_broken_template_is_refused_with_its_line(type_: Terminal, files: Any, broken: str, fault: str):
    """Nothing of the command is kept then, not even its other parts."""
    words = ("shop", "recovery", "--text", files("a", broken), "--subject", files("b", "x"))
    code, out, err = await type_("templates", "set", *words)
    assert (code, out, fault in err) == (WRONG, "", True), err
    assert await type_.json("templates", "list") == []


async def test_a_template_is_tried_with_the_project_s_own_name(type_: Terminal, files: Any, pool: Pool):
    """One that would be too large in each of its mails is refused when it is set."""
    await pool.execute("update projects set name = $1 where id = 'shop'", "x" * 128)
    words = ("shop", "recovery", "--subject", files("a", "{{ project }} " * 3))
    code, _, err = await type_("templates", "set", *words)
    assert (code, "the output is too large" in err) == (WRONG, True), err
    assert await type_.json("templates", "list") == []


@pytest.mark.parametrize(
    "subject", ["{{ link }}", "a\nBcc: eve@example.com", "a\r\n\r\nb", "{{ project }}\n{{ account }}"]
)
async def test_a_subject_is_one_line_without_a_secret(type_: Terminal, files: Any, subject: str):
    """It becomes a header, which relays log."""
    assert (await type_("templates", "set", "shop", "recovery", "--subject", files("a", subject)))[0] == WRONG
    assert await type_.json("templates", "list") == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["set", "shop", "recovery"], WRONG), (["set", "shop", "none", "--text", "x"], WRONG),
        (["set", "shop", "relay_test", "--text", "x"], WRONG),
        (["set", "shop", "recovery", "--text", "-", "--html", "-"], WRONG),
        (["set", "shop", "recovery", "--text", "/none/at/all"], WRONG), (["reset", "shop", "recovery"], MISSING),
        (["show", "none", "recovery"], MISSING), (["list", "--project", "none"], MISSING),
        (["preview", "none", "recovery"], MISSING), (["show", "shop", "recovery", "--locale", "xx-yy-zz"], WRONG),
        (["show", "shop", "recovery", "--locale", "root"], WRONG),
        (["show", "shop", "recovery", "--locale", ".."], WRONG),
        (["send-test", "shop", "recovery", "--to", "a@b\nBcc: c@d"], WRONG),
    ],
)  # fmt: skip
async def test_wrong_words(type_: Terminal, project: projects.Project, words: list[str], code: int):
    """An unknown project is missing, everything else is a usage error."""
    assert (await type_("templates", *words))[0] == code


async def test_a_file_that_is_no_text(type_: Terminal, files: Any):
    """Bytes that are not UTF-8 are named before anything is opened."""
    code, _, err = await type_("templates", "set", "shop", "recovery", "--text", files("a", b"\xff\xfe"))
    assert (code, "is not UTF-8" in err) == (WRONG, True)


async def test_reset_brings_ours_back(type_: Terminal, files: Any):
    """Of one language, or of all."""
    for locale in ("*", "de", "fr"):
        await type_.json("templates", "set", "shop", "recovery", "--locale", locale, "--text", files("a", TEXT))
    assert (await type_.json("templates", "reset", "shop", "recovery", "--locale", "de"))["reset"] == 1
    assert [row["locale"] for row in await type_.json("templates", "list")] == ["*", "fr"]
    assert (await type_.json("templates", "reset", "shop", "recovery", "--all"))["reset"] == 2
    assert await type_.json("templates", "list") == []


async def test_one_part_is_reset(type_: Terminal, files: Any):
    """The others stay; the last one takes the template along."""
    place = ("shop", "recovery", "--locale", "de")
    await type_.json("templates", "set", *place, "--text", files("a", TEXT), "--subject", files("b", "Hallo"))
    await type_.json("templates", "reset", *place, "--part", "subject")
    assert (await type_.json("templates", "show", *place))["own"] == ["text"]
    assert (await type_("templates", "reset", *place, "--part", "subject"))[0] == MISSING
    await type_.json("templates", "reset", *place, "--part", "text")
    assert await type_.json("templates", "list") == []


async def test_a_project_has_so_many_templates(type_: Terminal, files: Any, pool: Pool):
    """No more than workers can look after cheaply; those that are there can still be changed."""
    await pool.execute(
        "insert into template_overrides (project_id, letter, locale, subject)"
        " select 'shop', 'letter_' || translate(n::text, '0123456789', 'abcdefghij'), 'de', 'x'"
        " from generate_series(1, $1::int) n",
        MOST - 1,
    )
    place = ("templates", "set", "shop", "recovery", "--subject", files("a", "Hallo"))
    assert (await type_(*place))[0] == 0
    code, _, err = await type_(*place, "--locale", "de")
    assert (code, "at most 500 own templates" in err) == (WRONG, True)
    assert (await type_(*place))[0] == 0


async def test_a_preview_has_invented_values(type_: Terminal, files: Any):
    """The reader's language chooses as in a mail; parts that are ours stay ours."""
    await type_.json("templates", "set", "shop", "recovery", "--locale", "de", "--text", files("a", TEXT))
    seen = await type_.json("templates", "preview", "shop", "recovery", "--locale", "de-at")
    assert seen["text"] == "Hallo a•••@example.com,\nvon Firefox 130.0, Linux\nhttps://example.com/?a=1&b=2\n"
    assert "Shop" in seen["subject"]
    assert "Hallo" not in (await type_.json("templates", "preview", "shop", "recovery", "--locale", "en"))["text"]
    code, out, _ = await type_("templates", "preview", "shop", "recovery", "--locale", "de", "--part", "text")
    assert (code, out) == (0, seen["text"])


async def test_what_show_prints_can_be_set(type_: Terminal, files: Any):
    """Ours is a source to begin with, through a file."""
    code, out, _ = await type_("templates", "show", "shop", "otp", "--locale", "fr", "--part", "html")
    assert code == 0
    await type_.json("templates", "set", "shop", "otp", "--locale", "fr", "--html", files("a", out))


async def test_a_test_letter_says_so(type_: Terminal, files: Any, monkeypatch: pytest.MonkeyPatch):
    """Sent by the workers' code with the project's sender, marked in its subject; a refusal is a failure."""
    await type_.json("templates", "set", "shop", "recovery", "--subject", files("a", "Hallo {{ project }}"))
    async with Sink() as sink:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{sink.port}?tls=none")
        words = ("templates", "send-test", "shop", "recovery", "--to", "ann@example.com")
        (sent,) = await type_.json(*words)
        assert (sent["about"], sent["state"]) == ("letter", "ok")
        assert b"Subject: [Test] Hallo Shop\r\n" in sink.mails[0].content
        sink.script("rcpt", "550 5.1.1 nobody")
        assert (await type_(*words))[0] == UNWELL


async def test_a_template_that_rules_have_left_behind(type_: Terminal, project: projects.Project, pool: Pool):
    """One that an earlier release took is listed with its fault, and a preview says what workers do."""
    await pool.execute(
        "insert into template_overrides (project_id, letter, locale, body_text) values ('shop', 'recovery', '*', $1)",
        "{{ link }}\n{{ gone }}",
    )
    (row,) = await type_.json("templates", "list")
    assert row["faults"][0].startswith("text: line 2: no value gone")
    code, out, _ = await type_("templates", "preview", "shop", "recovery")
    assert (code, "workers send ours" in out) == (UNWELL, True)
