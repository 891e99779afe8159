"""A client that does what apps do, repeats what was not answered as P5 allows, and writes down every answer.

The log is JSON lines of `Act`: times, status, ids; never a secret. What the secrets were is kept in memory only, for
the search that must not find them anywhere (I8).
"""

import asyncio
import itertools
import json
import time
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from service.store import token_secrets
from testkit.api import cookie_of
from testkit.letters import link_of, parameters_of
from testkit.patience import PATIENCE
from testkit.sink import Mail, Sink

# Of every service that the kit starts, and of one whose keys were rotated.
OLD, NEW = "test:" + "6f1c9d2e8b3a4750" * 4, "new:" + "1b7e4c90d2a5f836" * 4
_RING = [bytes.fromhex(key.partition(":")[2]) for key in (OLD, NEW)]
# A client waits longer than any answer may take, and repeats for longer than any recovery.
_TIMEOUT, _REST = 15.0, 0.2


@dataclass(frozen=True, slots=True)
class Act:
    """One request and what came of it: `at` is time.monotonic() when it was sent, status 0 is no answer at all."""

    name: str
    at: float
    seconds: float
    status: int
    type: str = ""
    user: str = ""
    email: str = ""
    token: str = ""
    session: str = ""
    request: str = ""

    @property
    def unclear(self) -> bool:
        """It may have happened or not."""
        return self.status == 0 or self.status >= 500

    @property
    def acknowledged(self) -> bool:
        return 200 <= self.status < 300


