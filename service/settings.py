"""Settings of an operator, read once from the environment and from folders of secrets.

Longer than other files: each setting stands here with its description, and nowhere else.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service import email_addresses, endpoints, heartbeat, sentinel_url, setting_formats, smtp_deadlines
from service.outbound_addresses import Network
from service.smtp_deadlines import Deadlines

# In the place of a webhook: SMS go into the worker's log.
LOG_SMS = "log:"
_REDIS_DATABASE = re.compile(r"/?|/[0-9]{1,5}")
# 64 of a local part, without `+`, the 32 of an id, a dot and the 16 of a tag.
_LONGEST_BOUNCE_LOCAL_PART = 14
_UNREADABLE = "its hosts can't be read: of the password / # ? @ : and % stand percent-encoded, ports are 1 to 65535"

KeyRing = dict[str, bytes]


class InvalidSettings(Exception):
    """The settings can't be used; `faults` has one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class DatastoreSettings(BaseSettings):
    """Addresses of Postgres and Redis: all settings that a command on the outbox needs."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr = Field(
        description="Postgres 15 or newer, postgres://user:password@host/name; of several hosts, "
        "host:port,host:port, the one that may be written to is used. ?prepared_statements=off is for PgBouncer before "
        "1.21 in transaction mode (docs/operations.md#pgbouncer)"
    )
    redis_url: SecretStr = Field(
        description="Redis 7 or Valkey; redis://host:6379/0 (the path is the database), rediss:// or unix://; "
        "by Sentinel redis+sentinel://host:26379,host:26379/service/0 (docs/operations.md#redis-sentinel)"
    )

    @field_validator("database_url", "redis_url")
    @classmethod
    def _has_scheme(cls, value: SecretStr, info: Any) -> SecretStr:
        allowed = {
            "database_url": ("postgres", "postgresql"),
            "redis_url": ("redis", "rediss", "unix", sentinel_url.SCHEME),
        }
        # Not by urlsplit, which knows no list of hosts.
        if value.get_secret_value().partition("://")[0].lower() not in allowed[info.field_name]:
            raise ValueError("starts with " + " or ".join(f"{s}://" for s in allowed[info.field_name]))
        if not endpoints.is_readable(value.get_secret_value()):
            raise ValueError(_UNREADABLE)
        return value

    @field_validator("database_url")
    @classmethod
    def _has_option(cls, value: SecretStr) -> SecretStr:
        if endpoints.take_option(value.get_secret_value(), "prepared_statements")[1] not in (None, "on", "off"):
            raise ValueError("prepared_statements is on or off")
        return value

    @field_validator("redis_url")
    @classmethod
    def _has_database(cls, value: SecretStr) -> SecretStr:
        """Refuse a database that is no number: the client would take 0 in silence."""
        url = value.get_secret_value()
        if sentinel_url.is_sentinel(url):
            sentinel_url.parse(url)
        elif not url.lower().startswith("unix:") and not _REDIS_DATABASE.fullmatch(endpoints.path(url)):
            raise ValueError("its path is the number of a database, such as redis://host:6379/0")
        return value

    @classmethod
    def read(cls) -> Self:
        """Read settings from the environment. Raises InvalidSettings with every fault and without any value."""
        try:
            return cls(_secrets_dir=heartbeat.secrets_folders() or None)
        except ValidationError as error:
            raise InvalidSettings(
                [_message(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]
            ) from None


class Settings(DatastoreSettings):
    """All settings; one field a variable, and its description is the documentation (docs/settings.md is checked)."""

    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="The mail relay: smtp://user:password@host:587 (STARTTLS is required), "
        "smtps://host:465, or smtp://host:25?tls=none on a trusted wire. smtp://user@host:587?oauth=FILE signs in by "
        "access tokens (docs/operations.md), ses+https://key:secret@host and the like hand mails to a provider by HTTP "
        "(docs/sending.md). More of them after a space stand in for the first. Workers need it",
    )
    sms_url: SecretStr = Field(
        SecretStr(""),
        description="Where SMS go: a webhook of yours, https://host/path, that hands them to a provider "
        "(docs/operations.md#sms), or `log:`, which writes them into the worker's log and is for development alone. "
        "Empty for no SMS",
    )
    public_url: str = Field(description="Where browsers reach this service; links to its own pages start so")
    secret_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(
        description="kid:hex[,kid:hex]: 32 bytes or more each, made by `openssl rand -hex 32`. The first one "
        "makes new secrets, the others still open older ones"
    )
    mail_from: str = Field("no-reply@localhost", description="Sender address of projects that set none")
    host: str = Field("127.0.0.1", pattern=r"[^,\s]", description="Addresses the API listens on, comma-separated")
    port: int = Field(8080, ge=0, le=65535, description="Port the API listens on")
    health_port: int = Field(
        8081,
        ge=0,
        le=65535,
        description="Port of the API's /live, /ready and /metrics, on the first address of HOST; never publish it",
    )
    stop_delay: float = Field(
        0,
        ge=0,
        le=60,
        description="Seconds in which a process that was told to stop still takes requests, so that a proxy sees "
        "/ready say 503 first; about the interval at which it asks",
    )
    trusted_hops: int = Field(
        0,
        ge=0,
        le=8,
        description="Addresses that proxies in front add to FORWARDED_HEADER; 0 believes the socket only",
    )
    forwarded_header: Literal["X-Forwarded-For", "Forwarded"] = Field(
        "X-Forwarded-For",
        description="The header in which the proxies in front name the client, the other one is not read: Forwarded is "
        "RFC 7239's",
    )
    hosts: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._:, \[\]-]*$",
        description="Host headers that are answered besides PUBLIC_URL's, comma-separated and without port; "
        "empty answers any, which is safe because no link is made from them",
    )
    connections: int = Field(
        4000, ge=10, le=100_000, description="Clients that may be connected to a process; more are told 503 and closed"
    )
    database_connections: int = Field(10, ge=1, le=200, description="Postgres connections a process keeps")
    hash_threads: int = Field(
        0, ge=0, le=64, description="Threads that hash passwords; 0 means one for each core that the process may use"
    )
    password_ranges: str = Field(
        "",
        description="Breached passwords that no user may choose: a file or folder as Have I Been Pwned's downloader "
        "writes it, SHA-1 and sorted. Empty for none; the common ones are refused without it",
    )
    limits: Literal["on", "observe-addresses", "off"] = Field(
        "on",
        description="observe-addresses counts calls of a client address, but refuses none of them (`./dev run`, where "
        "everybody has one address); off counts, but refuses no request at all (conformance runs)",
    )
    smtp_connections: int = Field(10, ge=1, le=100, description="Connections a worker keeps to each relay, at most")
    smtp_per_minute: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Mails that all workers together hand to the relays of SMTP_URL in any minute, at most; 0 is no "
        "limit",
    )
    smtp_helo: str = Field(
        "",
        description="The name that workers say to relays (EHLO), a host name that the DNS knows or an address literal "
        "such as [192.0.2.1]; empty takes the host of PUBLIC_URL. ?helo=NAME in SMTP_URL is that relay's alone",
    )
    smtp_timeouts: Annotated[Deadlines, NoDecode] = Field(
        Deadlines(),
        description="Seconds that a relay has for each step, step=seconds and a comma between two; steps that are not "
        "named keep what they have here",
    )
    worker_jobs: int = Field(100, ge=1, le=1000, description="Mails and SMS a worker has in hand at a time")
    worker_id: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description="A name that a worker keeps over restarts, so that it takes its own mails back at once; empty "
        "takes the first free one of the host, which does the same",
    )
    worker_state: str = Field(
        "",
        description="Folder for the workers' names and their journals of sent mails, kept over restarts, shared by the "
        "workers of a machine; empty takes one in /tmp, by user and database",
    )
    worker_heartbeat: Path = Field(
        heartbeat.USUAL,
        description="File a live worker writes its counts to, for `python -m worker check`. Each worker of a machine "
        "needs its own",
    )
    worker_health_port: int = Field(
        8181,
        ge=0,
        le=65535,
        description="Port of a worker's /live, /ready and /metrics, on the first address of HOST; 0 for none. Each "
        "worker of a machine needs its own. Never publish it",
    )
    mail_days: int = Field(
        30, ge=1, le=3650, description="Days the row of an ended mail or SMS is kept; it holds an address or a number"
    )
    event_days: int = Field(
        30, ge=1, le=3650, description="Days an event stays in the feed for other systems (docs/events.md)"
    )
    bounce_address: str = Field(
        "",
        description="Address that mails come back to, such as bounces@bounces.example.com: each mail is sent from one "
        "of its own, bounces+MAIL.TAG@bounces.example.com (docs/bounces.md). Empty sends from the sender's address",
    )
    bounce_lmtp_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port on which a worker takes what came to BOUNCE_ADDRESS from your mail server by LMTP, on the "
        "first address of HOST; 0 for none. Never publish it",
    )
    bounce_webhook_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port on which a worker takes the webhooks of mail providers, on the first address of HOST, behind "
        "your proxy; 0 for none (docs/bounces.md#webhooks-of-providers)",
    )
    bounce_ses_topics: str = Field(
        "",
        pattern=r"^$|^arn:[a-z-]+:sns:[a-z0-9-]{3,30}:[0-9]{12}:[A-Za-z0-9_.-]+( arn:[a-z-]+:sns:[a-z0-9-]{3,30}:"
        r"[0-9]{12}:[A-Za-z0-9_.-]+)*$",
        description="Topics of Amazon SNS that SES reports to: their ARNs, a space between two",
    )
    bounce_mailgun_key: SecretStr = Field(SecretStr(""), description="Mailgun's HTTP webhook signing key")
    bounce_postmark_auth: SecretStr = Field(
        SecretStr(""), description="user:password that Postmark's webhooks are given; it signs nothing"
    )
    bounce_sendgrid_key: str = Field("", description="Verification key of SendGrid's signed event webhook, base64")
    bounce_resend_secret: SecretStr = Field(SecretStr(""), description="Signing secret of Resend's webhook, whsec_…")
    suppression_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="Days without mail for an address that bounced, or reported ours as spam (docs/bounces.md)",
    )
    webhook_networks: str = Field(
        "",
        description="Networks besides the Internet that projects' webhooks may go to, 10.1.0.0/16,fd00::/8, there over "
        "http too; empty for public addresses over https alone (docs/webhooks.md)",
    )
    log_months: int = Field(12, ge=1, le=120, description="Months of security log kept; older partitions go")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lines below are dropped")
    log_format: Literal["", "text", "json", "ecs"] = Field(
        "",
        description="json is one object a line, with ISO times; ecs is the same in the names of the Elastic Common "
        "Schema; text is for people; empty is text where standard error is a terminal, else json",
    )

    traces_url: str = Field(
        "",
        pattern=r"^$|^https?://[^\s@/]+(/\S*)?$",
        description="Where spans go, by OTLP over HTTP: http://collector:4318/v1/traces. Empty for none. It needs the "
        "packages of `requirements-tracing.lock`",
    )
    traces_sampled: float = Field(0.01, ge=0, le=1, description="Part of the requests that are traced, 0 to 1")

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:
        return setting_formats.parse_keys(value) if isinstance(value, str) else value

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        setting_formats.parse_networks(value)
        return value

    @field_validator("smtp_helo")
    @classmethod
    def _is_helo(cls, value: str) -> str:
        if value and not setting_formats.is_helo(value):
            raise ValueError("a host name such as accounts.example.com, or an address literal such as [192.0.2.1]")
        return value

    @field_validator("smtp_timeouts", mode="before")
    @classmethod
    def _read_timeouts(cls, value: Any) -> Any:
        return smtp_deadlines.parse(value) if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        """Links begin with it, and comparisons need one spelling."""
        return setting_formats.normalize_origin(value)

    @field_validator("sms_url")
    @classmethod
    def _takes_sms(cls, value: SecretStr) -> SecretStr:
        """Refuse a webhook that others could listen to; nothing of the address is quoted, for it may hold a secret."""
        url = value.get_secret_value()
        if url and url != LOG_SMS and not setting_formats.is_webhook(url):
            raise ValueError(
                "a webhook such as https://sms.example.com/send, without user and #; http:// for this machine only"
            )
        return value

    @model_validator(mode="after")
    def _logs_sms_in_development_only(self) -> Self:
        """Codes in a log are for a developer's machine: wherever the service has https, they open accounts."""
        if self.sms_url.get_secret_value() == LOG_SMS and not self.public_url.startswith("http:"):
            raise ValueError("SMS_URL: log: is for development, where PUBLIC_URL is http://")
        return self

    @model_validator(mode="after")
    def _takes_bounces_by_lmtp_of_an_address(self) -> Self:
        """Refuse a port that no worker would listen on: without the address there are no return paths."""
        if self.bounce_lmtp_port and not self.bounce_address:
            raise ValueError("BOUNCE_LMTP_PORT: needs BOUNCE_ADDRESS, whose mails it takes")
        return self

    @field_validator("password_ranges")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value and not Path(value).exists():
            raise ValueError("there is no such file or folder")
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            return email_addresses.sender(value)
        except ValueError:
            raise ValueError("an address such as no-reply@example.com") from None

    @field_validator("bounce_address")
    @classmethod
    def _is_return_path(cls, value: str) -> str:
        """Leave room for a mail's id and its tag: a local part has 64 characters at most."""
        local = value.rpartition("@")[0]
        fits = len(local) <= _LONGEST_BOUNCE_LOCAL_PART and "+" not in local
        try:
            address = email_addresses.sender(value).lower() if value else ""
        except ValueError:
            fits = False
        if not fits:
            longest = f"at most {_LONGEST_BOUNCE_LOCAL_PART} characters before the @ and no + in them"
            raise ValueError(f"an address such as bounces@bounces.example.com, {longest}")
        return address

    @field_validator("health_port")
    @classmethod
    def _is_another_port(cls, value: int, info: Any) -> int:
        if value and value == info.data.get("port"):
            raise ValueError("PORT has that one too: they are two")
        return value

    @property
    def key_ring(self) -> KeyRing:
        """Return keys by kid; the first is the one that makes new secrets."""
        return {kid: bytes.fromhex(key.get_secret_value()) for kid, key in self.secret_keys.items()}

    @property
    def reachable_networks(self) -> tuple[Network, ...]:
        """Return the networks besides the Internet that webhooks may go to."""
        return setting_formats.parse_networks(self.webhook_networks)

    @property
    def helo(self) -> str:
        """Return the name for EHLO; the machine's own name would be a container's."""
        return self.smtp_helo or setting_formats.helo_of(self.public_url)


class WorkerSettings(Settings):
    """Settings of a worker: the same variables, with a relay required."""

    smtp_url: SecretStr = Field(description=Settings.model_fields["smtp_url"].description)


def _message(place: tuple[int | str, ...], kind: str, message: str) -> str:
    if not place:  # of several settings together; the message names them
        return message.removeprefix("Value error, ")
    name = str(place[0]).upper()
    return f"{name} is not set" if kind == "missing" else f"{name}: {message.removeprefix('Value error, ')}"
