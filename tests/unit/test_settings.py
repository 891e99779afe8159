"""Settings: read once, all faults at once, and no secret ever said aloud."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import InvalidSettings, Settings, WorkerSettings
from service.smtp_deadlines import Deadlines
from testkit.patience import PATIENCE

ROOT = Path(__file__).parent.parent.parent
GOOD_KEY = "6f1c9d2e8b3a4750" * 4
FINE = {
    "DATABASE_URL": "postgres://u:hidden-1@db/accounts",
    "REDIS_URL": "redis://:hidden-2@redis/0",
    "SMTP_URL": "smtp://u:hidden-3@relay:587",
    "PUBLIC_URL": "https://accounts.example.com/",
    "SECRET_KEYS": f"k1:{GOOD_KEY}",
}


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets is set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def read(monkeypatch: pytest.MonkeyPatch, kind: type[Settings] = Settings, **changes: str | None) -> Settings:
    for name, value in (FINE | changes).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    return kind.read()


def faults(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> list[str]:
    with pytest.raises(InvalidSettings) as unfit:
        read(monkeypatch, **changes)
    assert str(unfit.value) == "\n".join(unfit.value.faults)
    return unfit.value.faults


def test_five_variables_are_enough(monkeypatch: pytest.MonkeyPatch):
    """Everything else has a default that is safe."""
    settings = read(monkeypatch)
    assert settings.public_url == "https://accounts.example.com"
    assert (settings.host, settings.trusted_hops, settings.limits) == ("127.0.0.1", 0, "on")
    assert settings.key_ring == {"k1": bytes.fromhex(GOOD_KEY)}


def test_all_that_is_missing_is_said_at_once():
    """An operator fixes everything in one go."""
    with pytest.raises(InvalidSettings) as unfit:
        Settings.read()
    assert unfit.value.faults == [
        "DATABASE_URL is not set", "REDIS_URL is not set", "PUBLIC_URL is not set", "SECRET_KEYS is not set",
    ]  # fmt: skip


def test_a_worker_also_needs_a_relay():
    """The API can do without SMTP_URL, a worker can't."""
    with pytest.raises(InvalidSettings) as unfit:
        WorkerSettings.read()
    assert "SMTP_URL is not set" in unfit.value.faults


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch):
    """One line a fault, named as the variable is."""
    found = faults(
        monkeypatch, DATABASE_URL="mysql://u:hidden-1@db/x", REDIS_URL="http://hidden-2", PUBLIC_URL="accounts",
        SECRET_KEYS="k1:hidden-4", PORT="http", TRUSTED_HOPS="9", LIMITS="maybe", MAIL_FROM="nobody",
        LOG_LEVEL="loud", WORKER_ID="a b", DATABASE_CONNECTIONS="0",
    )  # fmt: skip
    assert sorted(line.partition(":")[0] for line in found) == [
        "DATABASE_CONNECTIONS", "DATABASE_URL", "LIMITS", "LOG_LEVEL", "MAIL_FROM", "PORT", "PUBLIC_URL", "REDIS_URL",
        "SECRET_KEYS", "TRUSTED_HOPS", "WORKER_ID",
    ]  # fmt: skip
    assert "DATABASE_URL: starts with postgres:// or postgresql://" in found


def test_the_two_ports_differ(monkeypatch: pytest.MonkeyPatch):
    """Else the process would stand in its own way, and blame another one; 0 is any free port, and so two of them."""
    assert faults(monkeypatch, PORT="8081") == ["HEALTH_PORT: PORT has that one too: they are two"]
    assert read(monkeypatch, PORT="0", HEALTH_PORT="0").port == 0


def test_a_port_for_bounces_needs_their_address(monkeypatch: pytest.MonkeyPatch):
    """No worker would listen there, and the mail server would be turned away."""
    found = faults(monkeypatch, BOUNCE_LMTP_PORT="2424")
    assert found == ["BOUNCE_LMTP_PORT: needs BOUNCE_ADDRESS, whose mails it takes"]
    address = "bounces@bounces.example.com"
    assert read(monkeypatch, BOUNCE_LMTP_PORT="2424", BOUNCE_ADDRESS=address).bounce_lmtp_port == 2424


def test_no_secret_is_ever_said(monkeypatch: pytest.MonkeyPatch):
    """Neither a fault's words, nor repr, nor str hold a value that may be a secret."""
    found = faults(
        monkeypatch, DATABASE_URL="x://u:hidden-1@db/x", REDIS_URL="x://:hidden-2@h", SECRET_KEYS="k1:hidden-4",
        PORT="hidden-5", MAIL_FROM="hidden-6", WORKER_ID="hidden 7",
    )  # fmt: skip
    assert len(found) == 6
    assert "hidden" not in "\n".join(found)


