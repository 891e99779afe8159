"""Every way to each state of an account has the side effects that the others have: its events, its notices, its ends.

A new way gets a row. What is left out of a row does not happen.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import bcrypt
import orjson
import pytest

from service.crypto import tab_secrets
from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api
from testkit.identity_provider import IdentityProvider
from testkit.proofs import ANN, WAYS, Post, Proof, Way, use
from testkit.visitor import HOME, Visitor
from tests.integration.test_cli_users import Terminal
from tests.security.test_private_sign_up import proof_of

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
RECOVERY, VERIFICATION, _, MAGIC_URL, TOKEN, CODE, VERIFICATION_CODE, RECOVERY_CODE, CUSTOM, OAUTH2 = WAYS
PASSWORD, NEW, NEXT = "correct horse", "another horse", "next@example.com"
PAGE = {"X-Appwrite-Project": None, "Origin": "http://localhost:8080"}
BCRYPT = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
ARGON2 = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21l$Q0NDQ0NDQ0NDQ0NDQ0NDQw"
SCRYPT = {"passwordSalt": "salt", "passwordCpu": 16, "passwordMemory": 8, "passwordParallel": 1, "passwordLength": 32}


@dataclass
class Scene:
    """`ann` has an account with two sessions, and a link or code of each kind is under way; or there is nobody yet."""

    api: Api
    pool: Pool
    post: Post
    server: dict[str, str]
    terminal: Terminal
    ann: str = ""
    mine: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    proofs: dict[str, Proof] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: Any) -> None:
        answer = await self.api.call(method, path, json=body or {}, headers=headers)
        assert answer.status == {"POST": 201, "DELETE": 204}.get(method, 200), answer.data

    async def by_member(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        await self.call(method, path, body, **self.mine)

    async def by_server(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        await self.call(
            method, f"/v1/users{path.format(ann=self.ann, mine=self.sessions.get('mine'))}", body, **self.server
        )

    async def by_page(self, name: str, proof: Proof) -> None:
        """A page's button is pressed."""
        form = {"userId": proof.user_id, "secret": proof.secret, "password": NEW}
        answer = await self.api.call("POST", f"/auth/{name}?project=shop", data=form, headers=PAGE)
        assert answer.status == 200, answer.data

    async def by_first_tab(self) -> None:
        """A link is approved elsewhere, and the browser that asked for it comes for its session."""
        proof, ring = self.proofs[Kind.FIRST_TAB], self.post.settings.key_ring
        row = await self.pool.fetchrow(
            "update tokens set approved_at = now() where id = $1 returning expires_at", proof.id
        )
        facts = {"user_id": proof.user_id, "token_id": proof.id, "ends_at": row[0]}
        body = {"userId": proof.user_id, "secret": tab_secrets.make(ring, "shop", **facts).reveal()}
        answer = await self.api.call("PUT", MAGIC_URL.path, json=body)
        assert answer.status == 201, answer.data

    async def type(self, *words: str, stdin: str | None = None) -> None:
        assert await self.terminal.type("users", *words, stdin=stdin) == 0, self.terminal.err

    async def by_provider(self) -> None:
        """Sign in by a provider that has proved the address."""
        async with IdentityProvider() as provider:
            await provider.register(self.pool, self.post.settings.key_ring, "shop")
            answer = await Visitor(self.api, provider).sign_in()
        assert answer.headers["Location"] == HOME, answer.headers["Location"]

    async def by_proof(self, way: Way, proof: Proof | None = None) -> None:
        answer = await use(self.api, way, proof or self.proofs[way.kind])
        assert answer.status == way.status, answer.data


@dataclass(frozen=True)
class Expected:
    """`sessions` and `tokens` that live on, by their names in the scene; letters with who gets them and a link or none.

    `opened` sessions are new.
    """

    events: tuple[str, ...]
    letters: tuple[tuple[str, str, bool], ...] = ()
    sessions: tuple[str, ...] = ("mine", "other")
    opened: int = 0
    tokens: tuple[str, ...] = tuple(Kind)


