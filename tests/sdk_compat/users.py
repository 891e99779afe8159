"""The walks of a server that holds a key for the Users API.

The users' own sessions come from plain HTTP: a key of these scopes signs nobody in.
"""

import base64
import hashlib
from typing import Any

import aiohttp
import bcrypt
from argon2 import PasswordHasher

from testkit.api import Api
from tests.sdk_compat import factors, passkeys, providers, targets
from tests.sdk_compat.walk import Walk

UNA, RUTH = "una@example.com", "ruth@example.com"
PHONE = "+4915112345678"


async def walk(it: Walk) -> None:
    """Today's SDKs."""
    it.speak(key=it.key)
    una = {"userId": "una", "email": UNA, "password": "first horse", "name": "Una"}
    assert (await it.works("create", **una))["$id"] == "una"
    await it.refused("create", 409, "user_already_exists", **una)
    await _read(it, {"queries": ['{"method":"limit","values":[5]}'], "search": "una"})
    await _change(it, status=False, verification="updateEmailVerification")
    assert (await it.works("updateLabels", userId="una", labels=["vip"]))["labels"] == ["vip"]
    assert await it.works("updatePrefs", userId="una", prefs={"theme": "blue"}) == {"theme": "blue"}
    assert (await it.works("updatePhone", userId="una", number=PHONE))["phone"] == PHONE
    proved = await it.works("updatePhoneVerification", userId="una", phoneVerification=True)
    assert proved["phoneVerification"] is True
    await _sessions(it, "listSessions")
    await _factors(it)
    await _ways_in(it)
    await targets.walk_users(it, "una", RUTH)
    await it.works("listLogs", userId="una")
    assert (await it.works("listMemberships", userId="una"))["total"] == 0
    identity_id = await providers.add_identity(it, "una")
    assert [each["$id"] for each in (await it.works("listIdentities"))["identities"]] == [identity_id]
    await it.works("deleteIdentity", identityId=identity_id)
    await _import(it)
    # Not served: the answer is the one that the SDKs know for a route that is not there.
    await it.refused("updateImpersonator", 404, "general_route_not_found", userId="una", impersonator=True)
    await _delete(it)


async def walk_legacy(it: Walk) -> None:
    """SDKs that the API document was written for."""
    it.speak(key=it.key)
    una = {"email": UNA, "password": "first horse", "name": "Una"}
    user_id = (await it.works("create", **una))["$id"]
    await it.refused("create", 409, "user_already_exists", **una)
    await _read(it, {"search": "una"}, user_id)
    await _change(it, user_id, status=2, verification="updateVerification")
    assert await it.works("updatePrefs", userId=user_id, prefs={"theme": "blue"}) == {"theme": "blue"}
    await _sessions(it, "getSessions", user_id)
    await it.works("getLogs", userId=user_id)
    await _delete(it, user_id)


async def _read(it: Walk, queries: dict[str, Any], user_id: str = "una") -> None:
    assert [user["$id"] for user in (await it.works("list", **queries))["users"]] == [user_id]
    assert (await it.works("get", userId=user_id))["email"] == UNA
    await it.refused("get", 404, "user_not_found", userId="nobody")
    assert await it.works("getPrefs", userId=user_id) == {}


async def _change(it: Walk, user_id: str = "una", *, status: object, verification: str) -> None:
    assert (await it.works("updateName", userId=user_id, name="Una B."))["name"] == "Una B."
    assert (await it.works("updateEmail", userId=user_id, email=RUTH))["email"] == RUTH
    await it.works("updatePassword", userId=user_id, password="second horse")
    assert (await it.works(verification, userId=user_id, emailVerification=True))["emailVerification"] is True
    assert (await it.works("updateStatus", userId=user_id, status=status))["status"] == status
    await it.works("updateStatus", userId=user_id, status=True if it.sdk.modern else 1)


