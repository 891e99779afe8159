"""Parse SMTP_URL."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from service.setting_formats import is_helo
from worker.relays.smtp import oauth_grants
from worker.relays.smtp.oauth_grants import LOOPBACK

Tls = Literal["implicit", "starttls", "none"]
# Providers that take mails by HTTP (worker/relays/http/transport.py): `ses+https://`.
PROVIDERS = frozenset({"ses", "mailgun", "postmark", "resend"})
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)*/?")

UNREADABLE = "it can't be read (is a character of the password not percent-encoded?)"
HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class SmtpUrl:
    """One relay server: `ca` is a PEM file trusted instead of the system's, `helo` our name at EHLO.

    `oauth` is the grant file of access tokens, which replace a password. `label` tells two
    servers of one address apart. A `provider` takes mails by HTTP, below `path`.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "starttls"
    ca: str | None = None
    helo: str | None = None
    oauth: str | None = None
    label: str = ""
    provider: str = ""
    path: str = ""

    @property
    def authority(self) -> str:
        """The host as HTTP names it, with a port that is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (80 if self.tls == "none" else 443) else f"{host}:{self.port}"

    @property
    def name(self) -> str:
        """The server as host:port with its label, for logs and histories."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{self.label}"


def parse_urls(text: str, *, helo: str | None = None, label: str = "") -> tuple[SmtpUrl, ...]:
    """Read one SMTP URL or several, separated by white space, which unlike a comma can't be part of a password.

    The first is preferred, the others are its spares. Each looks like smtp://user:password@host:587 or
    smtps://host:465, the password percent-encoded. smtp:// means STARTTLS or nothing unless it says ?tls=none, which
    takes credentials only to this machine. Ports: 587, smtps 465, tls=none 25. ?ca=FILE trusts that PEM file only,
    ?helo=NAME is our name at EHLO, `helo` where a URL has none. ?oauth=FILE signs in by access tokens instead of a
    password (oauth_grants.py); the file is read here to check it. ses+https://, mailgun+https://, postmark+https:// and
    resend+https:// with user and password are a provider's HTTP API; +http is for this machine alone.
    Raises ValueError with a text that repeats no part of a URL: any part may be a piece of the password.
    """
    # Raised here and not in an except clause, so that the original, which quotes the URL, is not its context.
    read = [_read(url) for url in text.split() or [""]]
    for number, (_, problem) in enumerate(read, 1):
        if problem:
            raise ValueError(problem if len(read) == 1 else f"server {number} of {len(read)}: {problem}")
    servers = tuple(replace(server, helo=server.helo or helo, label=label) for server, _ in read)
    if len({server.name for server in servers}) != len(servers):
        raise ValueError("of several SMTP URLs two have the same host and port")
    return servers


def _read(url: str) -> tuple[SmtpUrl, str]:
    """Return the server and the problem with its URL, "" if there is none."""
    server, problem = SmtpUrl("", 0), UNREADABLE
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        provider, _, http = parts.scheme.partition("+")
        if http:
            return _of_provider(parts, provider, http)
        implicit, plain = parts.scheme == "smtps", dict(options).get("tls") == "none"
        tls: Tls = "implicit" if implicit else "none" if plain else "starttls"
        server = SmtpUrl(
            host=parts.hostname or "",
            port=parts.port or {"implicit": 465, "none": 25, "starttls": 587}[tls],
            username=unquote(parts.username or "", errors="strict"),
            password=unquote(parts.password or "", errors="strict"),
            tls=tls,
            ca=dict(options).get("ca"),
            helo=dict(options).get("helo"),
            oauth=dict(options).get("oauth"),
        )
        problem = _problem(parts, options, server)
    except ValueError:
        pass
    return server, f"an SMTP URL looks like smtp://user:password@host:587; {problem}" if problem else ""


def _of_provider(parts: SplitResult, provider: str, http: str) -> tuple[SmtpUrl, str]:
    """Read the URL of a provider's HTTP API. Raises ValueError."""
    server = SmtpUrl(
        host=parts.hostname or "",
        port=parts.port or (443 if http == "https" else 80),
        username=unquote(parts.username or "", errors="strict"),
        password=unquote(parts.password or "", errors="strict"),
        tls="implicit" if http == "https" else "none",
        provider=provider,
        path=parts.path.rstrip("/"),
    )
    faults = (
        (
            provider not in PROVIDERS or http not in {"https", "http"},
            f"there are {', '.join(sorted(PROVIDERS))} +https",
        ),
        (HOST.fullmatch(server.host) is None, "the host is missing or not a host name (a space parts several URLs)"),
        (http == "http" and LOOPBACK.fullmatch(server.host) is None, "without TLS a key may only go to this machine"),
        (not (server.username and server.password), "a user and a key are needed"),
        (not (server.username + server.password).isprintable(), "credentials hold a control character"),
        (bool(parts.query or parts.fragment) or _PATH.fullmatch(parts.path) is None, UNREADABLE),
        (provider == "mailgun" and not server.path, "Mailgun needs the sender's domain as its path"),
    )
    fault = next((text for holds, text in faults if holds), "")
    return server, f"a provider's URL looks like ses+https://key:secret@host; {fault}" if fault else ""


def _problem(parts: SplitResult, options: list[tuple[str, str]], server: SmtpUrl) -> str:
    """Describe the problem with an SMTP URL without quoting it; "" if there is none."""
    names = [name for name, _ in options]
    tls = dict(options).get("tls", "required")
    plain = tls == "none"
    by_token = server.oauth is not None
    lone = bool(server.username) != (bool(server.password) or by_token)
    abroad = bool(server.username) and LOOPBACK.fullmatch(server.host) is None
    faults = (
        (parts.scheme not in {"smtp", "smtps"}, "the scheme must be smtp or smtps"),
        (HOST.fullmatch(server.host) is None, "the host is missing or not a host name (a space parts several URLs)"),
        (parts.netloc.endswith((":0", ":")), "the port must be between 1 and 65535"),
        (
            parts.path not in {"", "/"} or bool(parts.fragment),
            UNREADABLE,
        ),
        (lone, "a user name needs a password, and a password a user name"),
        (not (server.username + server.password).isprintable(), "credentials hold a control character"),
        (len(set(names)) != len(names), "each option may be given once"),
        (not {*names} <= {"tls", "ca", "helo", "oauth"}, "the options are tls, ca, helo and oauth"),
        (by_token and bool(server.password), "oauth stands for a password: give one of them"),
        (tls not in {"required", "none"}, "tls must be required or none"),
        (plain and parts.scheme == "smtps", "smtps can't go with tls=none"),
        (plain and abroad, "without TLS a password may only go to this machine"),
        (server.ca is not None and not Path(server.ca).is_file(), "the ca file can't be found"),
        (server.helo is not None and not is_helo(server.helo), "helo must be a host name or an address literal"),
    )
    return next((text for holds, text in faults if holds), "") or _oauth_problem(server)


def _oauth_problem(server: SmtpUrl) -> str:
    if server.oauth is None:
        return ""
    try:
        oauth_grants.read_grant(server.oauth)
    except oauth_grants.InvalidGrantFile as fault:
        return str(fault)
    return ""
