"""The API document says what the service does."""

import ast
import hashlib
import inspect
import re
import textwrap
from typing import Any
from urllib.parse import urlencode

import bcrypt
import pytest
import schemathesis
from argon2 import PasswordHasher

from service import app
from service.crypto import totp
from service.crypto.passkey_ceremonies import NewCredential
from service.crypto.secret import Secret
from service.db import Pool
from service.http.middleware import SERVICES
from service.http.routing import ROUTES, Route
from service.settings import Settings
from service.store import authenticators, passkeys, projects, token_secrets, users
from service.store.tokens import Token
from testkit.api import Api, cookie_of
from testkit.authenticator import Authenticator
from testkit.documented import Documented
from testkit.factors import AUTHENTICATOR, CHALLENGES, RECOVERY, App
from testkit.factors import PATH as MFA
from testkit.identity_provider import IdentityProvider
from testkit.passkeys import PATH as PASSKEYS
from testkit.passkeys import TOKENS as PASSKEY_TOKENS
from testkit.passkeys import forget_projects
from testkit.targets import ACCOUNT as ACCOUNT_TARGETS
from testkit.targets import PATH as TARGETS
from worker.security_log import SecurityLogWriter

PASSWORD = {"email": "ann@example.com", "password": "correct horse"}
LINK = {"url": "http://localhost/there"}
ERAS = {"legacy": "0.11.0", "0.12": "0.12.0", "0.15": "0.15.0", "modern": "1.9.5"}


def described() -> list[Route]:
    return [route for route in app.routes() if not route.page]


@pytest.fixture(scope="module")
def documented() -> Documented:
    return Documented()


def test_the_document_is_openapi(documented: Documented):
    """It is valid OpenAPI 3.1, and every reference in it leads somewhere."""
    schemathesis.openapi.from_dict(documented.document).validate()
    text = str(documented.document)
    for reference in set(re.findall(r"'\$ref': '#/([^']+)'", text)):
        found: Any = documented.document
        for part in reference.split("/"):
            found = found[part]


def test_enums_are_of_one_type(documented: Documented):
    """Generators of clients drop an enum of texts and numbers with all that holds it, and can't merge a bare one."""
    faults, waiting = [], [("", documented.document)]
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, dict):
            values = found.get("enum", [found["const"]] if "const" in found else [])
            if values and ("type" not in found or len({type(value) for value in values}) > 1):
                faults.append((place, found))
            waiting += [(f"{place}/{name}", value) for name, value in found.items() if name != "examples"]
        elif isinstance(found, list):
            waiting += [(f"{place}/{number}", value) for number, value in enumerate(found)]
    assert faults == []


def test_every_route_is_in_it(documented: Documented):
    """No path of ours is undocumented, nor the other way round; ids are unique."""
    expected = {(route.method, path) for route in described() for path in route.paths}
    assert {(operation.method, operation.path) for operation in documented.operations} == expected
    names = [operation.name for operation in documented.operations]
    assert len(set(names)) == len(names)
    assert ROUTES


def test_examples_fit(documented: Documented):
    """Every operation has examples of its body and its answers, and they fit their schemas."""
    for operation in documented.operations:
        answers = operation.content["responses"]
        for media in (media for answer in answers.values() for media in answer.get("content", {}).values()):
            assert media["examples"], operation.name
            for example in media["examples"].values():
                at = example.get("$ref", "").rpartition("/")[2]
                value = (documented.document["components"]["examples"][at] if at else example)["value"]
                assert documented.faults(media["schema"], value) == [], (operation.name, value)
        for media in operation.content.get("requestBody", {}).get("content", {}).values():
            value = media["examples"]["usual"]["value"]
            assert value, operation.name
            assert documented.faults(media["schema"], value) == [], operation.name


