"""Every error that a client can meet: provoked over HTTP in both eras, with the exact status, type and message.

docs/errors.md is the documentation. What stands here is written by hand, and not
read from service/errors.py: an error that changes there changes for every client.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from service import errors
from service.db import Pool
from service.http import request_body
from service.http.middleware import SERVICES
from service.store import projects
from service.version import VERSION
from testkit.api import Api, cookie_of
from testkit.api_keys import key
from testkit.authenticator import Authenticator
from testkit.documented import Documented
from testkit.factors import AUTHENTICATOR, CHALLENGES, RECOVERY, Person
from testkit.first_tab import IN_COOKIE, OPEN, ask
from testkit.passkeys import PATH as PASSKEYS
from testkit.passkeys import TOKENS, add, begin, switch_on
from testkit.targets import PATH as TARGETS
from testkit.targets import path as target_path
from testkit.targets import register
from testkit.visitor import change_project

BOB = {"email": "bob@example.com", "password": "correct horse"}
LINK = {"url": "http://localhost/there"}
PROOF = {"userId": "nobody", "secret": "0" * 256}


@dataclass
class Stage:
    """The project `shop` with ann, who has signed in; calls speak the era of the row under test."""

    api: Api
    pool: Pool
    modern: bool
    member: dict[str, str]

    async def call(self, method: str, path: str, **kwargs: Any) -> Any:
        return await self.api.call(method, path, modern=self.modern, **kwargs)

    async def jwt(self) -> dict[str, str]:
        answer = await self.call("POST", "/v1/account/jwt", json={}, headers=self.member)
        return {"X-Appwrite-JWT": answer.data["jwt"]}


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """SMS can be sent."""
    return environment | {"SMS_URL": "https://sms.example.com/send"}


@pytest.fixture(autouse=True)
async def served(pool: Pool, project: projects.Project) -> None:
    """The project sends SMS to one country."""
    await pool.execute("update projects set sms_countries = '{+49}'")


Provoke = Callable[[Stage], Awaitable[Any]]
Answer = tuple[int, str]


@dataclass(frozen=True)
class Row:
    """Status and message in each era; None where that era does not refuse."""

    kind: type[errors.AccountError]
    type: str
    modern: Answer | None
    legacy: Answer | None
    provoke: Provoke


ROWS: list[Row] = []


def row(
    kind: type[errors.AccountError], type_: str, *, modern: Answer | None, legacy: Answer | None
) -> Callable[[Provoke], Provoke]:
    def declare(provoke: Provoke) -> Provoke:
        ROWS.append(Row(kind, type_, modern, legacy, provoke))
        return provoke

    return declare


@row(
    errors.ArgumentInvalid, "general_argument_invalid",
    modern=(400, 'Param "email" is not optional.'), legacy=(400, 'Param "email" is not optional.'),
)  # fmt: skip
async def missing_parameter(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account", json={})


@row(
    errors.ArgumentInvalid, "general_argument_invalid",
    modern=(400, "Invalid `email` param: Value must be a valid email address"),
    legacy=(400, "Invalid email: Value must be a valid email address"),
)  # fmt: skip
async def malformed_parameter(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account", json={"email": "ann", "password": "correct horse"})


@row(
    errors.ArgumentInvalid, "general_argument_invalid",
    modern=(400, "Passwords must match"), legacy=(400, "Passwords must match"),
)  # fmt: skip
async def different_passwords(stage: Stage) -> Any:
    new = {"password": "another horse", "passwordAgain": "an other horse"}
    return await stage.call("PUT", "/v1/account/recovery", json=PROOF | new)


@row(
    errors.BodyTooLarge, "general_argument_invalid",
    modern=(413, "The request body is larger than 96 KiB."), legacy=(413, "The request body is larger than 96 KiB."),
)  # fmt: skip
async def large_body(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account", json={"name": "x" * 100_000})


@row(
    errors.BodyEncoded, "general_argument_invalid",
    modern=(415, "The request body must not be compressed."),
    legacy=(415, "The request body must not be compressed."),
)  # fmt: skip
async def compressed_body(stage: Stage) -> Any:
    sent = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    return await stage.call("POST", "/v1/account", data=b"{}", headers=sent)


@row(
    errors.BodyTooSlow, "general_argument_invalid",
    modern=(408, "The request body did not arrive in time."), legacy=(408, "The request body did not arrive in time."),
)  # fmt: skip
async def slow_body(stage: Stage) -> Any:
    answered = asyncio.Event()

    async def first_half_only() -> AsyncIterator[bytes]:
        yield b'{"email":'
        await answered.wait()

    try:
        sent = {"Content-Type": "application/json"}
        return await stage.call("POST", "/v1/account", data=first_half_only(), headers=sent)
    finally:
        answered.set()


@row(
    errors.QueryInvalid, "general_query_invalid",
    modern=(400, "Only the queries limit and offset are supported here."), legacy=None,
)  # fmt: skip
async def query_of_another_list(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account/logs?queries[]=orderAsc(%22ip%22)", headers=stage.member)


@row(
    errors.QueryInvalid, "general_query_invalid",
    modern=(400, "A query could not be understood."), legacy=(400, "A query could not be understood."),
)  # fmt: skip
async def junk_query(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/users?queries[]=junk", headers=await key(stage.pool))


@row(
    errors.CursorNotFound, "general_cursor_not_found",
    modern=(400, "The cursor of the list is not there. Start the list anew."),
    legacy=(400, "The cursor of the list is not there. Start the list anew."),
)  # fmt: skip
async def lost_cursor(stage: Stage) -> Any:
    path = "/v1/users?queries[]=cursorAfter(%22nobody%22)"
    return await stage.call("GET", path, headers=await key(stage.pool))


@row(
    errors.EventsDeleted, "general_events_deleted",
    modern=(410, "Events after the cursor were deleted for their age. Begin anew without a cursor."),
    legacy=(410, "Events after the cursor were deleted for their age. Begin anew without a cursor."),
)  # fmt: skip
async def events_that_are_gone(stage: Stage) -> Any:
    headers = await key(stage.pool, "events.read")
    await stage.pool.execute("update event_feeds set last_number = 9, deleted_through = 8")
    return await stage.call("GET", "/v1/events?after=7", headers=headers)


@row(
    errors.EmailTaken, "user_target_already_exists",
    modern=(409, "A user with the same email can't be set here."), legacy=(400, "User already registered"),
)  # fmt: skip
async def address_of_another(stage: Stage) -> Any:
    await stage.api.sign_up(BOB["email"])
    return await stage.call("PATCH", "/v1/account/email", json=BOB, headers=stage.member)


_PERSONAL = "The password must not contain the name, the email or the ID of the account. Please choose another one."
_REUSED = "The password is one that the account has had lately. Please choose another one."


@row(errors.PasswordPersonal, "password_personal_data", modern=(400, _PERSONAL), legacy=(400, _PERSONAL))
async def own_address_as_password(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account", json=BOB | {"userId": "unique()", "password": "bob@example.com"})


@row(errors.PasswordReused, "password_recently_used", modern=(400, _REUSED), legacy=(400, _REUSED))
async def same_password_again(stage: Stage) -> Any:
    await stage.pool.execute("update projects set password_history = 1")
    stage.api.client.app[SERVICES].projects._seen.clear()
    body = {"password": BOB["password"], "oldPassword": BOB["password"]}
    return await stage.call("PATCH", "/v1/account/password", json=body, headers=stage.member)


@row(
    errors.EmailExists, "user_email_already_exists",
    modern=(409, "A user with the same email already exists in this project."), legacy=(409, "Email already exists"),
)  # fmt: skip
async def address_given_twice(stage: Stage) -> Any:
    bob = await stage.api.sign_up(BOB["email"])
    body = {"email": "ann@example.com"}
    return await stage.call("PATCH", f"/v1/users/{bob['$id']}/email", json=body, headers=await key(stage.pool))


@row(
    errors.EmailMissing, "user_email_not_found",
    modern=(400, "The account has no email address."), legacy=(400, "The account has no email address."),
)  # fmt: skip
async def nothing_to_verify(stage: Stage) -> Any:
    anonymous = await stage.call("POST", "/v1/account/sessions/anonymous", json={})
    headers = {"Cookie": cookie_of(anonymous)}
    return await stage.call("POST", "/v1/account/verification", json=LINK, headers=headers)


@row(
    errors.EmailVerified, "user_email_already_verified",
    modern=(409, "The email address is already verified."), legacy=None,
)  # fmt: skip
async def verified_already(stage: Stage) -> Any:
    await stage.pool.execute("update users set email_verified = true")
    return await stage.call("POST", "/v1/account/verification", json=LINK, headers=stage.member)


@row(
    errors.EmailUnverified, "user_email_not_verified",
    modern=(400, "The account's email address is not verified."),
    legacy=(400, "The account's email address is not verified."),
)  # fmt: skip
async def code_to_an_unproved_address(stage: Stage) -> Any:
    return await stage.call("POST", CHALLENGES, json={"factor": "email"}, headers=stage.member)


@row(
    errors.MoreFactorsRequired, "user_more_factors_required",
    modern=(401, "More factors are required to complete the sign in process."),
    legacy=(401, "More factors are required to complete the sign in process."),
)  # fmt: skip
async def second_factor_missing(stage: Stage) -> Any:
    await stage.pool.execute("update users set email_verified = true, mfa = true")
    return await stage.call("GET", "/v1/account", headers=stage.member)


@row(
    errors.ChallengeRequired, "user_challenge_required",
    modern=(401, "A challenge passed within the last 30 minutes is required for this."),
    legacy=(401, "A challenge passed within the last 30 minutes is required for this."),
)  # fmt: skip
async def no_fresh_challenge(stage: Stage) -> Any:
    return await stage.call("DELETE", AUTHENTICATOR, headers=stage.member)


@row(
    errors.AuthenticatorNotFound, "user_authenticator_not_found",
    modern=(404, "The account has no such authenticator."), legacy=(404, "The account has no such authenticator."),
)  # fmt: skip
async def no_authenticator(stage: Stage) -> Any:
    return await stage.call("POST", CHALLENGES, json={"factor": "totp"}, headers=stage.member)


@row(
    errors.AuthenticatorVerified, "user_authenticator_already_verified",
    modern=(409, "The account's authenticator is already verified."),
    legacy=(409, "The account's authenticator is already verified."),
)  # fmt: skip
async def authenticator_added_twice(stage: Stage) -> Any:
    await Person(stage.api, stage.pool, stage.member).enrol()
    return await stage.call("POST", AUTHENTICATOR, headers=stage.member)


@row(
    errors.RecoveryCodesNotFound, "user_recovery_codes_not_found",
    modern=(404, "The account has no recovery codes."), legacy=(404, "The account has no recovery codes."),
)  # fmt: skip
async def no_recovery_codes(stage: Stage) -> Any:
    return await stage.call("POST", CHALLENGES, json={"factor": "recoveryCode"}, headers=stage.member)


@row(
    errors.RecoveryCodesExist, "user_recovery_codes_already_exists",
    modern=(409, "The account has recovery codes already. New ones take their place by an update."),
    legacy=(409, "The account has recovery codes already. New ones take their place by an update."),
)  # fmt: skip
async def recovery_codes_made_twice(stage: Stage) -> Any:
    await stage.pool.execute(
        "insert into recovery_codes (project_id, user_id, set_id, place, hash) "
        "select project_id, id, 'a', 0, '' from users"
    )
    return await stage.call("POST", RECOVERY, headers=stage.member)


@row(
    errors.FactorDisabled, "user_auth_method_unsupported",
    modern=(501, "The requested factor is disabled by the MFA factors policy."),
    legacy=(501, "The requested factor is disabled by the MFA factors policy."),
)  # fmt: skip
async def factor_switched_off(stage: Stage) -> Any:
    return await stage.call("POST", CHALLENGES, json={"factor": "custom"}, headers=stage.member)


@row(
    errors.ReauthenticationRequired, "user_reauthentication_required",
    modern=(401, "A sign-in, or a challenge passed, within the last 10 minutes is required for this."),
    legacy=(401, "A sign-in, or a challenge passed, within the last 10 minutes is required for this."),
)  # fmt: skip
async def no_recent_sign_in(stage: Stage) -> Any:
    await stage.pool.execute("update sessions set created_at = now() - interval '11 minutes'")
    return await stage.call("POST", PASSKEYS, json={}, headers=stage.member)


@row(
    errors.SignUpClosed, "user_auth_method_unsupported",
    modern=(501, "An account of this address can't be made here by its user."),
    legacy=(501, "An account of this address can't be made here by its user."),
)  # fmt: skip
async def sign_up_closed(stage: Stage) -> Any:
    await projects.create(stage.pool, "closed", name="Closed")
    await projects.change(stage.pool, "closed", sign_up="closed")
    body = {"email": "nobody@example.com", "password": "correct horse"}
    return await stage.call("POST", "/v1/account", json=body, headers={"X-Appwrite-Project": "closed"})


@row(
    errors.MethodDisabled, "user_auth_method_unsupported",
    modern=(501, "Signing in this way is switched off for the project."),
    legacy=(501, "Signing in this way is switched off for the project."),
)  # fmt: skip
async def passkeys_switched_off(stage: Stage) -> Any:
    return await stage.call("POST", PASSKEYS, json={}, headers=stage.member)


@row(
    errors.PasskeyNotFound, "user_passkey_not_found",
    modern=(404, "The account has no such passkey."), legacy=(404, "The account has no such passkey."),
)  # fmt: skip
async def no_passkey(stage: Stage) -> Any:
    return await stage.call("GET", f"{PASSKEYS}/none", headers=stage.member)


@row(
    errors.PasskeyInvalid, "user_passkey_invalid",
    modern=(401, "The passkey could not be verified."), legacy=(401, "The passkey could not be verified."),
)  # fmt: skip
async def passkey_of_nobody(stage: Stage) -> Any:
    await switch_on(stage.api, stage.pool)
    begun = await stage.call("POST", TOKENS, json={})
    body = {"challengeId": begun.data["$id"], "credential": Authenticator().get(begun.data["publicKey"])}
    return await stage.call("PUT", TOKENS, json=body)


@row(
    errors.PasskeyExists, "user_passkey_already_exists",
    modern=(409, "There is a passkey with this id, or this authenticator's credential is registered already."),
    legacy=(409, "There is a passkey with this id, or this authenticator's credential is registered already."),
)  # fmt: skip
async def passkey_made_twice(stage: Stage) -> Any:
    await switch_on(stage.api, stage.pool)
    await add(Person(stage.api, stage.pool, stage.member), passkeyId="phone")
    return await stage.call("POST", PASSKEYS, json={"passkeyId": "phone"}, headers=stage.member)


@row(
    errors.PasskeyLimit, "user_passkey_limit_exceeded",
    modern=(400, "The account has as many passkeys as it may have. Remove one first."),
    legacy=(400, "The account has as many passkeys as it may have. Remove one first."),
)  # fmt: skip
async def eleven_passkeys(stage: Stage) -> Any:
    await switch_on(stage.api, stage.pool)
    person = Person(stage.api, stage.pool, stage.member)
    await begin(person, passkeyId="first")
    await stage.pool.execute(
        "insert into passkey_challenges select project_id, id || n, challenge, rp_id, origins, user_id, session_id, "
        "passkey_id || n, name, created_at, expires_at from passkey_challenges, generate_series(2, 10) n"
    )
    return await stage.call("POST", PASSKEYS, json={}, headers=stage.member)


@row(
    errors.TargetNotFound, "user_target_not_found",
    modern=(404, "The account has no such target."), legacy=(404, "The account has no such target."),
)  # fmt: skip
async def no_target(stage: Stage) -> Any:
    return await stage.call("DELETE", target_path("none"), headers=stage.member)


@row(
    errors.InvitationNotFound, "invitation_not_found",
    modern=(404, "The project has no such invitation."), legacy=(404, "The project has no such invitation."),
)  # fmt: skip
async def no_invitation(stage: Stage) -> Any:
    return await stage.call("DELETE", "/v1/invitations/none", headers=await key(stage.pool, "users.write"))


@row(
    errors.TargetExists, "user_target_already_exists",
    modern=(409, "The account has a target with this id or this identifier."),
    legacy=(409, "The account has a target with this id or this identifier."),
)  # fmt: skip
async def device_registered_twice(stage: Stage) -> Any:
    person = Person(stage.api, stage.pool, stage.member)
    await register(person, "phone", "token")
    return await stage.call("POST", TARGETS, json={"targetId": "other", "identifier": "token"}, headers=stage.member)


@row(
    errors.TargetLimit, "user_target_limit_exceeded",
    modern=(400, "The account has as many targets as it may have. Delete one first."),
    legacy=(400, "The account has as many targets as it may have. Delete one first."),
)  # fmt: skip
async def eleven_devices(stage: Stage) -> Any:
    person = Person(stage.api, stage.pool, stage.member)
    for number in range(10):
        await register(person, f"phone-{number}", f"token-{number}")
    return await stage.call("POST", TARGETS, json={"targetId": "more", "identifier": "more"}, headers=stage.member)


@row(
    errors.OwnTarget, "general_bad_request",
    modern=(400, "The target is the account's own address or number. Change that instead."),
    legacy=(400, "The target is the account's own address or number. Change that instead."),
)  # fmt: skip
async def target_of_the_address(stage: Stage) -> Any:
    user = (await stage.call("GET", "/v1/account", headers=stage.member)).data["$id"]
    return await stage.call("DELETE", f"/v1/users/{user}/targets/email-{user}", json={}, headers=await key(stage.pool))


@row(
    errors.LastWayIn, "general_bad_request",
    modern=(400, "The account has no other way in. Set a password or prove an address first."),
    legacy=(400, "The account has no other way in. Set a password or prove an address first."),
)  # fmt: skip
async def last_passkey(stage: Stage) -> Any:
    await switch_on(stage.api, stage.pool)
    await add(Person(stage.api, stage.pool, stage.member), passkeyId="phone")
    await stage.pool.execute("update users set password_hash = null")
    return await stage.call("DELETE", f"{PASSKEYS}/phone", headers=stage.member)


@row(
    errors.CredentialsInvalid, "user_invalid_credentials",
    modern=(401, "Invalid credentials. Please check the email and password."), legacy=(401, "Invalid credentials"),
)  # fmt: skip
async def wrong_password(stage: Stage) -> Any:
    body = {"email": "ann@example.com", "password": "wrong horse"}
    return await stage.call("POST", "/v1/account/sessions", json=body)


@row(
    errors.RecoveryTokenInvalid, "user_invalid_token",
    modern=(401, "Invalid token passed in the request."), legacy=(401, "Invalid recovery token"),
)  # fmt: skip
async def wrong_recovery_token(stage: Stage) -> Any:
    new = {"password": "another horse", "passwordAgain": "another horse"}
    return await stage.call("PUT", "/v1/account/recovery", json=PROOF | new)


@row(
    errors.VerificationTokenInvalid, "user_invalid_token",
    modern=(401, "Invalid token passed in the request."), legacy=(401, "Invalid verification token"),
)  # fmt: skip
async def wrong_verification_token(stage: Stage) -> Any:
    return await stage.call("PUT", "/v1/account/verification", json=PROOF)


@row(
    errors.LoginTokenInvalid, "user_invalid_token",
    modern=(401, "Invalid token passed in the request."), legacy=(401, "Invalid login token"),
)  # fmt: skip
async def wrong_login_token(stage: Stage) -> Any:
    return await stage.call("PUT", "/v1/account/sessions/magic-url", json=PROOF)


@row(
    errors.LoginTokenPending, "user_token_pending",
    modern=(401, "The link has not been approved yet. Please ask again in a moment."),
    legacy=(401, "The link has not been approved yet. Please ask again in a moment."),
)  # fmt: skip
async def link_not_approved(stage: Stage) -> Any:
    await change_project(stage.api, magic_links="first-tab")
    tab = await ask(stage.api)
    body = {"userId": tab.token["userId"], "secret": IN_COOKIE}
    return await stage.call("PUT", OPEN, json=body, headers={"Cookie": tab.cookie})


@row(
    errors.JwtInvalid, "user_jwt_invalid",
    modern=(401, "Failed to verify JWT. Invalid token: Incomplete segments"),
    legacy=(401, "Failed to verify JWT. Invalid token: Incomplete segments"),
)  # fmt: skip
async def junk_jwt(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account", headers={"X-Appwrite-JWT": "junk"})


@row(
    errors.ScopeMissing, "general_unauthorized_scope",
    modern=(401, 'User (role: guests) missing scopes (["account"])'),
    legacy=(401, "User (role: guest) missing scope (account)"),
)  # fmt: skip
async def guest_at_a_members_door(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account")


@row(
    errors.ScopeMissing, "general_unauthorized_scope",
    modern=(401, 'User (role: guests) missing scopes (["users.read"])'),
    legacy=(401, 'User (role: guests) missing scopes (["users.read"])'),
)  # fmt: skip
async def guest_at_a_servers_door(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/users", headers=stage.member)


@row(
    errors.KeyExpired, "project_key_expired",
    modern=(401, "The project key has expired. Please generate a new key using the command line."),
    legacy=(401, "The project key has expired. Please generate a new key using the command line."),
)  # fmt: skip
async def old_key(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/users", headers=await key(stage.pool, days=-1))


@row(
    errors.SessionExists, "user_session_already_exists",
    modern=(401, "Creation of a session is prohibited when a session is active."), legacy=None,
)  # fmt: skip
async def sign_in_twice(stage: Stage) -> Any:
    body = {"email": "ann@example.com", "password": "correct horse"}
    return await stage.call("POST", "/v1/account/sessions/email", json=body, headers=stage.member)


@row(
    errors.AnonymousDenied, "user_session_already_exists",
    modern=(401, "Creation of a session is prohibited when a session is active."),
    legacy=(401, "Cannot create an anonymous user when logged in."),
)  # fmt: skip
async def member_and_anonymous(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account/sessions/anonymous", json={}, headers=stage.member)


@row(
    errors.UserBlocked, "user_blocked",
    modern=(403, "The current user has been blocked."), legacy=(401, "Invalid credentials. User is blocked"),
)  # fmt: skip
async def blocked(stage: Stage) -> Any:
    await stage.pool.execute("update users set status = 'blocked'")
    return await stage.call("GET", "/v1/account", headers=stage.member)


@row(
    errors.JwtAndCookie, "user_jwt_and_cookie_set",
    modern=(403, "A JWT and a session were sent in the same request. Send one of them."), legacy=None,
)  # fmt: skip
async def jwt_beside_a_session(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account", headers=stage.member | await stage.jwt())


@row(
    errors.JwtDenied, "user_jwt_creation_denied",
    modern=(403, "A JWT can't be created by a request that carries a JWT."), legacy=(401, "No valid session found"),
)  # fmt: skip
async def jwt_by_jwt(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account/jwt", json={}, headers=await stage.jwt())


@row(
    errors.OriginUnknown, "general_unknown_origin",
    modern=(403, "Invalid Origin. Register your new client as a new Web platform of your project."),
    legacy=(403, "Invalid Origin. Register your new client as a new Web platform of your project."),
)  # fmt: skip
async def foreign_page(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account", json=BOB, headers={"Origin": "https://evil.test"})


@row(
    errors.ProjectNotFound, "project_not_found",
    modern=(404, "Project with the requested ID could not be found."), legacy=(400, "Missing or unknown project ID"),
)  # fmt: skip
async def no_project(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account", headers={"X-Appwrite-Project": None})


@row(
    errors.RouteNotFound, "general_route_not_found",
    modern=(404, "The requested route was not found."), legacy=(404, "Not Found"),
)  # fmt: skip
async def no_route(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account/nothing", headers=stage.member)


@row(
    errors.MethodNotAllowed, "general_route_not_found",
    modern=(405, "The method is not allowed here."), legacy=(405, "The method is not allowed here."),
)  # fmt: skip
async def wrong_method(stage: Stage) -> Any:
    answer = await stage.call("PUT", "/v1/account", json={})
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, POST"
    return answer


@row(
    errors.UserNotFound, "user_not_found",
    modern=(404, "User with the requested ID could not be found."), legacy=(404, "User not found"),
)  # fmt: skip
async def nobody_by_id(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/users/nobody", headers=await key(stage.pool))


@row(
    errors.UserNotFound, "user_not_found",
    modern=(404, "User with the requested ID could not be found."), legacy=(404, "User not found"),
)  # fmt: skip
async def nobody_by_address(stage: Stage) -> Any:
    """Only where a project gives its users away."""
    await projects.create(stage.pool, "open", name="Open")
    await projects.add_platform(stage.pool, "open", hostname="localhost")
    await projects.change(stage.pool, "open", reveal_unknown_users=True)
    body = {"email": "nobody@example.com", **LINK}
    return await stage.call("POST", "/v1/account/recovery", json=body, headers={"X-Appwrite-Project": "open"})


@row(
    errors.SessionNotFound, "user_session_not_found",
    modern=(404, "The current user session could not be found."), legacy=(404, "Session not found"),
)  # fmt: skip
async def no_session(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account/sessions/nothing", headers=stage.member)


@row(
    errors.ConsentNotFound, "user_consent_not_found",
    modern=(404, "Consent could not be found."), legacy=(404, "Consent could not be found."),
)  # fmt: skip
async def no_consent(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account/consents/none", headers=stage.member)


@row(
    errors.BadRequest, "general_bad_request",
    modern=(400, "The request can't be done as it is. Please start anew."),
    legacy=(400, "The request can't be done as it is. Please start anew."),
)  # fmt: skip
async def made_up_state(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account/sessions/oauth2/google/redirect?code=x&state=y")


@row(
    errors.ProviderDisabled, "project_provider_disabled",
    modern=(412, "The provider is disabled. The operator can enable it."),
    legacy=(412, "The provider is disabled. The operator can enable it."),
)  # fmt: skip
async def provider_that_is_off(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account/sessions/oauth2/google")


@row(
    errors.ProviderUnsupported, "project_provider_unsupported",
    modern=(400, "The chosen provider is not supported."), legacy=(400, "The chosen provider is not supported."),
)  # fmt: skip
async def provider_of_others(stage: Stage) -> Any:
    return await stage.call("GET", "/v1/account/tokens/oauth2/twitch")


@row(
    errors.IdentityNotFound, "user_identity_not_found",
    modern=(404, "Identity could not be found."), legacy=(404, "Identity could not be found."),
)  # fmt: skip
async def no_identity(stage: Stage) -> Any:
    return await stage.call("DELETE", "/v1/account/identities/nothing", headers=stage.member)


@row(
    errors.UserExists, "user_already_exists",
    modern=(409, "A user with the same id or email already exists in this project."),
    legacy=(409, "Account already exists"),
)  # fmt: skip
async def sign_up_twice(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account", json={"email": "ann@example.com", "password": "correct horse"})


@row(
    errors.TooManyRequests, "general_rate_limit_exceeded",
    modern=(429, "Rate limit for the current endpoint has been exceeded. Please try again after some time."),
    legacy=(429, "Too many requests"),
)  # fmt: skip
async def too_often(stage: Stage) -> Any:
    for _time in range(10):
        assert (await stage.call("POST", "/v1/account/jwt", json={}, headers=stage.member)).status == 201
    answer = await stage.call("POST", "/v1/account/jwt", json={}, headers=stage.member)
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    return answer


@asynccontextmanager
async def refusing(pool: Pool, table: str, code: str) -> AsyncIterator[None]:
    """Postgres refuses every new row of a table with an error code."""
    await pool.execute(
        "create function refuse() returns trigger language plpgsql as "
        "$$begin raise exception 'no' using errcode = tg_argv[0]; end$$"
    )
    try:
        await pool.execute(f"create trigger refuse before insert on {table} execute function refuse('{code}')")
        yield
    finally:
        await pool.execute("drop function refuse cascade")


@row(
    errors.PhoneDisabled, "general_phone_disabled",
    modern=(503, "Phone authentication is not available: no SMS is set up."),
    legacy=(503, "Phone authentication is not available: no SMS is set up."),
)  # fmt: skip
async def no_provider(stage: Stage) -> Any:
    await projects.create(stage.pool, "mute", name="Mute")
    body = {"userId": "ann", "phone": "+4915112345678"}
    return await stage.call("POST", "/v1/account/tokens/phone", json=body, headers={"X-Appwrite-Project": "mute"})


@row(
    errors.PhoneMissing, "user_phone_not_found",
    modern=(400, "The account has no phone number."), legacy=(400, "The account has no phone number."),
)  # fmt: skip
async def no_number(stage: Stage) -> Any:
    return await stage.call("POST", "/v1/account/verifications/phone", headers=stage.member)


@row(
    errors.PhoneUnverified, "user_phone_not_verified",
    modern=(400, "The account's phone number is not verified."),
    legacy=(400, "The account's phone number is not verified."),
)  # fmt: skip
async def unproved_number(stage: Stage) -> Any:
    await stage.pool.execute("update users set phone = '+4915112345678'")
    return await stage.call("POST", CHALLENGES, json={"factor": "phone"}, headers=stage.member)


@row(
    errors.PhoneVerified, "user_phone_already_verified",
    modern=(409, "The phone number is already verified."), legacy=(409, "The phone number is already verified."),
)  # fmt: skip
async def proved_number(stage: Stage) -> Any:
    await stage.pool.execute("update users set phone = '+4915112345678', phone_verified_at = now()")
    return await stage.call("POST", "/v1/account/verifications/phone", headers=stage.member)


@row(
    errors.PhoneExists, "user_phone_already_exists",
    modern=(409, "A user with the same phone number already exists in this project."),
    legacy=(409, "A user with the same phone number already exists in this project."),
)  # fmt: skip
async def number_of_another(stage: Stage) -> Any:
    await stage.pool.execute("update users set phone = '+4915112345678', phone_verified_at = now()")
    server = await key(stage.pool)
    await stage.call("POST", "/v1/users", headers=server, json={"userId": "bob"})
    return await stage.call("PATCH", "/v1/users/bob/phone", headers=server, json={"number": "+4915112345678"})


@row(
    errors.CountryNotServed, "general_argument_invalid",
    modern=(400, "The project sends no SMS to phone numbers that begin so."),
    legacy=(400, "The project sends no SMS to phone numbers that begin so."),
)  # fmt: skip
async def another_country(stage: Stage) -> Any:
    await stage.pool.execute("update users set phone = '+12025550123'")
    return await stage.call("POST", "/v1/account/verifications/phone", headers=stage.member)


@row(
    errors.Overloaded, "general_server_error",
    modern=(503, "The service is busy or a part of it is away. Please try again in a moment."),
    legacy=(503, "The service is busy or a part of it is away. Please try again in a moment."),
)  # fmt: skip
async def postgres_is_full(stage: Stage) -> Any:
    async with refusing(stage.pool, "events", "53300"):
        answer = await stage.call("POST", "/v1/account", json=BOB)
    assert int(answer.headers["Retry-After"]) > 0
    return answer


@row(
    errors.AccountError, "general_server_error", modern=(500, "Server Error"), legacy=(500, "Server Error")
)  # fmt: skip
async def fault_of_ours(stage: Stage) -> Any:
    async with refusing(stage.pool, "events", "22012"):
        return await stage.call("POST", "/v1/account", json=BOB)


@pytest.mark.parametrize("modern", [False, True], ids=["legacy", "modern"])
@pytest.mark.parametrize("found", ROWS, ids=lambda found: found.provoke.__name__)
async def test_errors(api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch, found: Row, modern: bool):
    """Each error has the status, type and message of its era, in the form that the API document states."""
    if found.kind is errors.BodyTooSlow:
        monkeypatch.setattr(request_body, "_TIMEOUT", 0.2)  # a client gets ten seconds, a test hasn't
    await api.sign_up()
    stage = Stage(api, pool, modern, await api.sign_in())
    answer = await found.provoke(stage)
    expected = found.modern if modern else found.legacy
    if expected is None:
        assert answer.status < 300, "this era does not refuse"
        return
    status, message = expected
    body = {"message": message, "code": status, "type": found.type, "version": VERSION}
    assert (answer.status, answer.data) == (status, body)
    assert answer.content_type == "application/json"
    if found.kind not in (errors.RouteNotFound, errors.MethodNotAllowed):
        documented = Documented()
        operation = documented.find(answer.method, answer.url.path)
        documented.check(operation, answer.status, answer.headers, await answer.read())


# They need a provider that answers so: test_identities.py and test_oauth2.py have them.
BY_PROVIDERS = {
    errors.EmailInvalid, errors.OAuth2ProviderError, errors.OAuth2ProviderFailure, errors.OAuth2TokenInvalid,
}  # fmt: skip


def test_every_error_has_a_row():
    """No class of service/errors.py is without a row here; one that only gathers others needs none."""
    kinds = {
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.AccountError)
        if kind is errors.AccountError or not kind.__subclasses__()
    }
    assert {found.kind for found in ROWS} == kinds - BY_PROVIDERS
