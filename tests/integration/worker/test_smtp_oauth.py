"""XOAUTH2: access tokens instead of a password, from a token server that may be slow, away or displeased."""

import asyncio
import json
import logging
import shutil
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from testkit.patience import PATIENCE
from testkit.sink import Sink, make_certificate, server_context
from tests.integration.worker.relays import ANN, BOB, MESSAGE, SENDER, kept, outcome, relay
from tests.integration.worker.token_server import TokenServer
from worker.relays import RelayPool, SmtpUrl, TemporaryFailure, parse_urls
from worker.relays.circuit_breaker import TRIES
from worker.relays.smtp import oauth
from worker.relays.smtp.oauth import AccessTokens

USER = "mail@example.com"
SECRET = "cl1ent~s3cret"
Write = Callable[..., Path]


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    async with TokenServer() as server:
        yield server


@pytest.fixture
def write(tmp_path: Path, tokens: TokenServer) -> Write:
    """Writes the file that ?oauth= names, as an operator would; another URL or secret may be given."""

    def write(url: str = "", secret: str = SECRET, more: str = "") -> Path:
        path = tmp_path / "relay-oauth.toml"
        path.write_text(
            f'token_url = "{url or tokens.url}"\nclient_id = "an-id"\nclient_secret = "{secret}"\n'
            f'scope = "https://outlook.office365.com/.default"\n{more}'
        )
        return path

    return write


def by_token(sink: Sink, path: Path) -> SmtpUrl:
    return SmtpUrl("127.0.0.1", sink.port, USER, tls="none", oauth=str(path))


def takes(token: str) -> Sink:
    """A sink that lets in who has this token."""
    return Sink(users={USER: token}, mechanisms="LOGIN XOAUTH2")


def methods(sink: Sink) -> list[str]:
    return [line.split()[1] for line in sink.commands if line.startswith("AUTH")]


async def test_a_token_signs_in(tokens: TokenServer, write: Write) -> None:
    """Client credentials are swapped for a token once; all connections use it until it ends."""
    async with takes("token-1") as sink, relay(server=by_token(sink, write()), mails_a_connection=1) as opened:
        for _ in range(3):
            await opened.send(SENDER, ANN, MESSAGE)
    assert sink.logins == [(USER, True)] * 3
    assert methods(sink) == ["XOAUTH2"] * 3
    assert tokens.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "an-id",
            "client_secret": SECRET,
            "scope": "https://outlook.office365.com/.default",
        }
    ]


async def test_many_connections_ask_once(tokens: TokenServer, write: Write) -> None:
    """Connections that need a token at the same time share one request, and one that is cut off costs no other."""
    tokens.open.clear()
    async with takes("token-1") as sink, relay(server=by_token(sink, write()), connections=5) as opened:
        mails = [asyncio.create_task(opened.send(SENDER, ANN, MESSAGE)) for _ in range(5)]
        await tokens.arrived.wait()
        await sink.wait_for(lambda sink: sink.commands.count("EHLO localhost") == 5)
        tokens.open.set()
        await asyncio.gather(*mails)
    assert (len(tokens.asked), len(sink.mails)) == (1, 5)


async def test_who_asks_may_be_cut_off(tokens: TokenServer, write: Write) -> None:
    """A request for a token whose mail is cancelled is made anew by another mail."""
    tokens.open.clear()
    source = AccessTokens(str(write()), USER)
    first, second = asyncio.create_task(source.get()), asyncio.create_task(source.get())
    await tokens.arrived.wait()
    first.cancel()
    await asyncio.wait({first})
    tokens.open.set()
    assert await second in {"token-1", "token-2"}
    assert len(tokens.asked) == 2


@pytest.mark.parametrize("expires_in", [0.001, "0.001"])
async def test_a_token_is_renewed_before_it_ends(tokens: TokenServer, write: Write, expires_in: object) -> None:
    """One whose time is over is not offered to the relay; a number may come as text."""
    tokens.expires_in = expires_in
    source = AccessTokens(str(write()), USER)
    assert await source.get() == "token-1"
    async with asyncio.timeout(PATIENCE):
        while (token := await source.get()) == "token-1":  # noqa: ASYNC110 - the clock can't be awaited
            await asyncio.sleep(0)
    assert token == "token-2"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [(3600, 3300), (1000, 900), ("3600", 3300), (None, 270), ("soon", 270), (-5, 270), (10**9, 86100)],
)
def test_the_end_of_a_token(told: object, seconds: float) -> None:
    """Five minutes before its end or when a tenth is left; five minutes where nothing sensible is said."""
    body = {"access_token": "x"} | ({} if told is None else {"expires_in": told})
    assert oauth._read(200, json.dumps(body).encode(), 1000.0) == oauth._Kept("x", 1000.0 + seconds)


async def test_535_renews_once(tokens: TokenServer, write: Write) -> None:
    """A token withdrawn before its time is replaced within the same sign-in, and the mail goes out."""
    async with takes("token-1") as sink, relay(server=by_token(sink, write())) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
        sink.users = {USER: "token-2"}
        sink.cut_all()
        await opened.send(SENDER, BOB, MESSAGE)
    assert [right for _, right in sink.logins] == [True, False, True]
    assert (len(tokens.asked), len(sink.mails), sink.connections) == (2, 2, 2)