@pytest.mark.parametrize("route", described(), ids=lambda route: route.name)
def test_contracts_tell_the_truth(route: Route):
    """A handler reads the body that its contract names, and what it raises itself stands there."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(route.handler)))
    read = [
        node.args[1].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("read", "request_body.read")
        if isinstance(node.args[1], ast.Name)
    ]
    assert set(read) <= {route.contract.request.__name__ if route.contract.request else ""}
    raised = {ast.unparse(node.exc).partition("(")[0] for node in ast.walk(tree) if isinstance(node, ast.Raise)}
    raised = {name for name in raised if name[0].isupper()}
    known = {kind.__name__ for kind in route.contract.raises}
    assert raised <= known | {"ArgumentInvalid", "UserBlocked", "ScopeMissing"}
    succeeds = any(isinstance(node, ast.Return) for node in ast.walk(tree))
    assert succeeds is not route.contract.refuses, "a route that only refuses says so, and no other does"
    assert inspect.getdoc(route.handler)


async def test_it_is_served_to_everybody(api: Api, documented: Documented):
    """No project is needed to read it, whatever else the request says; it is the document that we check against."""
    for headers in ({"X-Appwrite-Project": None}, {"X-Appwrite-Project": "no-such"}, {"X-Appwrite-JWT": "junk"}):
        answer = await api.call("GET", "/v1/openapi.json", headers=headers)
        assert answer.status == 200
        assert answer.data == documented.document


class Walker:
    """Calls routes as a member of a project, and holds each answer against the document."""

    def __init__(self, api: Api, pool: Pool, settings: Settings, documented: Documented) -> None:
        self.api, self.pool, self.settings, self.documented = api, pool, settings, documented
        self.form = ""
        self.member: dict[str, str] = {}
        self.walked: set[str] = set()

    async def call(self, method: str, path: str, **kwargs: Any) -> Any:
        headers = {"X-Appwrite-Response-Format": self.form, **kwargs.pop("headers", self.member)}
        answer = await self.api.call(method, path, headers=headers, **kwargs)
        operation = self.documented.find(method, path.partition("?")[0])
        body = await answer.read()
        self.documented.check(operation, answer.status, answer.headers, body)
        assert answer.status < 300, (method, path, answer.status, body)
        self.walked.add(operation.name)
        return answer

    async def go(self, path: str, **kwargs: Any) -> Any:
        """Call a route that leads elsewhere."""
        kwargs = {"headers": {}, "allow_redirects": False} | kwargs
        answer = await self.api.call("GET", path, **kwargs)
        operation = self.documented.find("GET", path.partition("?")[0])
        self.documented.check(operation, answer.status, answer.headers, await answer.read())
        assert answer.status == 301, answer.data
        self.walked.add(operation.name)
        return answer

    async def sign_in(self, path: str = "/v1/account/sessions/email") -> None:
        answer = await self.call("POST", path, json=PASSWORD, headers={})
        self.member = {"Cookie": cookie_of(answer)}

    async def proof(self, kind: str, *, email: str = "ann@example.com") -> dict[str, str]:
        """Id and secret as the newest mail of a kind has them."""
        row = await self.pool.fetchrow(
            "select project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at "
            "from tokens where kind = $1 and email = $2 order by created_at desc, id desc limit 1",
            kind,
            email,
        )
        assert row
        token = Token(*row)
        return {
            "userId": token.requested_user_id or token.user_id or "",
            "secret": token_secrets.secret_of(self.settings.key_ring, token),
        }


async def walk_account(walker: Walker) -> None:
    await walker.call("POST", "/v1/account", json=PASSWORD | {"name": "Ann"}, headers={})
    for path in ("/v1/account/sessions/email", "/v1/account/sessions"):
        await walker.sign_in(path)
    await walker.call("GET", "/v1/account")
    await walker.call("PATCH", "/v1/account/name", json={"name": "Bea"})
    await walker.call("PATCH", "/v1/account/prefs", json={"prefs": {"theme": "pink"}})
    await walker.call("GET", "/v1/account/prefs")
    await walker.call(
        "PATCH", "/v1/account/password", json={"password": "another horse", "oldPassword": "correct horse"}
    )
    await walker.call("PATCH", "/v1/account/email", json={"email": "bea@example.com", "password": "another horse"})
    for empty in ("memberships", "consents"):
        await walker.call("GET", f"/v1/account/{empty}")
    for path in ("/v1/account/jwt", "/v1/account/jwts"):
        await walker.call("POST", path, json={})
    await SecurityLogWriter(walker.pool).write_pending()
    assert len((await walker.call("GET", "/v1/account/logs?queries[]=limit(3)")).data["logs"]) >= 3
    assert (await walker.call("GET", "/v1/account/export")).data["logs"]
    await walker.call("PATCH", "/v1/account/status", json={})
    await walker.pool.execute("update users set status = 'active'")
    await walker.call("DELETE", "/v1/account", json={})


async def walk_sessions(walker: Walker) -> None:
    await walker.call("POST", "/v1/account", json=PASSWORD, headers={})
    await walker.sign_in()
    assert (await walker.call("GET", "/v1/account/sessions?total=true")).data["sessions"]
    await walker.call("GET", "/v1/account/sessions/current")
    await walker.call("PATCH", "/v1/account/sessions/current", json={})
    await walker.call("DELETE", "/v1/account/sessions/current", json={})
    await walker.sign_in()
    await walker.call("DELETE", "/v1/account/sessions", json={})
    anonymous = await walker.call("POST", "/v1/account/sessions/anonymous", json={}, headers={})
    await walker.call("GET", "/v1/account", headers={"Cookie": cookie_of(anonymous)})


async def walk_mails(walker: Walker) -> None:
    await walker.call("POST", "/v1/account", json=PASSWORD, headers={})
    await walker.sign_in()
    for path in ("/v1/account/verification", "/v1/account/verifications/email"):
        await walker.call("POST", path, json=LINK)
        await walker.call("PUT", path, json=await walker.proof("verification"), headers={})
        await walker.pool.execute("update users set email_verified = false")
    await walker.call("POST", "/v1/account/verifications/email/otp", json={"phrase": True})
    body = await walker.proof("verification_otp")
    await walker.call("PUT", "/v1/account/verifications/email/otp", json=body, headers={})
    assert (await walker.call("GET", "/v1/account/mails?queries[]=limit(3)")).data["mails"]
    for path in ("/v1/account/sessions/magic-url", "/v1/account/tokens/magic-url"):
        body = {"email": "bob@example.com", "phrase": True, **LINK}
        await walker.call("POST", path, json=body, headers={})
    body = await walker.proof("magic_url", email="bob@example.com")
    await walker.call("PUT", "/v1/account/sessions/magic-url", json=body, headers={})
    body = {"userId": "carl", "email": "carl@example.com"}
    await walker.call("POST", "/v1/account/tokens/email", json=body, headers={})
    body = await walker.proof("otp", email="carl@example.com")
    await walker.call("POST", "/v1/account/sessions/token", json=body, headers={})
    for path, kind, more in (("recovery", "recovery", LINK), ("recovery/otp", "recovery_otp", {"phrase": True})):
        await walker.call("POST", f"/v1/account/{path}", json={"email": "ann@example.com", **more}, headers={})
        # The worker finds out whose it is; here we are the worker.
        await walker.pool.execute(
            "update tokens set user_id = users.id, email_version = users.email_version from users "
            "where tokens.email = users.email and kind = $1",
            kind,
        )
        proof = await walker.proof(kind)
        new = {"password": "a third horse", "passwordAgain": "a third horse"}
        await walker.call("PUT", f"/v1/account/{path}", json=proof | new, headers={})


async def walk_users(walker: Walker) -> None:
    scopes = ["users.read", "users.write", "events.read"]
    key_id = f"key{walker.form}"
    secret = await projects.create_api_key(walker.pool, "shop", key_id=key_id, name="Shop", scopes=scopes)
    walker.member = {"X-Appwrite-Key": secret}
    made = {"email": "ann@example.com", "name": "Ann", "password": "correct horse", "userId": "ann"}
    await walker.call("POST", "/v1/users", json=made)
    await SecurityLogWriter(walker.pool).write_pending()
    for form in ("standard", "cloudevents"):
        assert (await walker.call("GET", f"/v1/events?limit=2&format={form}")).data["events"]
    made = (await walker.call("POST", "/v1/invitations", json={"note": "Conference"})).data
    assert (await walker.call("GET", "/v1/invitations?limit=1")).data["invitations"][0]["$id"] == made["$id"]
    await walker.pool.execute("update projects set sign_up = 'invitation'")
    walker.api.client.app[SERVICES].projects._seen.clear()
    await walker.call("PUT", "/v1/account/invitation", headers={"X-Invitation": made["code"]}, json={})
    await walker.pool.execute("update projects set sign_up = 'open'")
    walker.api.client.app[SERVICES].projects._seen.clear()
    await walker.call("DELETE", f"/v1/invitations/{made['$id']}", json={})
    await walk_imports(walker)
    listed = await walker.call("GET", "/v1/users?search=ann&limit=5&queries[]=limit(5)")
    assert [user["$id"] for user in listed.data["users"]] == ["ann"]
    user = "/v1/users/ann"
    await walker.call("GET", user)
    changes = {
        "name": "Bea", "email": "bea@example.com", "password": "another horse", "status": True,
        "verification": True, "prefs": {"theme": "pink"},
    }  # fmt: skip
    for name, value in changes.items():
        field = {"verification": "emailVerification"}.get(name, name)
        await walker.call("PATCH", f"{user}/{name}", json={field: value})
    await walker.call("PATCH", f"{user}/phone", json={"number": "+4915112345678"})
    await walker.call("PATCH", f"{user}/verification/phone", json={"phoneVerification": True})
    await walker.call("PUT", f"{user}/labels", json={"labels": ["vip"]})
    for number in range(2):
        await walker.pool.execute(
            "insert into identities (project_id, user_id, id, provider, issuer, subject) "
            "values ('shop', 'ann', $1, 'oidc', 'https://id.example.com', $1)",
            f"identity-{number}",
        )
    assert len((await walker.call("GET", "/v1/users/identities")).data["identities"]) == 2
    await walker.call("DELETE", "/v1/users/identities/identity-0", json={})
    await walker.call("GET", f"{user}/prefs")
    proof = {"email": "bea@example.com", "password": "another horse"}
    await walk_user_factors(walker, "ann", proof)
    await walk_user_passkeys(walker, "ann")
    for path in (f"{user}/sessions", f"{user}/sessions/"):
        session = await walker.call("POST", "/v1/account/sessions", json=proof, headers={})
        assert len((await walker.call("GET", f"{user}/sessions")).data["sessions"]) == 1
        await walker.call("DELETE", path + (session.data["$id"] if path.endswith("/") else ""), json={})
    await SecurityLogWriter(walker.pool).write_pending()
    assert (await walker.call("GET", f"{user}/logs")).data["logs"]
    await walk_user_targets(walker, user)
    await walk_ways_in(walker, user)
    await walker.call("GET", f"{user}/memberships")
    await walker.call("DELETE", user, json={})


async def walk_factors(walker: Walker) -> None:
    await walker.call("POST", "/v1/account", json=PASSWORD, headers={})
    await walker.pool.execute("update users set email_verified = true")
    await walker.sign_in()
    await walker.call("GET", f"{MFA}/factors")
    made = await walker.call("POST", AUTHENTICATOR, json={})
    app = App(walker.pool, Secret(made.data["secret"]))
    await walker.call("PUT", AUTHENTICATOR, json={"otp": await app.code()})
    await walker.call("PATCH", MFA, json={"mfa": True})
    await walker.call("POST", RECOVERY, json={})
    await walker.call("PATCH", RECOVERY, json={})
    for path in (CHALLENGES, f"{MFA}/challenge"):
        challenge = (await walker.call("POST", path, json={"factor": "totp"})).data["$id"]
        await walker.call("PUT", path, json={"challengeId": challenge, "otp": await app.unused()})
    await walker.call("DELETE", AUTHENTICATOR, json={})


async def walk_passkeys(walker: Walker) -> None:
    await walker.call("POST", "/v1/account", json=PASSWORD, headers={})
    await projects.change(walker.pool, "shop", passkeys=True, rp_id="shop.example")
    forget_projects(walker.api)
    await walker.sign_in()
    begun = (await walker.call("POST", PASSKEYS, json={"passkeyId": "phone", "name": "Phone"})).data
    credential, holder = Authenticator().create(begun["publicKey"])
    await walker.call("PUT", f"{PASSKEYS}/phone/verification", json={"credential": credential})
    assert len((await walker.call("GET", f"{PASSKEYS}?queries[]=limit(5)")).data["passkeys"]) == 1
    await walker.call("GET", f"{PASSKEYS}/phone")
    await walker.call("PATCH", f"{PASSKEYS}/phone", json={"name": "Key"})
    asked = (await walker.call("POST", PASSKEY_TOKENS, headers={})).data
    answer = {"challengeId": asked["$id"], "credential": holder.get(asked["publicKey"])}
    signed = (await walker.call("PUT", PASSKEY_TOKENS, json=answer, headers={})).data
    proof = {"userId": signed["userId"], "secret": signed["secret"]}
    await walker.call("POST", "/v1/account/sessions/token", json=proof, headers={})
    await walker.call("DELETE", f"{PASSKEYS}/phone", json={})


async def walk_targets(walker: Walker) -> None:
    await walker.call("POST", "/v1/account", json=PASSWORD, headers={})
    await walker.sign_in()
    device = {"targetId": "phone", "identifier": "token", "providerId": "fcm"}
    await walker.call("POST", TARGETS, json=device)
    await walker.call("PUT", f"{ACCOUNT_TARGETS}/phone/push", json={"identifier": "token-2"})
    shown = (await walker.call("GET", "/v1/account")).data
    assert [each["$id"] for each in shown.get("targets", [])][1:] in ([], ["phone"])
    await walker.call("DELETE", f"{ACCOUNT_TARGETS}/phone/push", json={})


async def walk_user_targets(walker: Walker, user: str) -> None:
    device = {"targetId": "phone", "providerType": "push", "identifier": "token", "name": "Phone"}
    await walker.call("POST", f"{user}/targets", json=device)
    assert len((await walker.call("GET", f"{user}/targets?queries[]=limit(5)")).data["targets"]) == 3
    await walker.call("GET", f"{user}/targets/phone")
    await walker.call("PATCH", f"{user}/targets/phone", json={"identifier": "token-2"})
    await walker.call("DELETE", f"{user}/targets/phone", json={})


async def walk_user_passkeys(walker: Walker, user_id: str) -> None:
    user = await users.find(walker.pool, "shop", user_id=user_id)
    assert user
    credential = NewCredential(
        id=b"credential", public_key=b"key", algorithm=-7, backup_eligible=False, backed_up=False, sign_count=0,
        transports=[], aaguid="",
    )  # fmt: skip
    await passkeys.create(walker.pool, user, passkey_id="phone", name="Phone", credential=credential)
    path = f"/v1/users/{user_id}/passkeys"
    assert len((await walker.call("GET", path)).data["passkeys"]) == 1
    await walker.call("GET", f"{path}/phone")
    await walker.call("PATCH", f"{path}/phone", json={"name": "Key"})
    await walker.call("DELETE", f"{path}/phone", json={})


async def walk_user_factors(walker: Walker, user_id: str, proof: dict[str, str]) -> None:
    path, ring = f"/v1/users/{user_id}/mfa", walker.settings.key_ring
    user = await users.find(walker.pool, "shop", user_id=user_id)
    assert user
    await authenticators.create(walker.pool, ring, user, secret=totp.new_secret())
    waiting = await authenticators.find(walker.pool, user)
    assert waiting
    await authenticators.verify(walker.pool, waiting, step=0)
    assert (await walker.call("GET", f"{path}/factors")).data["totp"] is True
    await walker.call("DELETE", f"{path}/authenticators/totp", json={})
    for method in ("PATCH", "PUT"):
        await walker.call(method, f"{path}/recovery-codes", json={})
    await walker.call("PATCH", path, json={"mfa": False})
    await walker.call("POST", "/v1/account/sessions", json=proof, headers={})
    await walker.pool.execute(
        "insert into challenges (project_id, id, user_id, session_id, factor, kid, expires_at) "
        "select project_id, 'custom', user_id, id, 'custom', $1, expires_at from sessions",
        next(iter(ring)),
    )
    assert len((await walker.call("GET", f"{path}/challenges/custom")).data["code"]) == 6
    await walker.pool.execute("delete from sessions")


async def walk_ways_in(walker: Walker, user: str) -> None:
    """Make what an app's server makes for its users; the secrets of session and token are in the answers."""
    assert (await walker.call("POST", f"{user}/sessions", json={})).data["userId"] == "ann"
    assert (await walker.call("POST", f"{user}/jwts", json={"sessionId": "recent", "duration": 60})).data["jwt"]
    token = await walker.call("POST", f"{user}/tokens", json={"length": 32, "expire": 60})
    body = {"userId": "ann", "secret": token.data["secret"]}
    await walker.call("POST", "/v1/account/sessions/token", json=body, headers={})


