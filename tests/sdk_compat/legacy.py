"""The walk of the SDKs that the API document was written for.

The server ones can't sign anybody in: their member comes with a JWT that an app has fetched, which here is a client of
plain HTTP.
"""

from typing import Any

import aiohttp

from testkit.api import Api
from tests.sdk_compat import providers
from tests.sdk_compat.walk import Walk

ANN, PROVED = "ann@example.com", "ann.new@example.com"
GUEST = "general_unauthorized_scope"


async def walk(it: Walk) -> None:
    """Every part leaves the client signed out."""
    await _sign_up(it)
    await _account(it)
    await _address(it)
    await _recovery(it)
    await _sessions(it)
    await _mailed(it)
    await _end(it)


async def sign_in(it: Walk, email: str, password: str) -> None:
    """In a page by the SDK. A server gets a JWT of the app's session."""
    if it.has("createSession"):
        session = await it.works("createSession", email=email, password=password)
        assert session["current"] is True
        return
    async with _app(it) as client:
        member = await Api(client).sign_in(email, password)
        answer = await Api(client).call("POST", "/v1/account/jwt", headers=member, json={})
    assert answer.status == 201, answer.data
    it.speak(jwt=answer.data["jwt"])


async def left(it: Walk) -> None:
    """Whoever has signed out is nobody; a JWT dies with its session."""
    await it.refused("get", 401, GUEST)
    it.speak()


def _app(it: Walk) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(it.deployment.address, cookie_jar=aiohttp.DummyCookieJar())


async def _sign_up(it: Walk) -> None:
    if it.has("create"):
        user = await it.works("create", email=ANN, password="first horse", name="Ann")
        assert (user["email"], user["status"]) == (ANN, 0)
        await it.refused("create", 409, "user_already_exists", email=ANN, password="first horse")
        wrong = {"email": ANN, "password": "wrong horse"}
        await it.refused("createSession", 401, "user_invalid_credentials", **wrong)
    else:
        async with _app(it) as client:
            await Api(client).sign_up(ANN, "first horse")
        it.speak(key=it.key)
        await it.refused("get", 401, GUEST)
    it.speak()
    await left(it)


async def _account(it: Walk) -> None:
    await sign_in(it, ANN, "first horse")
    user = await it.works("get")
    assert isinstance(user["registration"], int)
    assert (await it.works("updateName", name="Ann B."))["name"] == "Ann B."
    assert await it.works("getPrefs") == {}
    await it.works("updatePrefs", prefs={"theme": "pink", "zone": {"a": {}}})
    await it.works("updatePrefs", prefs={"theme": None, "size": 1.5})
    assert await it.works("getPrefs") == {"zone": {"a": {}}, "size": 1.5}, "legacy prefs are merged"
    await it.works("updatePassword", password="second horse", oldPassword="first horse")
    assert list(await it.works("getLogs")) == ["logs"]
    if made := await it.works("createJWT"):
        it.settings |= {"jwt": made["jwt"]}
        assert (await it.works("get"))["$id"] == user["$id"]
        await it.refused("createJWT", 401, "user_jwt_creation_denied")
        it.speak()
    await it.works("deleteSession", sessionId="current")
    await left(it)


async def _address(it: Walk) -> None:
    """A changed address is unproved and gets its link unasked."""
    await sign_in(it, ANN, "second horse")
    await it.works("createVerification", url="http://localhost/verify")
    proof = await it.post.proof(ANN)
    await it.works("updateVerification", **proof)
    await it.refused("updateVerification", 401, "user_invalid_token", **proof)
    assert (await it.works("get"))["emailVerification"] is True
    user = await it.works("updateEmail", email=PROVED, password="second horse")
    assert (user["email"], user["emailVerification"]) == (PROVED, False)
    await it.works("updateVerification", userId=user["$id"], secret=await it.post.secret(PROVED))
    assert (await it.works("get"))["emailVerification"] is True


async def _recovery(it: Walk) -> None:
    """Asked for while signed in; it ends that session too."""
    await it.works("createRecovery", email="nobody@example.com", url="http://localhost/reset")
    token = await it.works("createRecovery", email=PROVED, url="http://localhost/reset")
    assert (token["secret"], type(token["expire"])) == ("", int)
    proof = await it.post.proof(PROVED)
    await it.refused("updateRecovery", 400, "general_argument_invalid", **_passwords(proof, "third horse", "x"))
    await it.works("updateRecovery", **_passwords(proof, "third horse", "third horse"))
    await left(it)


def _passwords(proof: dict[str, str], password: str, again: str) -> dict[str, Any]:
    return proof | {"password": password, "passwordAgain": again}


async def _sessions(it: Walk) -> None:
    """With a JWT no session is the current one, but the word `current` finds the one that the JWT stands for."""
    await sign_in(it, PROVED, "third horse")
    listed = await it.works("getSessions")
    assert list(listed) == ["sum", "sessions"]
    assert [session["current"] for session in listed["sessions"]] == [it.in_browser]
    assert (await it.works("getSession", sessionId="current"))["$id"] == listed["sessions"][0]["$id"]
    await it.refused("getSession", 404, "user_session_not_found", sessionId="none")
    await it.works("deleteSessions")
    await left(it)


async def _mailed(it: Walk) -> None:
    """Ways in that only the web SDK has."""
    if not it.in_browser:
        return
    await it.works("createAnonymousSession")
    assert (await it.works("get"))["email"] == ""
    await it.refused("createAnonymousSession", 401, "user_session_already_exists")
    await it.works("deleteSessions")
    await left(it)
    await it.works("createMagicURLSession", email="mia@example.com", url="http://localhost/in")
    await it.works("updateMagicURLSession", **await it.post.proof("mia@example.com"))
    assert (await it.works("get"))["email"] == "mia@example.com"
    await it.works("deleteSessions")
    await left(it)
    await it.refused("createOAuth2Session", 412, "project_provider_disabled", provider="google")
    await providers.walk_legacy(it)


async def _end(it: Walk) -> None:
    """The account goes for good. A browser loses its cookies, a server still holds the JWT."""
    await sign_in(it, PROVED, "third horse")
    await it.works("delete")
    await it.refused("get", 401, GUEST if it.in_browser else "user_blocked")
