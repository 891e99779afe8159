"""The walk of today's SDKs.

A server holds a key with the scope sessions.write and speaks for people by their sessions and JWTs; a page in a browser
has its cookies.
"""

from typing import Any

import aiohttp

from testkit.api import Api
from tests.sdk_compat import factors, passkeys, providers, targets
from tests.sdk_compat.walk import Walk

ANN, CODED, PROVED = "ann@example.com", "ann.code@example.com", "ann.new@example.com"
PHONE = "+4915112345678"


async def walk(it: Walk) -> None:
    """Every part leaves the client signed out."""
    it.speak(key=it.key)
    await _sign_up(it)
    await _account(it)
    await _address(it)
    await _recovery(it)
    await _sessions(it)
    await _factors(it)
    await _passkeys(it)
    await _targets(it)
    await _mailed(it)
    await _end(it)
    await _by_phone(it)
    await providers.walk(it)


async def enter(it: Walk, method: str, /, **parameters: Any) -> Any:
    """Open a session. Only a server is told its secret; a browser keeps it in a cookie that no script sees."""
    session = await it.works(method, **parameters)
    assert bool(session["secret"]) is not it.in_browser
    it.speak(session=session["secret"])
    return session


async def sign_in(it: Walk, email: str, password: str) -> None:
    session = await enter(it, "createEmailPasswordSession", email=email, password=password)
    assert session["current"] is True


async def left(it: Walk) -> None:
    """Whoever has signed out is nobody."""
    await it.refused("get", 401, "general_unauthorized_scope")
    it.speak(key=it.key)


async def _sign_up(it: Walk) -> None:
    ann = {"userId": "ann", "email": ANN, "password": "first horse", "name": "Ann"}
    user = await it.works("create", **ann)
    assert (user["$id"], user["email"], user["status"], user["prefs"]) == ("ann", ANN, True, {})
    await it.refused("create", 409, "user_already_exists", **ann)
    await left(it)
    wrong = {"email": ANN, "password": "wrong horse"}
    await it.refused("createEmailPasswordSession", 401, "user_invalid_credentials", **wrong)


async def _account(it: Walk) -> None:
    await sign_in(it, ANN, "first horse")
    again = {"email": ANN, "password": "first horse"}
    await it.refused("createEmailPasswordSession", 401, "user_session_already_exists", **again)
    assert (await it.works("get"))["name"] == "Ann"
    assert (await it.works("updateName", name="Ann B."))["name"] == "Ann B."
    assert await it.works("getPrefs") == {}
    await it.works("updatePrefs", prefs={"theme": "pink", "deep": {"empty": {}}})
    await it.works("updatePrefs", prefs={"deep": {"empty": {}}})
    assert await it.works("getPrefs") == {"deep": {"empty": {}}}, "modern prefs are replaced"
    await it.works("updatePassword", password="second horse", oldPassword="first horse")
    for lists in ("listIdentities", "listMemberships", "listConsents"):
        found = await it.works(lists)
        assert found is None or found["total"] == 0
    await it.works("listLogs", queries=['{"method":"limit","values":[5]}'])
    for method in ("getConsent", "deleteConsent", "listConsentTokens"):
        await it.refused(method, 404, "user_consent_not_found", consentId="none")
    for method in ("getConsentToken", "deleteConsentToken"):
        await it.refused(method, 404, "user_consent_not_found", consentId="none", tokenId="none")
    await _jwt(it)
    await it.works("deleteSession", sessionId="current")
    await left(it)


async def _jwt(it: Walk) -> None:
    """A JWT speaks for its session, and can't be had by a JWT. A browser can't send it beside its cookie."""
    made = await it.works("createJWT") or await _jwt_of_app(it)
    before = it.settings
    it.settings = {"endpoint": before["endpoint"], "project": before["project"], "jwt": made["jwt"]}
    if it.in_browser:
        await it.refused("get", 403, "user_jwt_and_cookie_set")
    else:
        assert (await it.works("getSession", sessionId="current"))["current"] is False
        await it.refused("createJWT", 403, "user_jwt_creation_denied")
    it.settings = before