Act = Callable[[Scene], Awaitable[None]]
UNDO = (Kind.ACCOUNT_UNDO.value, Kind.EMAIL_UNDO.value)
TOLD_PASSWORD = (("password_changed", ANN, True),)
TOLD_ADDRESS = (("email_changed", ANN, True), ("verification", NEXT, True))

# Of an account whose address is proved.
PROVED: dict[str, tuple[Act, Expected]] = {
    "password: by the member": (
        lambda s: s.by_member("PATCH", "/v1/account/password", {"password": NEW, "oldPassword": PASSWORD}),
        Expected(("account.update.password",), TOLD_PASSWORD, ("mine",), tokens=UNDO),
    ),
    "password: by a recovery": (
        lambda s: s.by_proof(RECOVERY),
        Expected(("account.recovery.update",), TOLD_PASSWORD, (), tokens=UNDO),
    ),
    "password: by a recovery's code": (
        lambda s: s.by_proof(RECOVERY_CODE),
        Expected(("account.recovery.update",), TOLD_PASSWORD, (), tokens=UNDO),
    ),
    "password: by the page of a recovery": (
        lambda s: s.by_page("recovery", s.proofs[Kind.RECOVERY]),
        Expected(("account.recovery.update",), TOLD_PASSWORD, (), tokens=UNDO),
    ),
    "password: by the Users API": (
        lambda s: s.by_server("PATCH", "/{ann}/password", {"password": NEW}),
        Expected(("users.update.password",), (), (), tokens=()),
    ),
    "password: by a command": (
        lambda s: s.type("set", "shop", s.ann, "--password", stdin=f"{NEW}\n"),
        Expected(("users.update.password",), (), (), tokens=()),
    ),
    "password: void by a disavowal": (
        lambda s: s.by_page("disavowal", s.proofs[Kind.ACCOUNT_UNDO]),
        Expected(("account.disavowal",), (), (), tokens=()),
    ),
    "address: by the member": (
        lambda s: s.by_member("PATCH", "/v1/account/email", {"email": NEXT, "password": PASSWORD}),
        Expected(("account.update.email",), TOLD_ADDRESS, tokens=UNDO),
    ),
    "address: by the Users API": (
        lambda s: s.by_server("PATCH", "/{ann}/email", {"email": NEXT}),
        Expected(("users.update.email",), tokens=()),
    ),
    "address: by a command": (
        lambda s: s.type("set", "shop", s.ann, "--email", NEXT),
        Expected(("users.update.email",), tokens=()),
    ),
    "blocked: by the member": (
        lambda s: s.by_member("PATCH", "/v1/account/status"),
        Expected(("account.update.status",), tokens=UNDO),
    ),
    "blocked: by deleting it": (
        lambda s: s.by_member("DELETE", "/v1/account"),
        Expected(("account.delete",), tokens=UNDO),
    ),
    "blocked: by the Users API": (
        lambda s: s.by_server("PATCH", "/{ann}/status", {"status": False}),
        Expected(("users.update.status",), tokens=UNDO),
    ),
    "blocked: by a command": (
        lambda s: s.type("block", "shop", s.ann),
        Expected(("users.update.status",), tokens=UNDO),
    ),
    "deleted: by the Users API": (
        lambda s: s.by_server("DELETE", "/{ann}"),
        Expected(("users.delete",), (), (), tokens=()),
    ),
    "deleted: by a command": (
        lambda s: s.type("delete", "shop", s.ann),
        Expected(("users.delete",), (), (), tokens=()),
    ),
    "unproved: by the Users API": (
        lambda s: s.by_server("PATCH", "/{ann}/verification", {"emailVerification": False}),
        Expected(("users.update.verification",), tokens=UNDO),
    ),
    "unproved: by a command": (
        lambda s: s.type("set", "shop", s.ann, "--verified", "off"),
        Expected(("users.update.verification",), tokens=UNDO),
    ),
    "session opened: by the password": (
        lambda s: s.call("POST", "/v1/account/sessions", {"email": ANN, "password": PASSWORD}),
        Expected(("account.sessions.create",), opened=1),
    ),
    "session opened: by a link": (
        lambda s: s.by_proof(MAGIC_URL),
        Expected(("account.sessions.create",), opened=1, tokens=UNDO),
    ),
    "session opened: by a link's token": (
        lambda s: s.by_proof(TOKEN),
        Expected(("account.sessions.create",), opened=1, tokens=UNDO),
    ),
    "session opened: by a code": (
        lambda s: s.by_proof(CODE),
        Expected(("account.sessions.create",), opened=1, tokens=UNDO),
    ),
    "session opened: by a token of the app's server": (
        lambda s: s.by_proof(CUSTOM),
        Expected(
            ("account.sessions.create",), opened=1, tokens=tuple(kind for kind in Kind if kind is not Kind.CUSTOM)
        ),
    ),
    "session opened: by a token of a sign-in by a provider": (
        lambda s: s.by_proof(OAUTH2),
        Expected(
            ("account.sessions.create",), opened=1, tokens=tuple(kind for kind in Kind if kind is not Kind.OAUTH2)
        ),
    ),
    "session opened: by a provider": (
        lambda s: s.by_provider(),
        Expected(
            ("account.identities.create", "account.sessions.create"), (("security_changed", ANN, True),), opened=1
        ),
    ),
    "session opened: by the Users API": (
        lambda s: s.by_server("POST", "/{ann}/sessions"),
        Expected(("users.sessions.create",), opened=1),
    ),
    "token made: by the Users API": (
        lambda s: s.by_server("POST", "/{ann}/tokens"),
        Expected(("users.tokens.create",)),
    ),
    "JWT made: by the Users API": (lambda s: s.by_server("POST", "/{ann}/jwts"), Expected(())),
    "session opened: by the page": (
        lambda s: s.by_page("magic-url", s.proofs[Kind.MAGIC_URL]),
        Expected(("account.sessions.create",), opened=1, tokens=UNDO),
    ),
    "session opened: by the page of a code": (
        lambda s: s.by_page("code", s.proofs[Kind.OTP]),
        Expected(("account.sessions.create",), opened=1, tokens=UNDO),
    ),
    "session ended: by itself": (
        lambda s: s.by_member("DELETE", "/v1/account/sessions/current"),
        Expected(("account.sessions.delete",), sessions=("other",)),
    ),
    "session ended: all": (
        lambda s: s.by_member("DELETE", "/v1/account/sessions"),
        Expected(("account.sessions.delete",), sessions=()),
    ),
    "session ended: the others": (
        lambda s: s.by_member("DELETE", "/v1/account/sessions", {"current": False}),
        Expected(("account.sessions.delete",), sessions=("mine",)),
    ),
    "session ended: one, by the Users API": (
        lambda s: s.by_server("DELETE", "/{ann}/sessions/{mine}"),
        Expected(("users.sessions.delete",), sessions=("other",)),
    ),
    "session ended: all, by the Users API": (
        lambda s: s.by_server("DELETE", "/{ann}/sessions"),
        Expected(("users.sessions.delete",), sessions=()),
    ),
    "session ended: one, by a command": (
        lambda s: s.type("end-sessions", "shop", s.ann, "--session", s.sessions["mine"]),
        Expected(("users.sessions.delete",), sessions=("other",)),
    ),
    "session ended: all, by a command": (
        lambda s: s.type("end-sessions", "shop", s.ann),
        Expected(("users.sessions.delete",), sessions=()),
    ),
}
ENTERED = Expected(("account.sessions.create", "account.verification.update"), (), (), opened=1, tokens=UNDO)
# From an account whose address is unproved to one whose is proved.
VERIFIED: dict[str, tuple[Act, Expected]] = {
    "by its link": (lambda s: s.by_proof(VERIFICATION), Expected(("account.verification.update",), tokens=UNDO)),
    "by its code": (lambda s: s.by_proof(VERIFICATION_CODE), Expected(("account.verification.update",), tokens=UNDO)),
    "by a recovery's code": (
        lambda s: s.by_proof(RECOVERY_CODE),
        Expected(("account.recovery.update",), TOLD_PASSWORD, (), tokens=UNDO),
    ),
    "by the page": (
        lambda s: s.by_page("verification", s.proofs[Kind.VERIFICATION]),
        Expected(("account.verification.update",), tokens=UNDO),
    ),
    "by a recovery": (
        lambda s: s.by_proof(RECOVERY),
        Expected(("account.recovery.update",), TOLD_PASSWORD, (), tokens=UNDO),
    ),
    "by a link to sign in": (lambda s: s.by_proof(MAGIC_URL), ENTERED),
    "by a link's token": (lambda s: s.by_proof(TOKEN), ENTERED),
    "by a link approved elsewhere": (lambda s: s.by_first_tab(), ENTERED),
    "by a code": (lambda s: s.by_proof(CODE), ENTERED),
    "by a provider": (
        lambda s: s.by_provider(),
        Expected(
            ("account.identities.create", "account.sessions.create", "account.verification.update"),
            (("security_changed", ANN, True),),
            (),
            opened=1,
            tokens=UNDO,
        ),
    ),
    "by the page of a link": (lambda s: s.by_page("magic-url", s.proofs[Kind.MAGIC_URL]), ENTERED),
    "by the Users API": (
        lambda s: s.by_server("PATCH", "/{ann}/verification", {"emailVerification": True}),
        Expected(("users.update.verification",)),
    ),
    "by a command": (
        lambda s: s.type("set", "shop", s.ann, "--verified", "on"),
        Expected(("users.update.verification",)),
    ),
}
NEW_BODY = {"userId": "ann", "email": ANN, "password": PASSWORD}
MADE_BY_MAIL = Expected(("account.create", "account.sessions.create"), (), (), opened=1, tokens=())
MADE = {owner: Expected((f"{owner}.create",), (), (), tokens=()) for owner in ("account", "users")}


