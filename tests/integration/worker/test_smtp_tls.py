"""F40: without a certificate that we trust, neither password nor mail leaves us."""

import shutil
import ssl
from pathlib import Path

import pytest

from testkit.sink import Sink, make_certificate, server_context
from tests.integration.worker.relays import ANN, BOB, MESSAGE, PASSWORD, QUOTED, SENDER, outcome, relay
from worker.relays import Deadlines, RelayPool, SmtpUrl, TemporaryFailure, parse_urls

GOOD_DATES = ("20250101000000Z", "21250101000000Z")
OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="making certificates takes the openssl program")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates good, for another name, and long expired, in folders of these names."""
    folder = tmp_path_factory.mktemp("tls")
    own = "DNS:localhost,IP:127.0.0.1"
    make_certificate(folder / "good", names=own, start=GOOD_DATES[0], end=GOOD_DATES[1])
    make_certificate(folder / "stranger", names=own, start=GOOD_DATES[0], end=GOOD_DATES[1])
    make_certificate(folder / "other", names="DNS:other.test", start=GOOD_DATES[0], end=GOOD_DATES[1])
    make_certificate(folder / "expired", names=own, start="20200101000000Z", end="20200102000000Z")
    return folder


def secured(folder: Path, *, implicit: bool) -> Sink:
    context = server_context(folder / "cert.pem", folder / "key.pem")
    return Sink(tls=context, implicit=implicit, users={"ann": PASSWORD})


def strict(sink: Sink, folder: Path, *, implicit: bool) -> SmtpUrl:
    scheme = "smtps" if implicit else "smtp"
    (server,) = parse_urls(f"{scheme}://ann:{QUOTED}@127.0.0.1:{sink.port}?ca={folder / 'cert.pem'}")
    return server


@OPENSSL
@pytest.mark.parametrize("implicit", [True, False])
async def test_tls(certificates: Path, implicit: bool) -> None:
    """With a certificate we trust, STARTTLS and implicit TLS carry sign-in and mail, over one connection."""
    async with secured(certificates / "good", implicit=implicit) as sink:
        async with relay(sink, server=strict(sink, certificates / "good", implicit=implicit)) as opened:
            await opened.send(SENDER, ANN, MESSAGE)
            await opened.send(SENDER, BOB, MESSAGE)
        await sink.wait_for(lambda sink: not sink.sessions)
    assert (len(sink.mails), sink.connections) == (2, 1)
    assert sink.logins == [("ann", True)]


@OPENSSL
@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize(
    ("shown", "trusted", "text"),
    [
        ("stranger", "good", "self-signed|self signed"),
        ("other", "other", "not valid for"),
        ("expired", "expired", "expired"),
    ],
)
async def test_f40_a_bad_certificate(certificates: Path, shown: str, trusted: str, text: str, implicit: bool) -> None:
    """Untrusted, for another host, or expired: neither password nor mail is sent, and the mail waits."""
    async with secured(certificates / shown, implicit=implicit) as sink:
        async with relay(sink, server=strict(sink, certificates / trusted, implicit=implicit)) as opened:
            fault = await outcome(opened)
        await sink.wait_for(lambda sink: not sink.sessions)
    assert (type(fault), fault.code, fault.stage) == (TemporaryFailure, 0, "tls")
    assert any(each in fault.text for each in text.split("|"))
    assert (sink.logins, sink.mails) == ([], [])


@pytest.mark.parametrize("reply", ["", "454 4.7.0 TLS not available", "220 go\n250 injected"])
async def test_f40_no_tls_no_mail(reply: str) -> None:
    """A server without STARTTLS, or one that refuses it, gets neither password nor mail: no fall-back."""
    extensions = ("STARTTLS",) if reply else ()
    async with Sink(extensions=extensions, users={"ann": PASSWORD}) as sink:
        (server,) = parse_urls(f"smtp://ann:{QUOTED}@127.0.0.1:{sink.port}")
        async with relay(sink, server=server, deadlines=Deadlines(tls=1.0)) as opened:
            fault = await outcome(opened)
    assert (type(fault), fault.stage) == (TemporaryFailure, "tls")
    assert (sink.logins, sink.mails) == ([], [])
    assert not [command for command in sink.commands if command.startswith(("MAIL", "AUTH"))]


def test_a_ca_file_without_certificates(tmp_path: Path) -> None:
    """A CA file that holds no certificate stops the start, not the mails."""
    (tmp_path / "ca.pem").write_text("nothing")
    (server,) = parse_urls(f"smtp://h?ca={tmp_path / 'ca.pem'}")
    with pytest.raises(ssl.SSLError):
        RelayPool(server)


async def test_f40_implicit_tls_to_a_plain_port() -> None:
    """smtps:// to a server that speaks plain SMTP fails at TLS, sends nothing, and names the scheme to mend."""
    async with Sink() as sink, relay(sink, server=SmtpUrl("127.0.0.1", sink.port, tls="implicit")) as opened:
        fault = await outcome(opened)
    assert (type(fault), fault.stage) == (TemporaryFailure, "tls")
    assert fault.text == "it does not begin with TLS: smtps:// is for ports that do (465), smtp:// for STARTTLS (587)"
    assert sink.commands == []
