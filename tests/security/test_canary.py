"""One journey through everything that is secret, and then a search for it (docs/security.md S22, G18)."""

import base64
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import aiohttp
import pytest
from redis.asyncio import Redis

from service.crypto import totp
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import projects, users
from testkit import edge, processes
from testkit.api import Api, cookie_of
from testkit.api_keys import key
from testkit.factors import AUTHENTICATOR, CHALLENGES, RECOVERY
from testkit.first_tab import ask, enter
from testkit.hosted_pages import open_link
from testkit.identity_provider import CLIENT_SECRET, IdentityProvider
from testkit.letters import link_of, parameters_of, text_of
from testkit.phones import ANN as NUMBER
from testkit.phones import SESSION as BY_PHONE
from testkit.phones import TOKENS as TEXTS
from testkit.phones import VERIFICATION
from testkit.sink import Mail, Sink
from testkit.sms_sink import SmsSink, allow
from testkit.targets import PATH as TARGETS
from testkit.visitor import HOME, SESSIONS, TOKENS, Visitor, parameters
from testkit.waiting import until
from testkit.webhook_receiver import Receiver
from tests.integration.conftest import Terminal
from tests.integration.worker.test_delivery import everything_in
from tests.security import pipeline_secrets
from tests.security.pipeline_secrets import Pipeline

ANN, URL = "ann@example.com", "http://localhost/landing"
NEW_KEY = "9a3be17745c0d82f" * 4
# A text is found by any piece of this many characters: nobody has to log all of it.
_PIECE = 16


@dataclass
class Canaries:
    """Values that must stand nowhere, by kind; `answers` are the bodies that refused clients got."""

    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def note(self, name: str, text: str) -> str:
        self.secrets[name] = text
        return text

    def cookie(self, name: str, header: dict[str, str]) -> dict[str, str]:
        """A session as the browser keeps it: the cookie's value, and the secret inside."""
        value = unquote(header["Cookie"].partition("=")[2])
        self.note(f"{name}, as a cookie", value)
        self.note(name, json.loads(base64.b64decode(value + "==="))["secret"])
        return header

    def told(self, answer: Any) -> Any:
        if answer.status >= 400:
            self.answers.append(json.dumps(answer.data))
        return answer

    def found_in(self, place: str, text: str) -> list[str]:
        """The names of those of which a piece stands there."""
        return [
            f"{name} in {place}"
            for name, secret in self.secrets.items()
            # Postgres shows bytes in hex.
            if any(part in text or part.encode().hex() in text for part in pieces(secret))
        ]


def is_notice(mail: Mail) -> bool:
    return "The password of your" in text_of(mail)