async def _jwt_of_app(it: Walk) -> Any:
    """For the SDK that can use JWTs and not make them."""
    headers = {"X-Appwrite-Session": it.settings["session"]}
    async with aiohttp.ClientSession(it.deployment.address) as client:
        answer = await Api(client).call("POST", "/v1/account/jwts", modern=True, headers=headers, json={})
    assert answer.status == 201, answer.data
    return answer.data


async def _address(it: Walk) -> None:
    """A changed address is unproved and gets its link unasked. The deprecated names call the same routes."""
    await sign_in(it, ANN, "second horse")
    await it.works("createVerification", url="http://localhost/verify")
    await it.works("updateVerification", **await it.post.proof(ANN))
    assert (await it.works("get"))["emailVerification"] is True
    await it.refused("createEmailVerification", 409, "user_email_already_verified", url="http://localhost/verify")
    await _address_by_code(it)
    user = await it.works("updateEmail", email=PROVED, password="second horse")
    assert (user["email"], user["emailVerification"]) == (PROVED, False)
    await it.post.next(PROVED)
    await it.works("createEmailVerification", url="http://localhost/verify")
    proof = await it.post.proof(PROVED)
    await it.works("updateEmailVerification", **proof)
    await it.refused("updateEmailVerification", 401, "user_invalid_token", **proof)
    assert (await it.works("get"))["emailVerification"] is True


async def _address_by_code(it: Walk) -> None:
    """For the SDKs that can: one more address, proved by a code."""
    if not it.has("createEmailVerificationOTP"):
        return
    await it.works("updateEmail", email=CODED, password="second horse")
    await it.post.next(CODED)
    token = await it.works("createEmailVerificationOTP", phrase=True)
    assert (token["userId"], bool(token["phrase"])) == ("ann", True)
    code = await it.post.code(CODED)
    await it.refused("updateEmailVerificationOTP", 401, "user_invalid_token", userId="ann", secret=other(code))
    await it.works("updateEmailVerificationOTP", userId="ann", secret=code)
    assert (await it.works("get"))["emailVerification"] is True


def other(code: str) -> str:
    """A code that is wrong."""
    return f"{(int(code) + 1) % 1_000_000:06}"


async def _recovery(it: Walk) -> None:
    """Asked for while signed in; it ends that session too."""
    unknown = await it.works("createRecovery", email="nobody@example.com", url="http://localhost/reset")
    token = await it.works("createRecovery", email=PROVED, url="http://localhost/reset")
    assert list(token) == list(unknown)
    proof = await it.post.proof(PROVED)
    await it.works("updateRecovery", **proof, password="third horse")
    await left(it)
    await it.refused("updateRecovery", 401, "user_invalid_token", **proof, password="fourth horse")
    token = await it.works("createRecoveryOTP", email=PROVED, phrase=True)
    if token is None:
        return
    proof = {"userId": token["userId"], "secret": await it.post.code(PROVED)}
    wrong = proof | {"secret": other(proof["secret"])}
    await it.refused("updateRecoveryOTP", 401, "user_invalid_token", **wrong, password="third horse")
    await it.works("updateRecoveryOTP", **proof, password="third horse")


async def _sessions(it: Walk) -> None:
    await sign_in(it, PROVED, "third horse")
    listed = await it.works("listSessions")
    assert (listed["total"], listed["sessions"][0]["current"]) == (1, True)
    session = await it.works("getSession", sessionId="current")
    assert session["$id"] == listed["sessions"][0]["$id"]
    assert (await it.works("updateSession", sessionId=session["$id"]))["expire"] >= session["expire"]
    await it.refused("getSession", 404, "user_session_not_found", sessionId="none")
    if it.sdk.language == "python":  # its parameters are ahead of the other SDKs'
        assert (await it.works("listSessions", total=False))["total"] == 0
        await _short_session(it)
        await it.works("deleteSessions", current=False)
        await it.works("get")
    await it.works("deleteSessions")
    await left(it)
    await enter(it, "createAnonymousSession")
    assert (await it.works("get"))["email"] == ""
    await it.works("deleteSessions")
    await left(it)


