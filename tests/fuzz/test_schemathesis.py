"""The running service against its own API document: thousands of requests that nobody thought of.

No answer may be a 5xx, and each must have a status, headers, media type and body that the document states.
FUZZ_REQUESTS says how many requests all tests here make together; docs/testing.md has the long run.
"""

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable
from redis.asyncio import Redis
from schemathesis import Case, GenerationMode, Response
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation.meta import TestPhase

from service.db import Pool
from service.settings import Settings
from service.store.projects import Project
from testkit import processes
from tests.fuzz.callers import PASSWORD, PROOFS, Cast

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1600"))
log = logging.getLogger(__name__)
ACTORS = ("guest", "member", "jwt", "key")
# These hash a password each time they get that far; a hash costs as much as ten other requests.
COSTLY = {
    "create_account", "create_session", "create_session_2", "update_password", "update_email", "update_recovery",
    "create_user", "update_user_password", "import_scrypt_user",
}  # fmt: skip
FORMATS = {
    "email": st.sampled_from([f"user{number}@example.com" for number in range(20)]) | st.emails(),
    "password": st.sampled_from([PASSWORD, "another horse"]) | st.text(min_size=8, max_size=40),
    "uri": st.sampled_from(["http://localhost/there", "http://localhost:3000/?a=1#/b", "https://evil.test/"]),
}
QUIET = settings(
    database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=False
)


@pytest.fixture(scope="module", autouse=True)
def formats() -> None:
    for name, strategy in FORMATS.items():
        schemathesis.openapi.format(name, strategy)


@dataclass
class Service:
    """The service under test, and a way back into the test's own loop from the thread that fuzzes."""

    address: str
    cast: Cast
    loop: asyncio.AbstractEventLoop
    log: list[str]

    def ask(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


@pytest.fixture
async def service(
    environment: dict[str, str], settings: Settings, project: Project, pool: Pool, redis: Redis
) -> AsyncIterator[Service]:
    cast = Cast(pool, settings)
    await cast.prepare()
    async with processes.api(environment | {"LIMITS": "off", "LOG_LEVEL": "warning"}) as (process, address):
        yield Service(address, cast, asyncio.get_running_loop(), process.lines)


@dataclass
class Actor:
    """One who calls: counts requests and keeps what was wrong with their answers."""

    service: Service
    kind: str
    headers: dict[str, str] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)
    turn: int = 0

    def __post_init__(self) -> None:
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.renew()

    @property
    def requests(self) -> int:
        return self.statuses.total()

    def renew(self) -> None:
        """Sessions are closed and accounts are blocked by what is called; the next one starts afresh."""
        self.headers = self.service.ask(getattr(self.service.cast, self.kind)())

    def start_anew(self) -> None:
        """An empty project, so that the same steps meet the same answers."""
        self.service.ask(self.service.cast.clear())
        self.turn = 0
        self.renew()

    def call(self, case: Case) -> Response:
        case.headers.update({"X-Appwrite-Project": "shop"})
        for name in ("X-Appwrite-Session", "X-Appwrite-JWT", "X-Appwrite-Key", "X-Fallback-Cookies"):
            case.headers.pop(name, None)
        case.cookies.clear()
        self.aim(case)
        response = case.call(base_url=self.service.address, session=self.session, headers=self.headers)
        self.statuses[case.operation.definition.raw["operationId"], response.status_code] += 1
        if response.status_code in (401, 403) and self.headers:
            self.renew()
        return response

    def aim(self, case: Case) -> None:
        """Chance never guesses an id or a secret; every second call is given real ones."""
        name = case.operation.definition.raw["operationId"].removesuffix("_2")
        self.turn += 1
        if self.turn % 2:
            return
        if name in PROOFS and isinstance(case.body, dict):
            case.body = {**case.body, **self.service.ask(self.service.cast.proof(name))}
        path = case.path_parameters or {}
        if case.meta.phase.name is not TestPhase.FUZZING:
            return  # ids come along the links
        if "userId" in path:
            user, session_id, _ = self.service.ask(self.service.cast.session())
            path |= {"userId": user.id} | ({"sessionId": session_id} if "sessionId" in path else {})
        elif "sessionId" in path:
            path["sessionId"] = "current"

    def check(self, response: Response, case: Case) -> None:
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for fault in group.exceptions:
                assert isinstance(fault, Failure)
                label = f"{case.operation.label} {response.status_code} {fault.title}"
                told = (label, fault.message[:600], case.as_curl_command()[:1500], response.text[:400])
                self.faults.setdefault(label, "\n".join(told))