async def made_by(s: Scene, way: Way) -> None:
    await s.by_proof(way, await s.post.issue(way.kind, "ann"))


async def made_by_page(s: Scene) -> None:
    await s.by_page("magic-url", await s.post.issue(Kind.MAGIC_URL, "ann"))


async def private(s: Scene) -> Proof:
    await projects.change(s.pool, "shop", private_signup=True)
    await s.call("POST", "/v1/account", NEW_BODY)
    await s.pool.execute("delete from mails")  # the letter that asked for the proof
    return await proof_of(s.pool, s.post.settings)


async def made_privately(s: Scene) -> None:
    proof = await private(s)
    await s.call("PUT", "/v1/account/verification", {"userId": proof.user_id, "secret": proof.secret})


async def made_on_the_page(s: Scene) -> None:
    await s.by_page("sign-up", await private(s))


CREATED: dict[str, tuple[Act, Expected]] = {
    "by signing up": (lambda s: s.call("POST", "/v1/account", NEW_BODY), MADE["account"]),
    "by a private sign-up": (made_privately, MADE["account"]),
    "by a private sign-up's page": (made_on_the_page, MADE["account"]),
    "anonymously": (lambda s: s.call("POST", "/v1/account/sessions/anonymous"), MADE_BY_MAIL),
    "by a link": (lambda s: made_by(s, MAGIC_URL), MADE_BY_MAIL),
    "by a link's token": (lambda s: made_by(s, TOKEN), MADE_BY_MAIL),
    "by a code": (lambda s: made_by(s, CODE), MADE_BY_MAIL),
    "by a provider": (
        lambda s: s.by_provider(),
        Expected(
            ("account.create", "account.identities.create", "account.sessions.create"), (), (), opened=1, tokens=()
        ),
    ),
    "by the page of a link": (made_by_page, MADE_BY_MAIL),
    "by the Users API": (lambda s: s.by_server("POST", "", NEW_BODY), MADE["users"]),
    "by an Argon2 hash": (lambda s: s.by_server("POST", "/argon2", NEW_BODY | {"password": ARGON2}), MADE["users"]),
    "by a bcrypt hash": (lambda s: s.by_server("POST", "/bcrypt", NEW_BODY | {"password": BCRYPT}), MADE["users"]),
    "by an scrypt hash": (
        lambda s: s.by_server("POST", "/scrypt", NEW_BODY | SCRYPT | {"password": "ab" * 32}),
        MADE["users"],
    ),
    "by a command": (
        lambda s: s.type("create", "shop", "--email", ANN, "--password", stdin=f"{PASSWORD}\n"),
        MADE["users"],
    ),
    "by an import": (
        lambda s: s.type("import", "shop", stdin=orjson.dumps({"email": ANN, "hash": BCRYPT}).decode() + "\n"),
        MADE["users"],
    ),
}