async def walk_imports(walker: Walker) -> None:
    salt, memory = "salt", {"n": 2**14, "r": 8, "p": 1}
    digest = hashlib.scrypt(b"correct horse", salt=salt.encode(), **memory, dklen=64).hex()
    scrypt = {
        "password": digest, "passwordSalt": salt, "passwordCpu": memory["n"], "passwordMemory": memory["r"],
        "passwordParallel": memory["p"], "passwordLength": 64,
    }  # fmt: skip
    argon2 = {"password": PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash("correct horse")}
    known = {"password": bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()}
    weak = {
        "md5": {"password": "5f4dcc3b5aa765d61d8327deb882cf99"}, "sha": {"password": "0f" * 64},
        "phpass": {"password": "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"},
        "scrypt-modified": {"password": "eA" * 32, "passwordSignerKey": "eA" * 32} | dict.fromkeys(
            ("passwordSalt", "passwordSaltSeparator"), "eA=="),
    }  # fmt: skip
    for method, body in ({"scrypt": scrypt, "argon2": argon2, "bcrypt": known} | weak).items():
        await walker.call("POST", f"/v1/users/{method}", json={"email": f"{method}@example.com", **body})


async def walk_providers(walker: Walker) -> None:
    """Go to a provider and back; the last redirect opens the session."""
    async with IdentityProvider() as provider:
        await provider.register(walker.pool, walker.settings.key_ring, "shop", native=True)
        services = walker.api.client.app[SERVICES]
        services.projects._seen.clear()
        services.providers._seen.clear()
        for kind in ("tokens", "sessions"):
            started = await walker.go(f"/v1/account/{kind}/oauth2/oidc")
            back = await provider.sign_in(started.headers["Location"])
            cookie = {"Cookie": started.headers["Set-Cookie"].partition(";")[0]}
            path = f"/v1/account/sessions/oauth2/oidc/redirect?{urlencode(back)}"
            ended = await walker.go(path, headers=cookie)
        walker.member = {"Cookie": cookie_of(ended)}
        token = {"provider": "oidc", "idToken": provider.id_token()}
        await walker.call("POST", "/v1/account/sessions/id-token", json=token, headers={})
        (identity,) = (await walker.call("GET", "/v1/account/identities")).data["identities"]
        await walker.call("DELETE", f"/v1/account/identities/{identity['$id']}", json={})
        services.providers._seen.clear()