# No SMS is sent, or a way to sign in is switched off.
_PLAIN = {"general_phone_disabled", "user_auth_method_unsupported"}


def not_a_server_error(_ctx: object, response: Response, case: Case) -> None:
    """503 is documented, but nobody here is that busy; that something is not to be had here is a plain answer."""
    if response.status_code >= 500 and response.json()["type"] not in _PLAIN:
        raise Failure(operation=case.operation.label, title="Server error", message=response.text[:400])


def _checks() -> list[Callable[..., Any]]:
    from schemathesis.specs.openapi import checks

    return [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]


CHECKS = _checks()


def weight_of(operation: dict[str, Any], kind: str) -> int:
    """Share of the budget: little where each call costs a hash, or where an early check refuses this caller."""
    ways = {name for way in operation["security"] for name in way}
    if {"Project": []} in operation["security"]:
        welcome = True
    else:
        welcome = ("Key" in ways) == (kind == "key") and kind != "guest"
    return 1 if operation["operationId"] in COSTLY or not welcome else 6


def fuzz(actor: Actor, schema: Any, *, budget: int) -> None:
    """Each operation in turn, with bodies that fit its schema and bodies that don't."""
    operations = [found.ok() for found in schema.get_all_operations()]
    weights = [weight_of(operation.definition.raw, actor.kind) for operation in operations]
    for operation, weight in zip(operations, weights, strict=True):
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:

            @given(case=operation.as_strategy(generation_mode=mode))
            def once(case: Case) -> None:
                actor.check(actor.call(case), case)

            most = max(3, budget * weight // sum(weights) // 2)
            with contextlib.suppress(Unsatisfiable):  # who takes nothing can be given nothing wrong
                settings(QUIET, max_examples=most)(once)()


def walk(actor: Actor, schema: Any, *, budget: int) -> None:
    """Routes one after the other, as the document's links lead."""

    class Walk(schema.as_state_machine()):
        def setup(self) -> None:
            actor.start_anew()

        def call(self, case: Case, **_kwargs: Any) -> Response:
            response = actor.call(case)
            if actor.kind == "guest" and response.headers.get("x-fallback-cookies", ["[]"])[0] != "[]":
                actor.headers = {"X-Fallback-Cookies": response.headers["x-fallback-cookies"][0]}  # signed in
            return response

        def validate_response(self, response: Response, case: Case, **_kwargs: Any) -> None:
            actor.check(response, case)

    until = actor.requests + budget
    while actor.requests < until:
        before = actor.requests
        # Clocks and chance are in the answers too, so that now and then the same steps lead elsewhere.
        with contextlib.suppress(Flaky):
            Walk.run(settings=settings(QUIET, max_examples=max(2, (until - before) // 10), stateful_step_count=12))
        assert actor.requests > before


@pytest.mark.timeout(120 + REQUESTS // 2)
@pytest.mark.parametrize("kind", ACTORS)
async def test_no_5xx_no_schema_miss(service: Service, kind: str):
    """Whoever asks, for whatever, in whatever order: the answer is one that the document states."""
    share = REQUESTS // len(ACTORS)

    def play() -> Actor:
        actor = Actor(service, kind)
        document = actor.session.get(f"{service.address}/v1/openapi.json", timeout=10).json()
        schema = schemathesis.openapi.from_dict(document)
        fuzz(actor, schema, budget=share * 3 // 4)
        walk(actor, schema, budget=share - actor.requests)
        actor.session.close()
        return actor

    actor = await asyncio.to_thread(play)
    statuses = sorted(Counter(status for _, status in actor.statuses.elements()).items())
    succeeded = {name for name, status in actor.statuses if status < 300}
    log.info("%s: %d requests, by status %s", kind, actor.requests, statuses)
    log.info("%s: %d operations succeeded: %s", kind, len(succeeded), " ".join(sorted(succeeded)))
    logged = "\n".join(line[-1500:] for line in service.log[:5])
    assert not actor.faults, "\n\n".join([*actor.faults.values(), logged])
    assert actor.requests >= share
