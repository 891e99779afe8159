"""`projects set --smtp-url`: what an operator types, what is kept, and what is never shown."""

import io
import json

import pytest

from service.cli.exit_codes import WRONG
from service.db import Pool
from service.settings import Settings
from service.store import project_relays
from tests.integration.conftest import Terminal

PASSWORD = "s3cret/p@ss word"
pytestmark = pytest.mark.usefixtures("typed", "shop")
URL = "smtp://accounts@relay.example.com:587"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{PASSWORD}\n".encode())))


@pytest.fixture
async def shop(type_: Terminal) -> None:
    await type_("projects", "create", "shop")


async def test_the_password_is_sealed_and_never_shown(type_: Terminal, pool: Pool, settings: Settings):
    """Host and port are told; the URL opens with the keys; neither answers nor the row hold the password."""
    code, out, err = await type_("projects", "set", "shop", "--smtp-url", URL, "--json")
    assert (code, json.loads(out)["smtp_url"]) == (0, "relay.example.com:587")
    assert "--sender-address" in err, "MAIL_FROM may be refused there"
    _, listed, _ = await type_("projects", "list", "--json")
    (row,) = await project_relays.list_all(pool)
    raw = (await pool.fetchrow("select r::text from project_relays r"))[0]
    for text in (out, err, listed, raw, repr(row)):
        assert PASSWORD not in text
        assert "s3cret" not in text
    opened = project_relays.url_of(settings.key_ring, row)
    assert opened.reveal() == "smtp://accounts:s3cret%2Fp%40ss%20word@relay.example.com:587"
    assert (await type_.json("projects", "set", "shop", "--no-smtp"))["smtp_url"] == ""
    assert await project_relays.list_all(pool) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("smtp://accounts:s3cret@relay.example.com", "leave the password out"),
        ("smtp://accounts:s3cret[@relay.example.com", "can't be read"),
        ("smtp://accounts@a.example smtp://accounts@b.example", "one server"),
        ("smtp://accounts@a.example?oauth=/etc/x.json", "without ca and oauth"),
        ("smtp://a.example?ca=/etc/x.pem", "without ca and oauth"),
        ("http://a.example", "smtp or smtps"), ("smtp://", "host is missing"), ("a.example:587", "smtp or smtps"),
        ("smtp://accounts@a.example?tls=none", "only go to this machine"), ("smtp://a.example:0", "port"),
    ],
)  # fmt: skip
async def test_what_no_worker_could_use_is_refused(type_: Terminal, pool: Pool, url: str, said: str):
    """2, with the fault and without the password; nothing is kept."""
    code, out, err = await type_("projects", "set", "shop", "--smtp-url", url)
    assert (code, out, said in err) == (WRONG, "", True), err
    assert "s3cret" not in err
    assert await project_relays.list_all(pool) == []