async def _factors(it: Walk) -> None:
    """By both names, for an account with a password and one of a mailed code."""
    await sign_in(it, PROVED, "third horse")
    await factors.walk(it, "MFA")
    await it.works("deleteSession", sessionId="current")
    await left(it)
    token = await it.works("createEmailToken", userId="unique()", email="fay@example.com")
    await enter(it, "createSession", userId=token["userId"], secret=await it.post.code("fay@example.com"))
    await factors.walk(it, "Mfa")
    await it.works("deleteSession", sessionId="current")
    await left(it)


async def _short_session(it: Walk) -> None:
    """Beside the one that is there: a server's sign-in does not ask for its own session."""
    about = {"email": PROVED, "password": "third horse", "duration": 60}
    before, kept = it.settings, await it.works("getSession", sessionId="current")
    it.speak(key=it.key)
    session = await it.works("createEmailPasswordSession", **about)
    assert session["expire"] < kept["expire"]
    it.settings = before


async def _passkeys(it: Walk) -> None:
    if it.has("createPasskey"):
        await sign_in(it, PROVED, "third horse")
        token = await passkeys.walk(it)
        await it.works("deleteSession", sessionId="current")
        await left(it)
        session = await enter(it, "createSession", userId=token["userId"], secret=token["secret"])
        assert (session["provider"], session["factors"]) == ("passkey", ["passkey", "userVerification"])
        await it.works("deletePasskey", passkeyId="phone")
        await it.works("deleteSession", sessionId="current")
        await left(it)


async def _targets(it: Walk) -> None:
    if it.has("createPushTarget"):
        await sign_in(it, PROVED, "third horse")
        await targets.walk(it)
        await it.works("deleteSession", sessionId="current")
        await left(it)


async def _mailed(it: Walk) -> None:
    """Magic links by both ways of confirming them, and a code."""
    for confirm in ("updateMagicURLSession", "createSession"):
        asked = {"userId": "mia", "email": "mia@example.com", "url": "http://localhost/in", "phrase": True}
        assert (await it.works("createMagicURLToken", **asked))["phrase"]
        await enter(it, confirm, **await it.post.proof("mia@example.com"))
        assert (await it.works("get"))["$id"] == "mia"
        await it.works("deleteSession", sessionId="current")
        await left(it)
    token = await it.works("createEmailToken", userId="unique()", email="otto@example.com")
    code = await it.post.code("otto@example.com")
    await it.refused("createSession", 401, "user_invalid_token", userId=token["userId"], secret=other(code))
    await enter(it, "createSession", userId=token["userId"], secret=code)


async def _end(it: Walk) -> None:
    """Otto, who has just come in, goes for good. A browser loses its cookies, a server still holds the secret."""
    assert (await it.works("updateStatus"))["status"] is False
    if not it.in_browser:
        await it.refused("get", 403, "user_blocked")
        it.speak(key=it.key)
    await left(it)


async def _by_phone(it: Walk) -> None:
    """Ann proves a number; its codes sign in to her account."""
    await sign_in(it, PROVED, "third horse")
    assert (await it.works("updatePhone", phone=PHONE, password="third horse"))["phone"] == PHONE
    ann = (await it.works("createPhoneVerification"))["userId"]
    await it.works("updatePhoneVerification", userId=ann, secret=await it.sms_code(1))
    assert (await it.works("get"))["phoneVerification"] is True
    await it.works("deleteSession", sessionId="current")
    await left(it)
    asked = (await it.works("createPhoneToken", userId="unique()", phone=PHONE))["userId"]
    session = await enter(it, "updatePhoneSession", userId=asked, secret=await it.sms_code(2))
    assert (session["userId"], session["provider"]) == (ann, "phone")
    await it.works("deleteSession", sessionId="current")
    await left(it)
    await it.refused("createIdTokenSession", 412, "project_provider_disabled", provider="google", idToken="x")