@pytest.fixture
async def nobody(  # noqa: PLR0917 - pytest passes them by name
    api: Api,
    pool: Pool,
    post: Post,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    return Scene(api, pool, post, await api_keys.key(pool), Terminal(capsys, monkeypatch))


@pytest.fixture
async def somebody(nobody: Scene) -> Scene:
    scene = nobody
    scene.ann = (await scene.api.sign_up(ANN))["$id"]
    for name in ("mine", "other"):
        headers = await scene.api.sign_in()
        current = await scene.api.call("GET", "/v1/account/sessions/current", headers=headers)
        scene.sessions[name] = current.data["$id"]
        scene.mine = scene.mine or headers
    for kind in Kind:
        scene.proofs[kind] = await scene.post.issue(kind, scene.ann, asked_as="anns.own")
    await scene.pool.execute("delete from events")
    return scene


async def happened(scene: Scene) -> Expected:
    events = await scene.pool.fetch("select name from events order by name")
    letters = await scene.pool.fetch("select letter, recipient, token_id is not null from mails order by letter")
    alive = {row[0] for row in await scene.pool.fetch("select id from sessions where expires_at > now()")}
    left = {row[0] for row in await scene.pool.fetch("select id from tokens")}
    kept = tuple(name for name, session in scene.sessions.items() if session in alive)
    return Expected(
        events=tuple(row[0] for row in events),
        letters=tuple(tuple(row) for row in letters),
        sessions=kept,
        opened=len(alive) - len(kept),
        tokens=tuple(kind.value for kind, proof in scene.proofs.items() if proof.id in left),
    )


def rows(table: dict[str, tuple[Act, Expected]]) -> Any:
    return pytest.mark.parametrize(("act", "expected"), table.values(), ids=table)


@rows(CREATED)
async def test_every_way_to_be_made(nobody: Scene, act: Act, expected: Expected):
    """A log that begins with the account, whoever made it, and a session only where one was asked for."""
    await act(nobody)
    assert await happened(nobody) == expected
    assert (await nobody.pool.fetchrow("select count(*) from users"))[0] == 1
    subjects = await nobody.pool.fetch("select e.user_id from events e join users u on u.id = e.user_id")
    assert len(subjects) == len(expected.events)


@rows(VERIFIED)
async def test_every_way_to_be_proved(somebody: Scene, act: Act, expected: Expected):
    """The address is proved, the log says so, and who proved it by coming in is alone."""
    await act(somebody)
    assert await happened(somebody) == expected
    assert (await somebody.pool.fetchrow("select email_verified from users"))[0] is True


@rows(PROVED)
async def test_every_way_to_every_other_state(somebody: Scene, act: Act, expected: Expected):
    """Two ways to one state differ in who is told, and in nothing that ends."""
    await somebody.pool.execute("update users set email_verified = true")
    await act(somebody)
    assert await happened(somebody) == expected
