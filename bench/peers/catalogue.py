"""The peers: how each is started, and what a client says to it."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.peers import requests
from bench.peers.requests import PASSWORD
from testkit.node import node as find_node

HERE = Path(__file__).parent
APPS = HERE / "apps"
# ./dev installs them: what Python's peers need, and what Node's needs.
PYTHON_PACKAGES = HERE.parent.parent / ".venv" / "clients" / "peers"
NODE_PACKAGES = HERE / "node_modules"


@dataclass(frozen=True, slots=True)
class Answer:
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Peer:
    """A program of somebody else.

    `program` prepares the database and `server` listens on a port; `read` takes what `proof` found in the answer to a
    login.
    """

    name: str
    packages: tuple[str, ...]
    program: Callable[[], list[str]]
    server: Callable[[int, Path], list[str]]
    login: Callable[[str], str]
    proof: Callable[[Answer], str]
    read: Callable[[str], str]
    reset: Callable[[str], str]
    node: bool = False

    @property
    def is_installed(self) -> bool:
        if self.node:
            return (NODE_PACKAGES / self.packages[0]).exists() and bool(find_node())
        return PYTHON_PACKAGES.exists()

    def versions(self) -> str:
        return ", ".join(f"{name} {self._version(name)}" for name in self.packages)

    def _version(self, name: str) -> str:
        if self.node:
            return str(orjson.loads((NODE_PACKAGES / name / "package.json").read_bytes())["version"])
        folder = next(PYTHON_PACKAGES.glob(f"{name.replace('-', '_')}-*.dist-info"))
        return folder.name.removesuffix(".dist-info").rpartition("-")[2]


def _python(*words: str) -> list[str]:
    """Run with the peers' packages alone: -S leaves out those of this environment."""
    return [sys.executable, "-S", *words]


def _node(*words: str) -> list[str]:
    return [find_node(), str(APPS / "better_auth_app.mjs"), *words]


BETTER_AUTH = Peer(
    "better-auth",
    ("better-auth", "pg"),
    program=_node,
    server=lambda port, _: _node("serve", str(port)),
    login=lambda email: requests.post("/api/auth/sign-in/email", {"email": email, "password": PASSWORD}),
    proof=lambda answer: answer.headers["Set-Cookie"].partition(";")[0],
    read=lambda proof: requests.get("/api/auth/get-session", {"Cookie": proof}),
    reset=lambda email: requests.post("/api/auth/request-password-reset", {"email": email}),
    node=True,
)
FASTAPI_USERS = Peer(
    "fastapi-users",
    ("fastapi-users", "fastapi", "uvicorn", "sqlalchemy"),
    program=lambda: _python(str(APPS / "fastapi_users_app.py")),
    server=lambda port, _: _python(
        "-m", "uvicorn", "fastapi_users_app:app", f"--port={port}", "--workers=1", "--loop=uvloop", "--http=httptools",
        "--proxy-headers", "--forwarded-allow-ips=127.0.0.1",
    ),
    login=lambda email: requests.post_form("/auth/login", {"username": email, "password": PASSWORD}),
    proof=lambda answer: str(answer.json()["access_token"]),
    read=lambda proof: requests.get("/users/me", {"Authorization": f"Bearer {proof}"}),
    reset=lambda email: requests.post("/auth/forgot-password", {"email": email}),
)  # fmt: skip
# gunicorn advises two workers and one more for each core.
ALLAUTH = Peer(
    "django-allauth",
    ("django-allauth", "django", "gunicorn", "psycopg"),
    program=lambda: _python(str(APPS / "allauth_app.py")),
    server=lambda port, log: _python(
        "-m", "gunicorn", "allauth_app:application", f"--bind=127.0.0.1:{port}", "--workers=3", "--threads=2",
        f"--access-logfile={log}", "--log-level=warning",
    ),
    login=lambda email: requests.post("/_allauth/app/v1/auth/login", {"email": email, "password": PASSWORD}),
    proof=lambda answer: str(answer.json()["meta"]["session_token"]),
    read=lambda proof: requests.get("/_allauth/app/v1/auth/session", {"X-Session-Token": proof}),
    reset=lambda email: requests.post("/_allauth/app/v1/auth/password/request", {"email": email}),
)  # fmt: skip
PEERS = (BETTER_AUTH, FASTAPI_USERS, ALLAUTH)
