"""Grant file of an SMTP URL's ?oauth=: the request for an access token (RFC 6749 4.4, RFC 7523)."""

import json
import re
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
from jwt.algorithms import RSAAlgorithm

LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
# Google has no narrower scope for SMTP.
_GOOGLE_SCOPE = "https://mail.google.com/"
_JWT_SECONDS = 3600
_TOML_KEYS = frozenset({"token_url", "client_id", "client_secret", "scope", "ca"})


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Registered application that may send as the mailbox; `ca` is a PEM file trusted instead of the system's."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    ca: str | None = None

    def form(self, _user: str) -> dict[str, str]:
        """Build the request's body."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        return form | ({"scope": self.scope} if self.scope else {})


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Google service account with domain-wide delegation: it signs that it acts for the mailbox."""

    token_url: str
    client_email: str
    private_key: str = field(repr=False)
    private_key_id: str = ""
    ca: None = None

    def form(self, user: str) -> dict[str, str]:
        """Build the request's body; its time is this machine's, which must be within minutes of Google's."""
        now = int(time.time())
        claims = {
            "iss": self.client_email,
            "sub": user,
            "scope": _GOOGLE_SCOPE,
            "aud": self.token_url,
            "iat": now,
            "exp": now + _JWT_SECONDS,
        }
        headers = {"kid": self.private_key_id} if self.private_key_id else None
        signed = jwt.encode(claims, self.private_key, algorithm="RS256", headers=headers)
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}


Grant = ClientCredentials | ServiceAccount


class InvalidGrantFile(Exception):
    """Unusable grant file; the message says why, and quotes nothing of it."""


def read_grant(path: str) -> Grant:
    """Read the file. Raises InvalidGrantFile."""
    try:
        text = Path(path).read_text()
    except (OSError, ValueError):
        text = ""
    grant, problem = _parse(text)
    if grant is None or problem:
        # Raised here so that the original error, which quotes the file, is not its context.
        raise InvalidGrantFile(problem)
    return grant


def _parse(text: str) -> tuple[Grant | None, str]:
    if not text.strip():
        return None, "the oauth file can't be read, or is empty"
    try:
        found: Any = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError:
        return None, "the oauth file is neither TOML nor a service account's key in JSON"
    if text.lstrip().startswith("{"):
        return _service_account(found)
    return _client_credentials(found)


def _service_account(found: dict[str, Any]) -> tuple[Grant | None, str]:
    names = ("token_uri", "client_email", "private_key")
    if problem := _words(found, names):
        return None, problem
    try:
        RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(found["private_key"])
    except (ValueError, jwt.PyJWTError):
        return None, "the oauth file's private_key is no RSA key in PEM"
    key_id = found.get("private_key_id")
    url, email, key = (found[name] for name in names)
    return ServiceAccount(url, email, key, key_id if isinstance(key_id, str) else ""), _address(url)


def _client_credentials(found: dict[str, Any]) -> tuple[Grant | None, str]:
    if not found.keys() <= _TOML_KEYS:
        return None, f"the oauth file's keys are {', '.join(sorted(_TOML_KEYS))}"
    needed = ("token_url", "client_id", "client_secret")
    if problem := _words(found, (*needed, *found)):
        return None, problem
    if "ca" in found and not Path(found["ca"]).is_file():
        return None, "the oauth file's ca can't be found"
    return ClientCredentials(**found), _address(found["token_url"])


def _words(found: dict[str, Any], names: tuple[str, ...]) -> str:
    """Return the problem if one of the names is missing or no text, else ""."""
    for name in names:
        value = found.get(name)
        if not isinstance(value, str) or not value.strip():
            return f"the oauth file lacks {name}"
        if name != "private_key" and not (value.isascii() and value.isprintable()):
            return f"the oauth file's {name} holds a character that can't be sent"
    return ""


def _address(url: str) -> str:
    """Return the problem with the token server's address, else "". Only this machine's may do without https."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", 0
    if not host or port == 0 or "@" in url or parts.scheme not in ("https", "http"):
        return "the oauth file's token address is no https URL"
    if parts.scheme == "http" and LOOPBACK.fullmatch(host) is None:
        return "the oauth file's token address must be https"
    return ""