async def walk_phones(walker: Walker) -> None:
    number = {"phone": "+4915112345678"}
    await walker.call("POST", "/v1/account", json=PASSWORD, headers={})
    await walker.sign_in()
    await walker.call("PATCH", "/v1/account/phone", json=number | {"password": PASSWORD["password"]})
    for path in ("/v1/account/verifications/phone", "/v1/account/verification/phone"):
        await walker.call("POST", path)
        proof = await walker.proof("phone_verification", email=number["phone"])
        await walker.call("PUT", path, json=proof)
        await walker.pool.execute("update users set phone_verified_at = null")
    for path in ("/v1/account/tokens/phone", "/v1/account/sessions/phone"):
        await walker.call("POST", path, json=number | {"userId": "unique()"}, headers={})
    proof = await walker.proof("phone_login", email=number["phone"])
    await walker.call("PUT", "/v1/account/sessions/phone", json=proof, headers={})
    await walker.pool.execute("delete from windows")  # the same number in each era


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """SMS can be sent."""
    return environment | {"SMS_URL": "https://sms.example.com/send", "LIMITS": "off"}


WALKS = (
    walk_account, walk_providers, walk_sessions, walk_mails, walk_factors, walk_passkeys, walk_targets, walk_phones,
    walk_users,
)  # fmt: skip


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("form", ERAS.values(), ids=ERAS)
async def test_answers_are_as_documented(api: Api, pool: Pool, settings: Settings, documented: Documented, form: str):
    """Every route, called to its success in every era, answers as the document says."""
    walker = Walker(api, pool, settings, documented)
    walker.form = form
    await pool.execute("update projects set sms_countries = '{+49}'")
    for walk in WALKS:
        walker.member = {}
        await pool.execute("delete from users")
        await walk(walker)
    await walker.call("GET", "/v1/openapi.json")
    await walker.call("GET", "/v1/ping", headers={})
    # There is no consent, no recovery code to show and nothing behind routes of others, so these have no success.
    unwalked = {operation.name for operation in documented.operations} - walker.walked
    assert unwalked == {
        "get_usage", "get_mfa_recovery_codes",
        "get_user_mfa_recovery_codes", "get_consent", "delete_consent", "list_consent_tokens", "get_consent_token",
        "delete_consent_token",
    }  # fmt: skip
    assert unwalked == {operation.name for operation in documented.operations if "x-refuses" in operation.content}
