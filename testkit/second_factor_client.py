"""A client with a phone and an authenticator app, for runs with faults.

What was not answered is repeated. If it is refused then, the account must show that it was done by the first try: a
code that is used up for nothing is a fault. Sign-ins, whose answer alone has the session, are begun anew. Each use that
succeeded is tried once more, which must be refused (I3).

Longer than other files: each way to prove something is a method here.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from service.crypto import totp
from service.crypto.secret import Secret
from testkit import phones
from testkit.client import Act, Client, Member
from testkit.factors import AUTHENTICATOR, CHALLENGES, RECOVERY
from testkit.letters import text_of
from testkit.sms_sink import SmsSink
from testkit.waiting import until

_MODERN = {"X-Appwrite-Response-Format": "1.9.5"}
_CODE = re.compile(r"^(\d{6})\r?$", re.MULTILINE)
# Words of the letters with codes.
_SUBJECTS = {"challenge_email": "confirm to", "recovery_code": "new password"}


@dataclass(kw_only=True)
class SecondFactorClient(Client):
    """Client of one person; `number` is the phone that has been set."""

    webhook: SmsSink
    number: str = ""
    _tried: set[str] = field(default_factory=set)

    async def call(self, name: str, method: str, path: str, body: Any = None, **facts: Any) -> tuple[Act, Any, str]:
        facts["headers"] = _MODERN | facts.get("headers", {})
        return await super().call(name, method, path, body, **facts)

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
        self.number = number

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

    async def sign_in_by_phone(self, member: Member) -> Member:
        """Sign in by a code of an SMS, beside the member's session; the member with the new one."""
        asked = f"{member.user}-by-phone"
        while True:
            act, _, _ = await self.insist(
                "phone_token", "POST", phones.TOKENS, {"userId": asked, "phone": self.number}, user=member.user
            )
            assert act.status == 201, act
            if signed_in := await self._enter_by_code(member, asked, act.token):
                return signed_in

    async def _enter_by_code(self, member: Member, asked: str, token: str) -> Member | None:
        """Try the codes that come; None if one may be used up by a sign-in whose answer was lost."""
        while True:
            body = {"userId": asked, "secret": await self._wait_for(self._texted("phone_login"))}
            used, data, cookie = await self.use(
                "phone_session_use", "PUT", phones.SESSION, body, token=token, user=member.user
            )
            if used.acknowledged:
                self.secrets.add(cookie.partition("=")[2])
                return replace(member, cookie=cookie, session=data["$id"])
            if self.unclear_before(used):
                return None

    async def enrol(self, member: Member) -> Secret:
        """Add an authenticator app by its code of now."""
        act, data, _ = await self.insist("authenticator", "POST", AUTHENTICATOR, member=member)
        assert act.status == 200, act
        secret, name = Secret(data["secret"]), "authenticator_use"
        self.secrets.add(data["secret"])
        body = {"otp": totp.code_at(secret, int(time.time()) // totp.STEP)}
        used, _, _ = await self.use(name, "PUT", AUTHENTICATOR, body, token=f"the app of {member.user}", member=member)
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

    async def lacks_factor(self, member: Member) -> bool:
        return bool((await self.user(member)).get("type") == "user_more_factors_required")

    async def prove_by_app(self, member: Member, secret: Secret, step: int) -> bool:
        """Answer a challenge of the member's session with the app's code of a step; return whether that raised it.

        The code is tried once more with another challenge, under the same name: a code is used once.
        """
        body, code = {"factor": "totp"}, totp.code_at(secret, step)
        facts: dict[str, Any] = {"member": member, "token": f"{member.user} {step}"}
        done = False
        for attempt in (self.insist, self.call):
            made, _, _ = await self.insist("challenge_totp", "POST", CHALLENGES, body, member=member)
            assert made.status == 201, made
            answer = {"challengeId": made.token, "otp": code}
            used, _, _ = await attempt("challenge_totp_use", "PUT", CHALLENGES, answer, **facts)
            done = done or used.acknowledged or not await self.lacks_factor(member)
        return done

    async def prove(self, member: Member, factor: str, code: str = "") -> None:
        """Sign in anew, and prove a second factor: by this code, or by one that is sent.

        A code that was used up without the session's being raised leaves none that works.
        """
        assert await self.sign_in(member)
        assert await self.lacks_factor(member)
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

    async def _by_code(self, attempt: Callable[[str], Awaitable[bool]], codes: Callable[[], list[str]]) -> None:
        """Try the codes that come, until one has done it: one of an earlier, unclear try is wrong for a later one."""
        while not await attempt(await self._wait_for(codes)):
            pass

    async def _wait_for(self, codes: Callable[[], list[str]]) -> str:
        """Wait for a code that was not tried yet; the newest one."""
        found = str((await until(codes, seconds=self.patience, what="no code that works has come"))[0])
        self._tried.add(found)
        return found

    def _texted(self, kind: str) -> Callable[[], list[str]]:
        """Codes of this kind that the webhook has taken for the number."""
        wanted = (kind, self.number)
        return lambda: self._new([sms["text"][:6] for sms in self.webhook.taken if (sms["kind"], sms["to"]) == wanted])

    def _mailed(self, name: str) -> Callable[[], list[str]]:
        def codes() -> list[str]:
            texts = [text_of(mail) for mail in self.sink.mails]
            return self._new([found[1] for text in texts if _SUBJECTS[name] in text and (found := _CODE.search(text))])

        return codes

    def _new(self, codes: list[str]) -> list[str]:
        return [code for code in reversed(codes) if code not in self._tried]
