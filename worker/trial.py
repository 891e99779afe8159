"""Try relays for an operator, and send one letter by hand: by the code of every mail, but from no outbox."""

from collections.abc import Sequence
from dataclasses import replace

from service.settings import Settings
from service.store.branding import Logo
from service.store.dkim_keys import DkimKey
from service.store.outbox_claims import Claim
from service.store.project_relays import ProjectRelay
from worker.bounces import http_relays
from worker.mail import branding, compose, dkim, signing
from worker.mail.templates import Letter
from worker.relays import (
    DeliveryFailure,
    RelayPool,
    SmtpUrl,
    StepResult,
    TemporaryFailure,
    check_steps,
    failed,
    parse_urls,
    shortened,
)
from worker.relays.routing import own_server


async def try_relays(settings: Settings, own: ProjectRelay | None) -> list[StepResult]:
    """Try each relay of SMTP_URL, or a project's own one. Raises ValueError, OSError, CannotUnseal."""
    servers = _servers(settings, own)
    return [*await check_steps(servers, settings.smtp_timeouts), *http_relays.check(servers, settings)]


async def send_letter(
    draft: Claim,
    settings: Settings,
    *,
    logo: Logo | None,
    own: ProjectRelay | None = None,
    keys: Sequence[DkimKey] = (),
    letter: Letter | None = None,
) -> StepResult:
    """Send a draft, or this letter for it, by the first relay that accepts it.

    It is signed with the active ones of the project's DKIM keys. Raises ValueError for a setting that prevents the
    letter, CannotUnseal.
    """
    if fault := compose.fault(draft, settings.mail_from):
        raise ValueError(fault)
    image = branding.inline_image(logo, draft.logo_digest)
    if letter:
        message = compose.message(draft, letter, sender=settings.mail_from, logo=image)
    else:
        message = compose.compose(
            draft, None, settings.key_ring, sender=settings.mail_from, public_url=settings.public_url, logo=image
        )
    opened = [signing.open_key(settings.key_ring, key) for key in keys if key.state == "active"]
    message = dkim.signed(message, opened, at=draft.created_at)
    relay = RelayPool(*_servers(settings, own), connections=1, deadlines=shortened(settings.smtp_timeouts))
    try:
        accepted = await relay.send(draft.sender_address or settings.mail_from, draft.recipient, message)
    except DeliveryFailure as failure:
        return _not_sent(failure)
    finally:
        await relay.close()
    return StepResult(accepted.server, "dot", "ok", f"{accepted.code} {accepted.text}")


def _servers(settings: Settings, own: ProjectRelay | None) -> tuple[SmtpUrl, ...]:
    if own is None:
        return parse_urls(settings.smtp_url.get_secret_value(), helo=settings.helo)
    return (own_server(settings.key_ring, own, helo=settings.helo),)


def _not_sent(fault: DeliveryFailure) -> StepResult:
    """Describe the failure; only greylisting and the like pass by themselves."""
    result = failed(fault.server, fault)
    if isinstance(fault, TemporaryFailure) and fault.cause in ("recipient", "pace"):
        return replace(result, message=f"{fault}; workers try such a mail again")
    return replace(result, state="fail")