def pieces(secret: str) -> list[str]:
    if len(secret) <= _PIECE:
        return [secret]
    return [secret[at : at + _PIECE] for at in range(0, len(secret) - _PIECE + 1, _PIECE // 2)]


@dataclass
class Journey:
    api: Api
    pool: Pool
    sink: Sink
    canaries: Canaries
    provider: IdentityProvider
    webhook: SmsSink

    def __post_init__(self) -> None:
        self.visitor = Visitor(self.api, self.provider)

    async def mailed(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        """Ask for a mail; the mail."""
        before = await self._settled()
        answer = await self.api.call(method, path, json=body, headers=headers)
        assert answer.status == 201, answer.data
        return (await self.sink.wait_for(before + 1))[before]

    async def _settled(self) -> int:
        """Wait for the notices of what was done before; the number of mails."""
        await until(lambda: self.pool.fetch("select 1 having not exists (select from mails where ended_at is null)"))
        return len(self.sink.mails)

    def of_link(self, name: str, mail: Any) -> dict[str, str]:
        """The secret in its link; the token's id, the beginning of the secret, is none."""
        found = parameters_of(link_of(mail))
        self.canaries.note(name, found["secret"][20:])
        return {name: found[name] for name in ("userId", "secret") if name in found}

    async def go(self) -> None:
        first = self.canaries.note("the first password", "Erstes-Passwort-93!")
        await self.api.sign_up(ANN, first)
        member = self.canaries.cookie("a session by password", await self.api.sign_in(ANN, first))
        jwt = (await self.api.call("POST", "/v1/account/jwt", headers=member)).data["jwt"]
        self.canaries.note("a JWT's signature", jwt.rpartition(".")[2])
        bearer = {"X-Appwrite-JWT": jwt}
        assert (await self.api.call("GET", "/v1/account", headers=bearer)).status == 200
        mail = await self.mailed("POST", "/v1/account/verification", {"url": URL}, member)
        proof = self.of_link("a proof", mail)
        assert (await self.api.call("PUT", "/v1/account/verification", json=proof)).status == 200
        await self._be_texted(member, first)
        await self._add_factors(member)
        await self._sign_in_by_mail()
        await self._recover()
        await self._go_to_a_provider()
        await self._register()
        await self._wait_in_the_first_tab()
        await self._serve()
        await self._err(member, first)

    async def _be_texted(self, member: dict[str, str], password: str) -> None:
        """Prove a number, sign in with it, and mistype a code of it."""
        body = {"phone": NUMBER, "password": password}
        assert (await self.api.call("PATCH", "/v1/account/phone", json=body, headers=member)).status == 200
        proof = await self._text("a code that proves a number", VERIFICATION, {}, member)
        assert (await self.api.call("PUT", VERIFICATION, json=proof, headers=member, modern=True)).status == 200
        proof = await self._text("a code by phone", TEXTS, {"userId": "unique()", "phone": NUMBER})
        wrong = proof | {"secret": f"{(int(proof['secret']) + 1) % 1_000_000:06}"}
        self.canaries.told(await self.api.call("PUT", BY_PHONE, json=wrong, modern=True))
        answer = await self.api.call("PUT", BY_PHONE, json=proof, modern=True)
        assert answer.status == 201, answer.data
        self.canaries.cookie("a session by phone", {"Cookie": cookie_of(answer)})
        self.canaries.told(await self.api.call("PUT", BY_PHONE, json=proof, modern=True))

    async def _text(
        self, name: str, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, str]:
        """Ask for an SMS; what it brings."""
        asked = len(self.webhook.received)
        answer = await self.api.call("POST", path, json=body, headers=headers, modern=True)
        assert answer.status == 201, answer.data
        await self.webhook.wait_for(asked + 1)
        code = self.webhook.received[asked]["text"][:6]
        self.canaries.note(name, f'"{code}"')
        return {"userId": answer.data["userId"], "secret": code}

    async def _add_factors(self, member: dict[str, str]) -> None:
        """Enrol an authenticator app, and make recovery codes, of which one is used."""
        call = self.api.call
        made = await call("POST", AUTHENTICATOR, headers=member, modern=True)
        secret = self.canaries.note("the secret of an app", made.data["secret"])
        otp = totp.code_at(Secret(secret), int(time.time()) // totp.STEP)
        assert (await call("PUT", AUTHENTICATOR, json={"otp": otp}, headers=member, modern=True)).status == 200
        codes = (await call("POST", RECOVERY, headers=member, modern=True)).data["recoveryCodes"]
        for number, code in enumerate(codes[:2]):
            self.canaries.note(f"recovery code {number}", code)
            self.canaries.note(f"recovery code {number} without its hyphens", code.replace("-", ""))
        challenge = await call("POST", CHALLENGES, json={"factor": "recoverycode"}, headers=member, modern=True)
        answer = {"challengeId": challenge.data["$id"], "otp": codes[0]}
        assert (await call("PUT", CHALLENGES, json=answer, headers=member, modern=True)).status == 200
        self.canaries.told(await call("PUT", CHALLENGES, json=answer, headers=member, modern=True))

    async def _sign_in_by_mail(self) -> None:
        mail = await self.mailed("POST", "/v1/account/sessions/magic-url", {"email": ANN, "url": URL})
        proof = self.of_link("a link to sign in with", mail)
        answer = await self.api.call("PUT", "/v1/account/sessions/magic-url", json=proof)
        assert answer.status == 201
        self.canaries.cookie("a session by link", {"Cookie": answer.headers.getall("Set-Cookie")[-1].partition(";")[0]})
        body = {"email": ANN, "userId": "unique()"}
        proof = await self._code("a code", "/v1/account/tokens/email", body)
        assert (await self.api.call("POST", "/v1/account/sessions/token", json=proof, modern=True)).status == 201

    async def _wait_in_the_first_tab(self) -> None:
        """The cookie of a browser that waits, and the secret of the link that its reader approves elsewhere."""
        await projects.change(self.pool, "shop", magic_links="first-tab", name="Tabs")
        page, sent = "/auth/magic-url/new?project=shop", {"X-Appwrite-Project": None}

        async def is_known() -> bool:
            return "Tabs" in (await self.api.call("GET", page, headers=sent)).data

        await until(is_known)
        asked = await self._settled()
        tab = await ask(self.api, ANN)
        self.canaries.note("the cookie of a tab that waits", tab.cookie.partition(".")[2])
        secret = parameters_of(link_of((await self.sink.wait_for(asked + 1))[asked]))["secret"]
        self.canaries.note("a link that finishes in the first tab", secret[14:])
        self.canaries.told(await tab.open())
        assert (await enter(self.api, secret, tab.number)).status == 200
        assert (await tab.open()).status == 201

    async def _code(self, name: str, path: str, body: dict[str, Any]) -> dict[str, str]:
        """Ask for a code; what its mail brings."""
        asked = await self._settled()
        answer = await self.api.call("POST", path, json=body, modern=True)
        assert answer.status == 201
        mail = (await self.sink.wait_for(asked + 1))[asked]
        (code,) = re.findall(r"^(\d{6})\r?$", text_of(mail), re.MULTILINE)
        # Six digits stand in many a number: a code is looked for where it would be written as one.
        self.canaries.note(name, f'"{code}"')
        return {"userId": answer.data["userId"], "secret": code}

    async def _recover(self) -> None:
        proof = await self._code("a recovery's code", "/v1/account/recovery/otp", {"email": ANN})
        body = proof | {"password": self.canaries.note("the password set by a code", "Anderes-Passwort-29!")}
        assert (await self.api.call("PUT", "/v1/account/recovery/otp", json=body, modern=True)).status == 200
        await self.sink.wait_for(lambda sink: any(map(is_notice, sink.mails)), 30)
        mail = await self.mailed("POST", "/v1/account/recovery", {"email": ANN, "url": URL})
        proof = self.of_link("a recovery", mail)
        address = f"/auth/recovery?project=shop&userId={proof['userId']}&secret={proof['secret']}"
        assert (await open_link(self.api, address)).status == 200
        second = self.canaries.note("the second password", "Zweites-Passwort-47!")
        body = proof | {"password": second, "passwordAgain": second}
        assert (await self.api.call("PUT", "/v1/account/recovery", json=body)).status == 200
        mails = await self.sink.wait_for(lambda sink: any(map(is_notice, sink.mails)), 30)
        self.of_link("a notice's link", next(filter(is_notice, mails)))

    async def _go_to_a_provider(self) -> None:
        """State, code, verifier, the provider's tokens and our cookie, on the way there and back."""
        started = await self.visitor.start()
        back = await self.provider.sign_in(started.headers["Location"])
        (cookie,) = [value for name, (value, _) in self.visitor.cookies.items() if name.startswith("oauth_")]
        self.canaries.note("the cookie of a sign-in by a provider", cookie)
        self.canaries.note("its state", back["state"][21:])
        self.canaries.note("its code", back["code"])
        ended = await self.visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}")
        assert ended.headers["Location"] == HOME
        self.canaries.note("its verifier", self.provider.token_requests[-1]["code_verifier"])
        self.canaries.cookie("a session by a provider", {"Cookie": "x=" + self.visitor.cookies["a_session_shop"][0]})
        session = (await self.visitor.call("PATCH", "/v1/account/sessions/current")).data
        self.canaries.note("a provider's access token", session["providerAccessToken"])
        self.canaries.note("its refresh token", session["providerRefreshToken"])
        self.canaries.note("the client secret", CLIENT_SECRET)
        await self._code_of("a token by a provider")

    async def _code_of(self, name: str) -> None:
        """Sign another user in by a token."""
        self.provider.user = {"sub": "user-2"}
        given = parameters(await Visitor(self.api, self.provider).sign_in(TOKENS))
        self.canaries.note(name, given["secret"][20:])
        answer = await self.api.call("POST", "/v1/account/sessions/token", json=given, modern=True)
        assert answer.status == 201, answer.data
        self.canaries.told(await self.api.call("POST", "/v1/account/sessions/token", json=given, modern=True))

    async def _register(self) -> None:
        """Token of a device, registered and refused the second time, and read by the app's sender."""
        token = self.canaries.note("a device's token", "Token-eines-Handys-38")
        body = {"targetId": "phone", "identifier": token}
        made = await self.visitor.call("POST", TARGETS, **body)
        assert made.status == 201, made.data
        self.canaries.told(await self.visitor.call("POST", TARGETS, **body))
        self.canaries.told(await self.visitor.call("POST", TARGETS, **body | {"targetId": token + "!"}))
        path, server = f"/v1/users/{made.data['userId']}/targets", await key(self.pool, "users.read")
        query = urlencode({"queries[]": json.dumps({"method": "equal", "attribute": "identifier", "values": [token]})})
        listed = await self.api.call("GET", f"{path}?{query}", headers=server, modern=True)
        assert [each["$id"] for each in listed.data["targets"]] == ["phone"]

    async def _serve(self) -> None:
        """Bytes that a server sends and receives."""
        server = await key(self.pool, "users.read", "users.write", "sessions.write")
        self.canaries.note("an API key", server["X-Appwrite-Key"].removeprefix("key_"))
        third = self.canaries.note("a password set by a server", "Drittes-Passwort-58!")
        body = {"userId": "bob", "email": "bob@example.com", "password": third}
        assert (await self.api.call("POST", "/v1/users", json=body, headers=server, modern=True)).status == 201
        body = {"email": "bob@example.com", "password": third}
        answer = await self.api.call("POST", "/v1/account/sessions/email", json=body, headers=server, modern=True)
        assert answer.status == 201, answer.data
        self.canaries.note("a session of a server's", answer.data["secret"])
        for way, body in (("tokens", {"length": 64}), ("sessions", {}), ("jwts", {})):
            answer = await self.api.call("POST", f"/v1/users/bob/{way}", json=body, headers=server, modern=True)
            assert answer.status == 201, answer.data
            secret = answer.data["jwt"].rpartition(".")[2] if way == "jwts" else answer.data["secret"]
            self.canaries.note(f"what a server made of {way}", secret)

    async def _err(self, member: dict[str, str], first: str) -> None:
        """Secrets in the wrong place, spelt wrongly, too late: refused, and not repeated."""
        wrong = self.canaries.note("a mistyped password", "Viertes-Passwort-61!")
        call, told = self.api.call, self.canaries.told
        login = {"email": ANN, "password": wrong}
        told(await call("POST", "/v1/account/sessions", json=login))
        told(await call("POST", "/v1/account/sessions", data=json.dumps(login)[:-1]))
        told(await call("POST", "/v1/account", json=login | {"email": wrong}))
        told(await call("POST", "/v1/account", json={"email": ANN, "password": [wrong]}))
        late = {"userId": "u", "secret": self.canaries.secrets["a recovery"]}
        told(await call("PUT", "/v1/account/recovery", json=late))
        told(await call("GET", f"/v1/account?password={wrong}&secret={wrong}", headers=member))
        told(await call("GET", f"/v1/{wrong}"))
        told(await call("PATCH", f"/v1/account/{wrong}", headers=member))
        told(await call("POST", f"/v1/account/sessions/{wrong}", headers={"Authorization": f"Bearer {wrong}"}))
        told(await call("GET", "/v1/users", headers={"X-Appwrite-Key": wrong}))
        told(await call("GET", "/v1/account", headers={"X-Appwrite-JWT": f"a.{wrong}.b"}))
        told(
            await call("PATCH", "/v1/account/password", json={"password": wrong, "oldPassword": first}, headers=member)
        )
        assert len(self.canaries.answers) >= 9


@pytest.mark.usefixtures("project")
async def test_g18_no_secret_is_anywhere(  # noqa: PLR0917 - pytest passes them by name
    environment: dict[str, str], pool: Pool, redis: Redis, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """Keys, passwords, sessions, codes, links, JWTs, factors, tokens of providers: no piece in log, Redis or table.

    Nor in what webhooks, feed, exports, metrics and commands tell. A device's token stands in its own table alone.
    """
    canaries = Canaries()
    old_key = environment["SECRET_KEYS"].partition(":")[2]
    canaries.note("the key", NEW_KEY)
    canaries.note("the older key", old_key)
    await projects.change(pool, "shop", notify_new_device=True, provider_tokens=True)
    ring = {"new": bytes.fromhex(NEW_KEY)}
    await allow(pool, "+49")
    async with Sink() as sink, IdentityProvider() as provider, SmsSink(ring) as webhook, Receiver() as receiver:
        pipeline = Pipeline(pool, ring, canaries.note, receiver)
        await pipeline.plant()
        canaries.note("the address of the webhook", webhook.url.partition("?")[2])
        settings = environment | {
            "SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none",
            "SMS_URL": webhook.url,
            "SECRET_KEYS": f"new:{NEW_KEY},{environment['SECRET_KEYS']}",
            "LOG_LEVEL": "debug",
            "LIMITS": "off",
        }
        async with (
            processes.api(settings) as (api, address),
            processes.worker(settings | pipeline.settings(), heartbeat=tmp_path / "alive") as worker,
            aiohttp.ClientSession(address, cookie_jar=aiohttp.DummyCookieJar()) as browser,
        ):
            await provider.register(pool, ring, "shop")
            await Journey(Api(browser), pool, sink, canaries, provider, webhook).go()
            places = await pipeline.use(Api(browser))
            places["Redis"] = await everything_in(redis)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        places |= await pipeline_secrets.commands(Terminal(capsys))
        places |= {"the API's log": "\n".join(api.lines), "the worker's log": "\n".join(worker.lines)}
    for row in await pool.fetch("select tablename from pg_tables where schemaname = 'public'"):
        found = await pool.fetchrow(f"select string_agg(t::text, chr(10)) from {row[0]} t")
        places[f"the table {row[0]}"] = (found[0] if found else "") or ""
    places["what was refused"] = "\n".join(canaries.answers)
    assert webhook.faults == receiver.faults == []
    assert len(canaries.secrets) >= 35
    hits = {hit for place, text in places.items() for hit in canaries.found_in(place, text)}
    # The app's sender reads it from here, and from nowhere else.
    assert hits == {"a device's token in the table targets"}
    assert '"event":"request.handled"' in places["the API's log"]
    assert places["the table users"]
    assert "accounts_mail_reports_total" in places["the worker's metrics"]
    assert places["the table tokens"]


def test_g18_the_search_finds_what_is_there():
    """A search that finds nothing would pass the test above too."""
    canaries = Canaries({"a key": NEW_KEY})
    assert canaries.found_in("a log", f"x{NEW_KEY[3:40]}y") == ["a key in a log"]
    assert canaries.found_in("a table", f"\\x00{NEW_KEY[:16].encode().hex()}") == ["a key in a table"]
    assert canaries.found_in("a log", NEW_KEY[:7]) == []


class Broken(Exception):
    """An error as a library might raise it: with all that it was given."""


@pytest.mark.parametrize("modern", [False, True])
async def test_g18_an_unexpected_fault_tells_nothing(
    api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch, modern: bool
):
    """An exception whose text and whose frames hold the password is a 500 that says nothing, and a line without it."""
    password = "Fünftes-Passwort-72!"

    async def fail(*arguments: object, **facts: object) -> None:
        held = {"password": password, "arguments": arguments, "facts": facts}
        raise Broken(password, held) from ValueError(password)

    monkeypatch.setattr(users, "find_to_sign_in", fail)
    with edge.lines() as log:
        body = {"email": ANN, "password": password}
        answer = await api.call("POST", "/v1/account/sessions", json=body, modern=modern)
    assert (answer.status, answer.data["type"]) == (500, "general_server_error")
    written = log.getvalue()
    assert "Broken" in written
    for text in (written, json.dumps(answer.data), str(answer.headers)):
        assert "Passwort" not in text
        assert ANN not in text
    assert settings.database_url.get_secret_value() not in written
