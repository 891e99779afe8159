"""Second factors in the walks of today's SDKs; each has every method by two names."""

import time
from typing import Any

import aiohttp

from service.crypto import totp
from service.crypto.secret import Secret
from testkit.api import Api
from testkit.factors import AUTHENTICATOR
from tests.sdk_compat.walk import Walk

NO_CODES = (404, "user_recovery_codes_not_found")
_TYPE = {"type": "totp"}


def code(secret: str, *, ahead: int = 0) -> str:
    """The code of an authenticator app whose clock is so many steps ahead."""
    return totp.code_at(Secret(secret), int(time.time()) // totp.STEP + ahead)


async def walk(it: Walk, spelled: str) -> None:
    """Everything that a member does with second factors, who is signed in with a proved address."""
    assert (await it.works(f"list{spelled}Factors"))["totp"] is False
    secret = (await it.works(f"create{spelled}Authenticator", **_TYPE))["secret"]
    await it.works(f"update{spelled}Authenticator", **_TYPE, otp=code(secret, ahead=-1))
    await it.works(f"create{spelled}RecoveryCodes")
    assert (await it.works("updateMFA", mfa=True))["mfa"] is True
    codes = (await it.works(f"update{spelled}RecoveryCodes"))["recoveryCodes"]
    await it.refused(f"get{spelled}RecoveryCodes", *NO_CODES)
    for factor, otp in (("totp", code(secret)), ("recoverycode", codes[0])):
        challenge = await it.works(f"create{spelled}Challenge", factor=factor)
        session = await it.works(f"update{spelled}Challenge", challengeId=challenge["$id"], otp=otp)
        assert session["current"] is True
        assert session["mfaUpdatedAt"]
    await it.works(f"delete{spelled}Authenticator", **_TYPE)
    assert (await it.works("updateMFA", mfa=False))["mfa"] is False


async def walk_users(it: Walk, spelled: str, user_id: str, **login: Any) -> None:
    """Everything that a server does with the second factors of a user, who has an app."""
    await _enrol(it, login)
    assert (await it.works(f"update{spelled}", userId=user_id, mfa=True))["mfa"] is True
    assert (await it.works(f"list{spelled}Factors", userId=user_id))["totp"] is True
    await it.works(f"delete{spelled}Authenticator", userId=user_id, **_TYPE)
    assert len((await it.works(f"create{spelled}RecoveryCodes", userId=user_id))["recoveryCodes"]) == 10
    await it.works(f"update{spelled}RecoveryCodes", userId=user_id)
    await it.refused(f"get{spelled}RecoveryCodes", *NO_CODES, userId=user_id)
    await it.works(f"update{spelled}", userId=user_id, mfa=False)


async def _enrol(it: Walk, login: dict[str, str]) -> None:
    """Add an authenticator app over plain HTTP: a key of these scopes signs nobody in."""
    async with aiohttp.ClientSession(it.deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as client:
        api = Api(client)
        headers = await api.sign_in(**login)
        made = await api.call("POST", AUTHENTICATOR, headers=headers, json={}, modern=True)
        proof = {"otp": code(made.data["secret"])}
        assert (await api.call("PUT", AUTHENTICATOR, headers=headers, json=proof, modern=True)).status == 200