def read_log(path: Path) -> list[Act]:
    return [Act(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(slots=True)
class Member:
    """Somebody's account as its owner knows it; `cookie` is empty without a session."""

    user: str
    email: str
    password: str
    cookie: str = ""
    session: str = ""


def names_of(token: str) -> set[str]:
    """By which an answer may call a token: who asks without being known is told another id than the row's."""
    return {token, *(token_secrets.public_id(key, token) for key in _RING)}


@lru_cache(2**15)
def _secret_in(mail: Mail) -> tuple[str, set[str]]:
    """Return the secret in a letter's link, and the names of its token; all clients of a sink read the same letters."""
    secret = parameters_of(link_of(mail)).get("secret", "") if b"http" in mail.content else ""
    return secret, names_of(token_secrets.target_id(secret))


class Unanswered(Exception):
    """It was tried for longer than any recovery may take."""


@dataclass
class Client:
    address: str
    log: Path
    sink: Sink
    patience: float = PATIENCE
    secrets: set[str] = field(default_factory=set)
    acts: list[Act] = field(default_factory=list)
    # Letters that were read, by what an answer may call their token, and how many of the sink's that are: a client that
    # waits looks at each change, and thousands of letters take long to read.
    _letters: dict[str, tuple[Mail, str]] = field(default_factory=dict)
    _read: int = 0
    _session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def call(self, name: str, method: str, path: str, body: Any = None, **facts: Any) -> tuple[Act, Any, str]:
        """One request, once: what is written down, its JSON, and the cookie it sets. `facts` are fields of Act."""
        member: Member | None = facts.pop("member", None)
        headers = {"X-Appwrite-Project": "shop"} | ({"Cookie": member.cookie} if member else {})
        headers |= facts.pop("headers", {})
        if member:
            facts = {"user": member.user, "email": member.email, "session": member.session} | facts
        started, status, data, cookie, request = time.monotonic(), 0, None, "", ""
        try:
            async with self._http().request(
                method, self.address + path, json=body, headers=headers, allow_redirects=False
            ) as answer:
                data = await answer.json() if answer.content_type == "application/json" else self.page(answer)
                status, request = self.status(answer), answer.headers.get("X-Request-Id", "")
                cookie = cookie_of(answer) if "Set-Cookie" in answer.headers else ""
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = 0
        act = Act(name, started, time.monotonic() - started, status, request=request, **{**_found(data), **facts})
        self._note(act)
        return act, data, cookie

    async def insist(self, name: str, method: str, path: str, body: Any = None, **facts: Any) -> tuple[Act, Any, str]:
        """Repeat until there is a clear answer; the last one."""
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            act, data, cookie = await self.call(name, method, path, body, **facts)
            if not act.unclear:
                return act, data, cookie
            await asyncio.sleep(_REST)
        raise Unanswered(name)

    def status(self, answer: aiohttp.ClientResponse) -> int:
        """Return the status that counts."""
        return answer.status

    def page(self, answer: aiohttp.ClientResponse) -> Any:
        """Return what counts of an answer that is no JSON."""
        del answer

    def _http(self) -> aiohttp.ClientSession:
        """Each request has a connection of its own, and is sent once: what was cut off is for the log to tell."""
        if self._session is None:
            connector = aiohttp.TCPConnector(force_close=True)
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
            # Else aiohttp repeats a cut-off PUT or DELETE by itself and unseen, as its own test client forbids too.
            self._session._retry_connection = False
        return self._session

    def _note(self, act: Act) -> None:
        self.acts.append(act)
        with self.log.open("a") as file:
            file.write(json.dumps(asdict(act)) + "\n")

    def secret(self) -> str:
        """Make a new password, remembered for the search."""
        made = uuid4().hex[:24]
        self.secrets.add(made)
        return made

    async def sign_up(self, name: str) -> Member:
        """Sign up under the client's own id, so that a repeated sign-up gets 409 if the first one happened."""
        member = Member(name, f"{name}@example.com", self.secret())
        body = {"userId": member.user, "email": member.email, "password": member.password}
        act, _, _ = await self.insist("sign_up", "POST", "/v1/account", body, user=member.user, email=member.email)
        assert act.status == 201 or (act.status == 409 and self.unclear_before(act)), act
        return member

    async def sign_in(self, member: Member, *, password: str | None = None) -> bool:
        """Sign in; return whether the password was right, then the member's session is the new one."""
        body = {"email": member.email, "password": password or member.password}
        act, data, cookie = await self.insist(
            "sign_in", "POST", "/v1/account/sessions", body, user=member.user, email=member.email
        )
        if act.status == 201:
            member.cookie, member.session = cookie, data["$id"]
            member.password = password or member.password
            self.secrets.add(cookie.partition("=")[2])
        return act.status == 201

    async def account(self, member: Member) -> Act:
        act, _, _ = await self.insist("account", "GET", "/v1/account", member=member)
        return act

    async def sign_out(self, member: Member) -> Act:
        act, _, _ = await self.insist("sign_out", "DELETE", "/v1/account/sessions/current", member=member)
        return act

    async def recover(self, email: str, *, user: str = "") -> str:
        """Ask for a recovery letter; the token's id. `user` is whose address it is, for the checker."""
        body = {"email": email, "url": "http://localhost/reset"}
        act, _, _ = await self.insist("recovery", "POST", "/v1/account/recovery", body, email=email, user=user)
        assert act.status == 201, act
        return act.token

    async def verify(self, member: Member) -> str:
        """Ask for a verification letter; the token's id."""
        body = {"url": "http://localhost/verify"}
        act, _, _ = await self.insist("verification", "POST", "/v1/account/verification", body, member=member)
        assert act.status == 201, act
        return act.token

    async def secret_of(self, token: str, *, seconds: float = 60) -> str:
        """Wait for the letter of a token, as its owner does; the secret in its link."""
        return (await self._letter_of(token, seconds))[1]

    async def mail_of(self, token: str, *, seconds: float = 60) -> Mail:
        """Wait for the letter of a token, as the relay has taken it."""
        return (await self._letter_of(token, seconds))[0]

    async def _letter_of(self, token: str, seconds: float) -> tuple[Mail, str]:
        await self.sink.wait_for(lambda _: token in self._read_letters(), timeout=seconds)
        return self._letters[token]

    def _read_letters(self) -> dict[str, tuple[Mail, str]]:
        """Read the letters that have come since; of two for one token the first counts."""
        for mail in self.sink.mails[self._read :]:
            secret, names = _secret_in(mail)
            self.secrets |= {secret} - {""}
            for name in names:
                self._letters.setdefault(name, (mail, secret))
        self._read = len(self.sink.mails)
        return self._letters

    async def use_recovery(self, member: Member, token: str) -> bool:
        """Choose a new password by the letter. After an unclear answer the new password itself tells the truth."""
        password, secret = self.secret(), await self.secret_of(token)
        body = {"userId": member.user, "secret": secret, "password": password, "passwordAgain": password}
        act, _, _ = await self.insist(
            "recovery_use", "PUT", "/v1/account/recovery", body, user=member.user, token=token
        )
        if act.status == 401 and self.unclear_before(act):
            return await self.sign_in(member, password=password)
        if act.status == 200:
            member.password = password
        return act.status == 200

    async def use_verification(self, member: Member, token: str) -> bool:
        body = {"userId": member.user, "secret": await self.secret_of(token)}
        act, _, _ = await self.insist(
            "verification_use", "PUT", "/v1/account/verification", body, user=member.user, token=token
        )
        return act.status == 200 or (act.status == 401 and self.unclear_before(act))

    async def change_password(self, member: Member) -> bool:
        """Change the password, which ends the member's other sessions."""
        password = self.secret()
        body = {"password": password, "oldPassword": member.password}
        act, _, _ = await self.insist("password", "PATCH", "/v1/account/password", body, member=member)
        if act.status == 401 and self.unclear_before(act):
            return await self.sign_in(member, password=password)
        if act.status == 200:
            member.password = password
        return act.status == 200

    async def change_email(self, member: Member, email: str) -> bool:
        """Change the address: the new one gets a confirmation, the old a notice; if unclear, the account tells."""
        body = {"email": email, "password": member.password}
        act, _, _ = await self.insist("email", "PATCH", "/v1/account/email", body, member=member)
        done = act.status == 200
        if act.status == 400 and self.unclear_before(act):
            _, data, _ = await self.insist("account", "GET", "/v1/account", member=member)
            done = data["email"] == email
        if done:
            member.email = email
        return done

    async def delete(self, member: Member) -> Act:
        act, _, _ = await self.insist("delete", "DELETE", "/v1/account", member=member)
        return act

    def unclear_before(self, act: Act) -> bool:
        """Return whether the same act was tried just before, and may have happened then."""
        tries = itertools.takewhile(
            lambda one: (one.name, one.user, one.token) == (act.name, act.user, act.token), reversed(self.acts)
        )
        return any(one.unclear for one in tries)


def _found(data: Any) -> dict[str, str]:
    """Read from an answer the type of an error, or the id of a session or of a token."""
    match data:
        case {"code": _, "type": str(fault)}:
            return {"type": fault}
        case {"provider": _, "$id": str(session)}:
            return {"session": session}
        case {"expire": _, "$id": str(token)}:
            return {"token": token}
    return {}