def test_settings_hide_their_secrets(monkeypatch: pytest.MonkeyPatch):
    """Printed or logged by mistake, settings say nothing."""
    settings = read(monkeypatch)
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert "hidden" not in shown
    assert GOOD_KEY not in shown


@pytest.mark.parametrize(
    "keys",
    ["", ",", "k1", "k1:", f":{GOOD_KEY}", GOOD_KEY, "k1:" + "0" * 64, "k1:" + "ab" * 32,
     "k1:" + "0123456789abcdef" * 4,
     "k1:" + "deadbeef" * 8, "k1:" + "a1" * 31, f"k1:{GOOD_KEY[:-1]}g", "k1:" + "f0e1d2c3b4a59687" * 9,
     f"k1:{GOOD_KEY},k1:{GOOD_KEY[::-1]}", f"k 1:{GOOD_KEY}", f"{'k' * 17}:{GOOD_KEY}", f"k1:{GOOD_KEY},",
     "changeme:" + "changeme" * 8],
)  # fmt: skip
def test_weak_or_malformed_keys_refuse_to_start(monkeypatch: pytest.MonkeyPatch, keys: str):
    """Short, guessable, copied from a document, twice the same name: no start, and the key is not repeated."""
    (fault,) = faults(monkeypatch, SECRET_KEYS=keys)
    assert fault.startswith("SECRET_KEYS: ")
    assert not [part for part in keys.split(":") if len(part) > 20 and part in fault]


def test_keys_are_an_ordered_ring(monkeypatch: pytest.MonkeyPatch):
    """The first key makes, the others still open; blanks around a comma do not matter."""
    settings = read(monkeypatch, SECRET_KEYS=f"b:{GOOD_KEY[::-1]}, a:{GOOD_KEY.upper()}")
    assert list(settings.key_ring) == ["b", "a"]
    assert settings.key_ring["a"] == bytes.fromhex(GOOD_KEY)


@pytest.mark.parametrize(
    "url", ["accounts.example.com", "ftp://a.b", "https://", "https://a.b/path", "https://a.b/?x=1", "//a.b", ""]
)
def test_the_public_address_is_an_origin(monkeypatch: pytest.MonkeyPatch, url: str):
    """Links to our own pages start with it, so it has a scheme, a host and nothing behind."""
    (fault,) = faults(monkeypatch, PUBLIC_URL=url)
    assert fault.startswith("PUBLIC_URL: an origin such as")


@pytest.mark.parametrize("address", ["", "x", "a@", "@b", "a b@c", "a@b\nX: y", "A <a@b.c>"])
def test_the_sender_is_one_address(monkeypatch: pytest.MonkeyPatch, address: str):
    """The sender in From can't add a header."""
    (fault,) = faults(monkeypatch, MAIL_FROM=address)
    assert fault.startswith("MAIL_FROM: an address such as")


@pytest.mark.parametrize(
    ("public_url", "helo"),
    [
        ("https://accounts.example.com", "accounts.example.com"),
        ("https://Accounts.Example.COM:8443", "accounts.example.com"),
        ("https://accounts.example.com.", "accounts.example.com"),
        ("https://konten.münchen.de", "konten.xn--mnchen-3ya.de"),
        ("http://localhost:8080", "localhost"),
        ("http://127.0.0.1:8080", "[127.0.0.1]"),
        ("http://[2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("http://my_host", "localhost"),
        ("http://a..b", "localhost"),
    ],
)
def test_workers_call_themselves_by_the_public_host(monkeypatch: pytest.MonkeyPatch, public_url: str, helo: str):
    """EHLO has a name that the DNS can know, or an address literal, unless SMTP_HELO says another."""
    assert read(monkeypatch, PUBLIC_URL=public_url).helo == helo
    assert read(monkeypatch, PUBLIC_URL=public_url, SMTP_HELO="mail.example.com").helo == "mail.example.com"


@pytest.mark.parametrize("name", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost", "a.b-c.example", "x" * 63 + ".de"])
def test_a_name_for_ehlo(monkeypatch: pytest.MonkeyPatch, name: str):
    """A domain or an address literal, as RFC 5321 4.1.1.1 has them."""
    assert read(monkeypatch, SMTP_HELO=name).helo == name


@pytest.mark.parametrize(
    "name",
    ["web_1", "a b", "-a.de", "a-.de", "a..b", ".a", "192.0.2.1]", "[192.0.2.1", "[2001:db8::1]", "[IPv6:192.0.2.1]",
     "[]", "münchen.de", "a\r\nMAIL FROM:<x>", "x" * 64, "a." * 127 + "abc", "[1.2.3.4 x]"],
)  # fmt: skip
def test_no_name_for_ehlo(monkeypatch: pytest.MonkeyPatch, name: str):
    """Neither what relays refuse nor what could carry another command gets as far as a relay."""
    (fault,) = faults(monkeypatch, SMTP_HELO=name)
    assert fault.startswith("SMTP_HELO: a host name such as")


def test_timeouts_are_set_by_step(monkeypatch: pytest.MonkeyPatch):
    """Steps that are named change, the others keep their defaults; what is printed can be read again."""
    assert read(monkeypatch).smtp_timeouts == Deadlines()
    changed = read(monkeypatch, SMTP_TIMEOUTS=" banner=60, ehlo = 12.5,").smtp_timeouts
    assert changed == Deadlines(banner=60, ehlo=12.5)
    assert read(monkeypatch, SMTP_TIMEOUTS=str(changed)).smtp_timeouts == changed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("60", "the steps are connect, tls, banner"),
        ("greeting=60", "the steps are connect, tls, banner"),
        ("banner", "banner is a number of seconds"),
        ("banner=", "banner is a number of seconds"),
        ("banner=0", "banner is a number of seconds"),
        ("banner=-5", "banner is a number of seconds"),
        ("banner=1801", "banner is a number of seconds"),
        ("banner=nan", "banner is a number of seconds"),
        ("banner=1e3", "banner is a number of seconds"),
        ("banner=1,banner=2", "banner stands twice"),
    ],
)
def test_bad_timeouts_are_named(monkeypatch: pytest.MonkeyPatch, text: str, says: str):
    """A step that there is not, a number that is none, and one that no worker should wait for."""
    (fault,) = faults(monkeypatch, SMTP_TIMEOUTS=text)
    assert fault.startswith(f"SMTP_TIMEOUTS: {says}")