async def test_a_second_535_calls_the_operator(
    tokens: TokenServer, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """A new token that is refused too is a fault of ours, told once; the token server isn't asked for each mail."""
    async with takes("nobody's") as sink, relay(server=by_token(sink, write()), rest=1000) as opened:
        for _ in range(TRIES):
            fault = await outcome(opened)
            assert (type(fault), fault.code, fault.stage, fault.cause) == (TemporaryFailure, 535, "auth", "ours")
    assert len(tokens.asked) == 2
    assert len(sink.logins) == TRIES + 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert "token-" not in caplog.text


@pytest.mark.parametrize(
    ("status", "body", "cause", "says"),
    [
        (401, {"error": "invalid_client", "error_description": f"AADSTS7000215: wrong {SECRET}"}, "ours",
         "401 invalid_client AADSTS7000215"),
        (400, {"error": "invalid_grant"}, "ours", "400 invalid_grant"),
        (400, {"error": f"no {SECRET}!"}, "ours", "the token server gave no token: 400"),
        (400, {"error": "temporarily_unavailable"}, "server", "400 temporarily_unavailable"),
        (403, "<html>", "ours", "403"),
        (404, "", "ours", "404"),
        (302, "", "ours", "302"),
        (429, {}, "server", "429"),
        (500, "oops", "server", "500"),
        (503, [], "server", "503"),
        (200, "<html>a portal</html>", "ours", "holds no token"),
        (200, {"access_token": ""}, "ours", "holds no token"),
        (200, {"access_token": "a\x01auth=Bearer b"}, "ours", "holds no token"),
        (200, {"access_token": 5}, "ours", "holds no token"),
        (200, "x" * 1_000_000, "ours", "holds no token"),
    ],
)  # fmt: skip
async def test_no_token(  # noqa: PLR0917 - fixtures, and what is tried
    tokens: TokenServer, write: Write, status: int, body: object, cause: str, says: str
) -> None:
    """A refused token names its cause without a secret; AUTH isn't sent, and the next mail goes out."""
    tokens.answers = [(status, body)]
    async with takes("token-1") as sink, relay(server=by_token(sink, write())) as opened:
        fault = await outcome(opened)
        assert (type(fault), fault.code, fault.stage, fault.cause) == (TemporaryFailure, 0, "auth", cause)
        assert says in fault.text
        assert SECRET not in fault.text
        assert methods(sink) == []
        await opened.send(SENDER, ANN, MESSAGE)
    assert len(tokens.asked) == 2


async def test_a_token_server_that_is_away(
    write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is waited for like a relay that is away: nobody is called, and mails go out once a probe finds it back."""
    async with TokenServer() as gone:
        url = gone.url
    async with takes("token-1") as sink, kept(server=by_token(sink, write(url))) as opened:
        for _ in range(TRIES):
            fault = await outcome(opened)
            assert (fault.stage, fault.cause) == ("auth", "server")
        assert "can't be asked" in fault.text
        async with TokenServer() as back:
            # The file is read for each token, so what an operator changes needs no restart.
            write(back.url)
            async with asyncio.timeout(PATIENCE):
                await opened.recovered.wait()
            await opened.send(SENDER, ANN, MESSAGE)
            await opened.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_silent_token_server(tokens: TokenServer, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a deadline of its own, and those who wait for the same answer share it."""
    monkeypatch.setattr(oauth, "_PATIENCE", 2.0)
    tokens.open.clear()
    source = AccessTokens(str(write()), USER)
    faults = await asyncio.gather(*(source.get() for _ in range(4)), return_exceptions=True)
    assert [str(fault) for fault in faults] == ["auth: the token server can't be asked: it gave no answer in time"] * 4
    assert len(tokens.asked) == 1
    tokens.open.set()


async def test_a_relay_without_xoauth2(tokens: TokenServer, write: Write) -> None:
    """Neither a token nor an empty password goes to a relay that doesn't offer the method."""
    async with Sink(users={USER: "token-1"}) as sink, relay(server=by_token(sink, write())) as opened:
        fault = await outcome(opened)
    assert (fault.stage, fault.cause, methods(sink), tokens.asked) == ("auth", "ours", [], [])


async def test_another_relay_stands_in(tokens: TokenServer, write: Write) -> None:
    """Each relay signs in by its own means: where no token can be had, the next has a password."""
    tokens.answers = [(503, "")]
    async with takes("token-1") as first, Sink(users={"bob": "pass"}) as second:
        user = USER.replace("@", "%40")
        by_token_first = f"smtp://{user}@127.0.0.1:{first.port}?tls=none&oauth={write()}"
        opened = RelayPool(*parse_urls(f"{by_token_first} smtp://bob:pass@127.0.0.1:{second.port}?tls=none"))
        carried = [(await opened.send(SENDER, ANN, MESSAGE)).server for _ in range(2)]
        await opened.close()
    assert carried == [f"127.0.0.1:{second.port}", f"127.0.0.1:{first.port}"]


# --- the token server's certificate ------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("openssl") is None, reason="making certificates takes the openssl program")
async def test_the_token_servers_certificate(write: Write, tmp_path: Path) -> None:
    """A secret goes only to a server whose certificate is trusted: the system's, or that of the file's own ca."""
    names = "DNS:localhost,IP:127.0.0.1"
    certificate, key = make_certificate(tmp_path / "ca", names=names, start="20250101000000Z", end="21250101000000Z")
    async with TokenServer(tls=server_context(certificate, key)) as secured:
        with pytest.raises(TemporaryFailure) as caught:
            await AccessTokens(str(write(secured.url)), USER).get()
        assert (caught.value.cause, "certificate" in caught.value.text, secured.asked) == ("ours", True, [])
        trusting = write(secured.url, more=f'ca = "{certificate}"\n')
        assert await AccessTokens(str(trusting), USER).get() == "token-1"


# --- Google's way ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account(key: rsa.RSAPrivateKey, url: str) -> dict[str, str]:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": "shop",
        "private_key_id": "key-7",
        "private_key": pem.decode(),
        "client_email": "mailer@shop.iam.gserviceaccount.com",
        "token_uri": url,
    }


async def test_a_service_account_signs_for_the_mailbox(
    tokens: TokenServer, tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    """Google's key file as it was downloaded: a claim signed by RS256 for the mailbox that SMTP_URL names."""
    path = tmp_path / "key.json"
    path.write_text(json.dumps(service_account(private_key, tokens.url), indent=2))
    async with takes("token-1") as sink, relay(server=by_token(sink, path)) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
    (form,) = tokens.asked
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(form["assertion"], private_key.public_key(), algorithms=["RS256"], audience=tokens.url)
    assert (claims["iss"], claims["sub"]) == ("mailer@shop.iam.gserviceaccount.com", USER)
    assert (claims["scope"], claims["exp"] - claims["iat"]) == ("https://mail.google.com/", 3600)
    assert jwt.get_unverified_header(form["assertion"])["kid"] == "key-7"


# --- the file ----------------------------------------------------------------------------------------------

GOOD = {"token_url": "https://t.example/token", "client_id": "i", "client_secret": SECRET}


def as_toml(**fields: str) -> str:
    return "".join(f'{name} = "{value}"\n' for name, value in fields.items())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "can't be read, or is empty"),
        (f"client_secret = {SECRET}", "neither TOML nor"),
        (f'{{"client_secret": "{SECRET}"', "neither TOML nor"),
        (as_toml(client_secret=SECRET), "lacks token_url"),
        (as_toml(**GOOD | {"client_secret": " "}), "lacks client_secret"),
        (as_toml(**GOOD, password=SECRET), "keys are ca, client_id, client_secret, scope, token_url"),
        (as_toml(**GOOD | {"token_url": "http://t.example/token"}), "must be https"),
        (as_toml(**GOOD | {"token_url": f"https://u:{SECRET}@t.example"}), "no https URL"),
        (as_toml(**GOOD | {"token_url": "https://t.example:99999/"}), "no https URL"),
        (as_toml(**GOOD | {"token_url": SECRET}), "no https URL"),
        (as_toml(**GOOD | {"scope": "a\\nb"}), "scope holds a character"),
        (as_toml(**GOOD, ca="/nowhere.pem"), "ca can't be found"),
        (as_toml(**GOOD).replace(f'"{SECRET}"', "5"), "lacks client_secret"),
        (json.dumps({"client_email": "e@x", "token_uri": "https://t.example"}), "lacks private_key"),
        (json.dumps({"client_email": "e@x", "token_uri": "https://t.example", "private_key": SECRET}), "no RSA key"),
    ],
)
def test_an_unfit_file_stops_the_start(tmp_path: Path, text: str, says: str) -> None:
    """It is read with the settings; what is wrong is said without a piece of it, nor does a traceback show one."""
    path = tmp_path / "oauth"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        parse_urls(f"smtp://u@h?oauth={path}")
    assert SECRET not in "".join(traceback.format_exception(caught.value)).replace(repr(text), "")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://u:p@h?oauth={}", "oauth stands for a password"),
        ("smtp://h?oauth={}", "a user name needs a password"),
        ("smtp://u@h?oauth=/nowhere", "can't be read"),
        ("smtp://u@h?oauth=", "can't be read"),
        ("smtp://u@h?tls=none&oauth={}", "only go to this machine"),
        ("smtp://u@h?oauth={}&oauth={}", "given once"),
    ],
)
def test_an_unfit_url(write: Write, url: str, says: str) -> None:
    """`oauth` names one readable file, stands for the password of a named user, and goes only where a password may."""
    with pytest.raises(ValueError, match=says):
        parse_urls(url.format(write(), write()))


async def test_nothing_shows_a_secret(tokens: TokenServer, write: Write) -> None:
    """Neither the grant nor a source that holds a token prints it."""
    path = write()
    source = AccessTokens(str(path), USER)
    await source.get()
    assert SECRET not in repr(oauth.oauth_grants.read_grant(str(path)))
    assert "token-1" not in repr(source) + repr(source._kept)