async def _sessions(it: Walk, lists: str, user_id: str = "una") -> None:
    await it.refused("deleteSession", 404, "user_session_not_found", userId=user_id, sessionId="none")
    for one in (True, False):
        await _sign_in(it)
        [session] = (await it.works(lists, userId=user_id))["sessions"]
        if one:
            await it.works("deleteSession", userId=user_id, sessionId=session["$id"])
        else:
            await it.works("deleteSessions", userId=user_id)
        assert (await it.works(lists, userId=user_id))["sessions"] == []


async def _factors(it: Walk) -> None:
    await factors.walk_users(it, "Mfa", "una", email=RUTH, password="second horse")
    await it.works("create", userId="uma", email="uma@example.com", password="first horse", name="Uma")
    await factors.walk_users(it, "MFA", "uma", email="uma@example.com", password="first horse")
    await passkeys.walk_users(it, "uma", email="uma@example.com", password="first horse")
    await it.refused("getMfaChallenge", 401, "user_invalid_token", userId="uma", challengeId="c")
    await it.works("delete", userId="uma")


async def _ways_in(it: Walk) -> None:
    """Open the account by what a server makes for its user."""
    session = await it.works("createSession", userId="una")
    assert (session["provider"], session["current"]) == ("server", False)
    assert await _account_id(it, {"X-Appwrite-Session": session["secret"]}) == "una"
    made = await it.works("createJWT", userId="una", sessionId="recent", duration=60)
    assert await _account_id(it, {"X-Appwrite-JWT": made["jwt"]}) == "una"
    token = await it.works("createToken", userId="una", length=32, expire=60)
    assert len(token["secret"]) == 32
    await it.works("deleteSessions", userId="una")
    await it.refused("createToken", 404, "user_not_found", userId="nobody")


async def _account_id(it: Walk, headers: dict[str, str]) -> str:
    async with aiohttp.ClientSession(it.deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as client:
        return str((await Api(client).call("GET", "/v1/account", modern=True, headers=headers)).data["$id"])


async def _sign_in(it: Walk) -> None:
    async with aiohttp.ClientSession(it.deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as client:
        await Api(client).sign_in(RUTH, "second horse")


async def _import(it: Walk) -> None:
    """Hashes of other systems."""
    argon2 = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash("old horse")
    known = bcrypt.hashpw(b"old horse", bcrypt.gensalt(4)).decode()
    digest = hashlib.scrypt(b"old horse", salt=b"salt", n=2**14, r=8, p=1, dklen=64).hex()
    scrypt = {"passwordSalt": "salt", "passwordCpu": 2**14, "passwordMemory": 8, "passwordParallel": 1}
    await it.works("createArgon2User", userId="argon2", email="argon2@example.com", password=argon2)
    await it.works("createBcryptUser", userId="bcrypt", email="bcrypt@example.com", password=known)
    about = {"userId": "scrypt", "email": "scrypt@example.com", "password": digest, "passwordLength": 64}
    await it.works("createScryptUser", **about, **scrypt)
    weak = {
        "createMD5User": "5f4dcc3b5aa765d61d8327deb882cf99",
        "createPHPassUser": "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
        "createSHAUser": hashlib.sha3_512(b"old horse").hexdigest(),
    }
    for method, digest in weak.items():
        await it.works(method, userId=method, email=f"{method}@example.com".lower(), password=digest)
    modified = {
        "password": base64.b64encode(b"x" * 64).decode(), "passwordSalt": "42xEC+ixf3L2lw==",
        "passwordSaltSeparator": "Bw==", "passwordSignerKey": base64.b64encode(b"k" * 64).decode(),
    }  # fmt: skip
    await it.works("createScryptModifiedUser", userId="firebase", email="firebase@example.com", **modified)


async def _delete(it: Walk, user_id: str = "una") -> None:
    await it.works("delete", userId=user_id)
    await it.refused("get", 404, "user_not_found", userId=user_id)
