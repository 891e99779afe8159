"""A client with a phone, an authenticator app, a passkey and an account at a provider, for runs with faults.

What was not answered is repeated. If it is refused then, the account must show that it was done by the first try: a
code that is used up for nothing is a fault. Sign-ins, whose answer alone has the session, are begun anew, and so are
the ceremonies of passkeys. Each use that succeeded is tried once more, which must be refused (I3).

Longer than other files: each way to prove something is a method here.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from service.crypto import totp
from service.crypto.secret import Secret
from testkit import passkeys, phones
from testkit.authenticator import Authenticator
from testkit.client import Act, Client, Member
from testkit.factors import AUTHENTICATOR, CHALLENGES, RECOVERY
from testkit.identity_provider import IdentityProvider
from testkit.letters import text_of
from testkit.sms_sink import SmsSink
from testkit.visitor import AGAIN, HOME, SESSIONS, TOKENS
from testkit.waiting import until

_MODERN = {"X-Appwrite-Response-Format": "1.9.5"}
_PAGE = {"Accept": "text/html", "X-Appwrite-Response-Format": "1.9.5"}
_CODE = re.compile(r"^(\d{6})\r?$", re.MULTILINE)
# Words of the letters with codes.
_SUBJECTS = {"challenge_email": "confirm to", "recovery_code": "new password"}


@dataclass(kw_only=True)
class FactorClient(Client):
    """`key` are the headers of the app's server."""

    webhook: SmsSink
    provider: IdentityProvider
    key: dict[str, str]
    _tried: set[str] = field(default_factory=set)

    async def call(self, name: str, method: str, path: str, body: Any = None, **facts: Any) -> tuple[Act, Any, str]:
        facts["headers"] = _MODERN | facts.get("headers", {})
        return await super().call(name, method, path, body, **facts)

    def status(self, answer: aiohttp.ClientResponse) -> int:
        """Count a way back to the app as the success, or as the error, that it tells."""
        target = answer.headers.get("Location", "")
        if target.startswith(AGAIN):
            return int(json.loads(dict(parse_qsl(urlsplit(target).query))["error"])["code"])
        return 201 if target.startswith(HOME) else 200 if target else answer.status

    def page(self, answer: aiohttp.ClientResponse) -> Any:
        """Return where a redirect leads, and its cookies."""
        cookies = [line.partition(";")[0] for line in answer.headers.getall("Set-Cookie", [])]
        return {"location": answer.headers.get("Location", ""), "cookies": cookies}

    async def use(self, name: str, method: str, path: str, body: Any, **facts: Any) -> tuple[Act, Any, str]:
        """Use something up that works once; after a success once more, which must fail."""
        answered = await self.insist(name, method, path, body, **facts)
        if answered[0].acknowledged:
            await self.call(name, method, path, body, **facts)
        return answered

    async def user(self, member: Member) -> Any:
        """Return the account as the session sees it; an error if it lacks its second factor."""
        return (await self.insist("account", "GET", "/v1/account", member=member))[1]

    async def set_phone(self, member: Member, number: str) -> None:
        body = {"phone": number, "password": member.password}
        act, _, _ = await self.insist("phone", "PATCH", "/v1/account/phone", body, member=member)
        assert act.status == 200, act

    async def verify_phone(self, member: Member) -> None:
        """Have a code sent, and prove the number with it."""
        act, _, _ = await self.insist("phone_verification", "POST", phones.VERIFICATION, member=member)
        assert act.status == 201, act

        async def attempt(code: str) -> bool:
            body = {"userId": member.user, "secret": code}
            name, path = "phone_verification_use", phones.VERIFICATION
            used, _, _ = await self.use(name, "PUT", path, body, token=act.token, member=member)
            return used.acknowledged or bool((await self.user(member))["phoneVerification"])

        await self._by_code(attempt, self._texted("phone_verification"))

    async def sign_in_by_phone(self, member: Member, number: str) -> None:
        """Sign in by a code of an SMS."""
        body = {"userId": "asked", "phone": number}
        while True:
            act, _, _ = await self.insist("phone_token", "POST", phones.TOKENS, body, user=member.user)
            assert act.status == 201, act
            (code,) = await self._wait_for(self._texted("phone_login"))
            if await self._enter("phone_session_use", member, "asked", code, act.token, path=phones.SESSION):
                return

    async def enrol(self, member: Member) -> Secret:
        """Add an authenticator app by its code of now."""
        act, data, _ = await self.insist("authenticator", "POST", AUTHENTICATOR, member=member)
        assert act.status == 200, act
        secret, name = Secret(data["secret"]), "authenticator_use"
        self.secrets.add(data["secret"])
        body = {"otp": totp.code_at(secret, int(time.time()) // totp.STEP)}
        used, _, _ = await self.use(name, "PUT", AUTHENTICATOR, body, token="the app", member=member)
        assert used.acknowledged or (used.status == 409 and self.unclear_before(used)), used
        return secret

    async def ask_for_factors(self, member: Member) -> None:
        act, _, _ = await self.insist("mfa", "PATCH", "/v1/account/mfa", {"mfa": True}, member=member)
        assert act.status == 200, act

    async def recovery_codes(self, member: Member) -> list[str]:
        """Make recovery codes; if their only showing was lost, other ones."""
        act, data, _ = await self.insist("recovery_codes", "POST", RECOVERY, member=member)
        if act.status == 409 and self.unclear_before(act):
            act, data, _ = await self.insist("recovery_codes", "PATCH", RECOVERY, member=member)
        assert act.acknowledged, act
        self.secrets |= {*data["recoveryCodes"]}
        return [str(code) for code in data["recoveryCodes"]]

    async def prove(self, member: Member, factor: str, code: str = "") -> None:
        """Sign in anew, and prove a second factor: by this code, or by one that is sent.

        A code that was used up without the session's being raised leaves none that works.
        """
        assert await self.sign_in(member)
        assert (await self.user(member)).get("type") == "user_more_factors_required"
        name = f"challenge_{factor}"
        act, _, _ = await self.insist(name, "POST", CHALLENGES, {"factor": factor}, member=member)
        assert act.status == 201, act

        async def attempt(otp: str) -> bool:
            body = {"challengeId": act.token, "otp": otp}
            used, _, _ = await self.use(f"{name}_use", "PUT", CHALLENGES, body, token=act.token, member=member)
            return used.acknowledged or "$id" in await self.user(member)

        if code:
            assert await attempt(code), f"{name}: the code was used up for nothing"
        else:
            await self._by_code(attempt, self._texted("mfa_phone") if factor == "phone" else self._mailed(name))

    async def recover_by_code(self, member: Member) -> None:
        """Choose a new password by a mailed code."""
        body, path = {"email": member.email}, "/v1/account/recovery/otp"
        act, data, _ = await self.insist("recovery_code", "POST", path, body, email=member.email, user=member.user)
        assert act.status == 201, act
        password = self.secret()

        async def attempt(code: str) -> bool:
            body = {"userId": data["userId"], "secret": code, "password": password}
            used, _, _ = await self.use("recovery_code_use", "PUT", path, body, token=act.token, user=member.user)
            return used.acknowledged or (self.unclear_before(used) and await self.sign_in(member, password=password))

        await self._by_code(attempt, self._mailed("recovery_code"))
        member.password = password

    async def add_passkey(self, member: Member, passkey_id: str) -> Authenticator:
        """Make a passkey. An answer without its end has used the challenge up: then it is begun anew."""
        while True:
            body = {"passkeyId": passkey_id}
            begun, data, _ = await self.insist("passkey", "POST", passkeys.PATH, body, member=member)
            assert begun.status == 201, begun
            credential, holder = Authenticator().create(data["publicKey"])
            path = f"{passkeys.PATH}/{passkey_id}/verification"
            used, _, _ = await self.use(
                "passkey_use", "PUT", path, {"credential": credential}, token=begun.token, member=member
            )
            _, found, _ = await self.insist("passkeys", "GET", passkeys.PATH, member=member)
            if used.acknowledged or found["total"]:
                assert found["total"] == 1
                return holder
            assert self.unclear_before(used), used

    async def sign_in_by_passkey(self, member: Member, authenticator: Authenticator) -> None:
        while True:
            begun, data, _ = await self.insist("passkey_proof", "POST", passkeys.TOKENS, {})
            assert begun.status == 201, begun
            body = {"challengeId": begun.token, "credential": authenticator.get(data["publicKey"])}
            used, made, _ = await self.use(
                "passkey_proof_use", "PUT", passkeys.TOKENS, body, token=begun.token, user=member.user
            )
            assert used.acknowledged or self.unclear_before(used), used
            if used.acknowledged and await self._spend("passkey_session_use", member, made):
                return

    async def sign_in_by_custom_token(self, member: Member) -> None:
        """Have the app's server make a token, and sign in with it."""
        path = f"/v1/users/{member.user}/tokens"
        while True:
            act, made, _ = await self.insist(
                "custom_token", "POST", path, {"length": 64}, user=member.user, headers=self.key
            )
            assert act.status == 201, act
            if await self._spend("custom_session_use", member, made):
                return

    async def sign_in_at_provider(self, member: Member) -> None:
        """Go to the provider and come back with a session."""
        while not (await self._go(SESSIONS, "oauth_use", member)).get("location"):
            pass

    async def sign_in_by_provider_token(self, member: Member) -> None:
        """Go to the provider and come back with a token, which opens a session."""
        while True:
            back = await self._go(TOKENS, "oauth_token_use", member)
            if back.get("location"):
                made = dict(parse_qsl(urlsplit(back["location"]).query))
                if await self._spend("oauth_session_use", member, made | {"$id": made["secret"][:20]}):
                    return

    async def remove_identity(self, member: Member) -> None:
        _, found, _ = await self.insist("identities", "GET", "/v1/account/identities", member=member)
        assert found["total"] == 1
        path = f"/v1/account/identities/{found['identities'][0]['$id']}"
        act, _, _ = await self.insist("identity_delete", "DELETE", path, member=member)
        assert act.status == 204 or (act.status == 404 and self.unclear_before(act)), act

    async def _go(self, kind: str, name: str, member: Member) -> dict[str, Any]:
        """Walk through one flow; {} if its end was not answered: then the flow is used up."""
        query = urlencode({"project": "shop", "success": HOME, "failure": AGAIN})
        _, started, _ = await self.insist("oauth", "GET", f"{kind}/oidc?{query}", headers=_PAGE)
        back = await self.provider.sign_in(started["location"])
        callback = f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}"
        _, handed, _ = await self.insist("oauth_callback", "GET", callback, headers=_PAGE)
        headers = _PAGE | {"Cookie": "; ".join(started["cookies"])}
        facts = {"token": back["state"][:20], "user": member.user, "headers": headers}
        end = urlsplit(handed["location"])._replace(scheme="", netloc="").geturl()
        used, ended, _ = await self.use(name, "GET", end, None, **facts)
        assert used.acknowledged or self.unclear_before(used) or used.status in (424, 503), used
        return ended if used.acknowledged else {}

    async def _spend(self, name: str, member: Member, made: dict[str, Any]) -> bool:
        """Open a session with a token; False if it is used up and the session's answer was lost."""
        self.secrets.add(made["secret"])
        return await self._enter(name, member, made["userId"], made["secret"], made["$id"])

    async def _enter(  # noqa: PLR0917 - who, with what, where
        self, name: str, member: Member, user_id: str, secret: str, token: str, path: str = passkeys.SESSION
    ) -> bool:
        body, method = {"userId": user_id, "secret": secret}, "PUT" if path == phones.SESSION else "POST"
        act, _, cookie = await self.use(name, method, path, body, token=token, user=member.user)
        assert act.acknowledged or self.unclear_before(act), act
        self.secrets |= {cookie.partition("=")[2]} - {""}
        return act.acknowledged

    async def _by_code(self, attempt: Callable[[str], Awaitable[bool]], codes: Callable[[], list[str]]) -> None:
        """Try the codes that come, until one has done it: one of an earlier, unclear try is wrong for a later one."""
        while not await attempt((await self._wait_for(codes))[0]):
            pass

    async def _wait_for(self, codes: Callable[[], list[str]]) -> list[str]:
        """Wait for a code that was not tried yet; the newest one."""
        found = (await until(codes, what="no code that works has come"))[:1]
        self._tried |= {*found}
        return list(found)

    def _texted(self, kind: str) -> Callable[[], list[str]]:
        return lambda: self._new([sms["text"][:6] for sms in self.webhook.taken if sms["kind"] == kind])

    def _mailed(self, name: str) -> Callable[[], list[str]]:
        def codes() -> list[str]:
            texts = [text_of(mail) for mail in self.sink.mails]
            return self._new([found[1] for text in texts if _SUBJECTS[name] in text and (found := _CODE.search(text))])

        return codes

    def _new(self, codes: list[str]) -> list[str]:
        return [code for code in reversed(codes) if code not in self._tried]