@pytest.mark.parametrize("module", ["service", "worker"])
def test_an_unfit_process_does_not_start(module: str):
    """Exit code 5, every fault on a line of standard error, no traceback, no value."""
    words = [sys.executable, "-m", module, *(["serve"] if module == "service" else [])]
    bad = {"PATH": "/usr/bin:/bin", "DATABASE_URL": "x://hidden", "SECRET_KEYS": "k1:hidden"}
    done = subprocess.run(words, cwd=ROOT, env=bad, capture_output=True, text=True, timeout=PATIENCE, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 5
    assert lines[0] == "the settings are unfit:"
    assert {line.split()[0].rstrip(":") for line in lines[1:]} >= {
        "DATABASE_URL",
        "REDIS_URL",
        "PUBLIC_URL",
        "SECRET_KEYS",
    }
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["/abc", "/0/1", "/-1", "/1.5", "/0#x", "//", "/ 0", "/٣"])
def test_a_redis_database_is_a_number(monkeypatch: pytest.MonkeyPatch, path: str):
    """The client would take database 0 in silence for any other path."""
    (fault,) = faults(monkeypatch, REDIS_URL=f"redis://:hidden-2@redis{path}")
    assert fault.startswith("REDIS_URL: its path is the number of a database")
    assert "hidden" not in fault


@pytest.mark.parametrize("url", ["redis://redis", "redis://redis/", "rediss://redis:6380/15", "redis://redis/0?timeout=1",
                                 "unix:///run/redis/redis.sock?db=2"])  # fmt: skip
def test_a_redis_database_may_be_left_out(monkeypatch: pytest.MonkeyPatch, url: str):
    """No path is database 0; a socket's path is the socket's."""
    assert read(monkeypatch, REDIS_URL=url).redis_url.get_secret_value() == url


@pytest.mark.parametrize(
    "rest", ["a/accounts", "a:1,[::1]:26380,c/accounts/15", "u:p%2Fw@a/accounts/0?sentinel_user=s"]
)
def test_sentinels_are_addresses_and_a_name(monkeypatch: pytest.MonkeyPatch, rest: str):
    """One or several, with ports or without; the number of the database may be left out."""
    url = f"redis+sentinel://{rest}"
    assert read(monkeypatch, REDIS_URL=url).redis_url.get_secret_value() == url


@pytest.mark.parametrize(
    "rest", ["a", "a/", "a/0/accounts", "a/accounts/x", "a,/accounts", "/accounts", "a/b?sentinel=c"]
)
def test_sentinels_without_a_name_are_refused(monkeypatch: pytest.MonkeyPatch, rest: str):
    """A typing error ends the start, and is not taken for an option or a default."""
    (fault,) = faults(monkeypatch, REDIS_URL=f"redis+sentinel://{rest}")
    assert fault.startswith("REDIS_URL: ")


@pytest.mark.parametrize("value", ["", "no", "0", "OFF"])
def test_prepared_statements_are_on_or_off(monkeypatch: pytest.MonkeyPatch, value: str):
    """Another word would leave them on, and half of the statements would fail behind a pooler."""
    (fault,) = faults(monkeypatch, DATABASE_URL=f"postgres://u:hidden@db/accounts?prepared_statements={value}")
    assert fault == "DATABASE_URL: prepared_statements is on or off"
