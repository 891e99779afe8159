"""Bounces of mails that go by a provider's HTTP API: which of them BOUNCE_ADDRESS does not get."""

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from service.settings import Settings
from worker.relays import SmtpUrl, StepResult

log = logging.getLogger(__name__)
# Providers that take no return path with a mail, and the setting of the webhook by which they tell of bounces.
_WEBHOOKS: Mapping[str, str] = MappingProxyType({
    "mailgun": "bounce_mailgun_key", "postmark": "bounce_postmark_auth", "resend": "bounce_resend_secret",
})  # fmt: skip


def check(servers: Iterable[SmtpUrl], settings: Settings) -> list[StepResult]:
    """Say where the bounces of each provider's HTTP API come; nothing while no bounces are wanted."""
    if not settings.bounce_address:
        return []
    return [_result(server, settings) for server in servers if server.provider]


def warn(servers: Iterable[SmtpUrl], settings: Settings) -> None:
    """Log the providers whose bounces come nowhere."""
    for result in check(servers, settings):
        if result.state != "ok":
            facts = {"server": result.relay, "fault": result.message}
            log.warning("Bounces of a relay come nowhere", extra={"event": "relay.bounces_unheard"} | facts)


def _result(server: SmtpUrl, settings: Settings) -> StepResult:
    name = _WEBHOOKS.get(server.provider)
    if name is None:
        message = f"are forwarded to BOUNCE_ADDRESS, whose domain {server.provider} must have verified"
        return StepResult(server.name, "bounces", "ok", message)
    if settings.bounce_webhook_port and getattr(settings, name).get_secret_value():
        return StepResult(server.name, "bounces", "ok", f"come by the webhook of {server.provider}")
    message = (
        f"{server.provider} takes no return path with a mail, so BOUNCE_ADDRESS gets none of its bounces; "
        f"set {name.upper()} and BOUNCE_WEBHOOK_PORT for its webhook (docs/bounces.md)"
    )
    return StepResult(server.name, "bounces", "warn", message)
