"""A client with every way to prove something, for runs with faults: also a passkey and an account at a provider.

The ceremonies of passkeys are begun anew after an unclear answer, as sign-ins are.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from testkit import passkeys
from testkit.authenticator import Authenticator
from testkit.client import Member
from testkit.identity_provider import IdentityProvider
from testkit.second_factor_client import SecondFactorClient
from testkit.visitor import AGAIN, HOME, SESSIONS, TOKENS

_PAGE = {"Accept": "text/html", "X-Appwrite-Response-Format": "1.9.5"}


@dataclass(kw_only=True)
class FactorClient(SecondFactorClient):
    """`key` are the headers of the app's server."""

    provider: IdentityProvider
    key: dict[str, str]

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
            # Before the next request: it is asked of the latest ones.
            unclear = self.unclear_before(used)
            _, found, _ = await self.insist("passkeys", "GET", passkeys.PATH, member=member)
            if used.acknowledged or found["total"]:
                assert found["total"] == 1
                return holder
            assert unclear, used

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

    async def _enter(self, name: str, member: Member, user_id: str, secret: str, token: str) -> bool:
        body = {"userId": user_id, "secret": secret}
        act, _, cookie = await self.use(name, "POST", passkeys.SESSION, body, token=token, user=member.user)
        assert act.acknowledged or self.unclear_before(act), act
        self.secrets |= {cookie.partition("=")[2]} - {""}
        return act.acknowledged
