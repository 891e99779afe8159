"""Send one letter by hand, for an operator: composed and sent by the code of every mail, but from no outbox."""

from dataclasses import replace

from service.settings import Settings
from service.store.branding import Logo
from service.store.outbox import Claim
from worker.mail import branding, compose
from worker.smtp import DeliveryFailure, RelayPool, StepResult, TemporaryFailure, failed, parse_urls, shortened


async def send_letter(draft: Claim, settings: Settings, *, logo: Logo | None) -> StepResult:
    """Send a draft by the first relay that accepts it. Raises ValueError for a setting that prevents the letter."""
    if fault := compose.fault(draft, settings.mail_from):
        raise ValueError(fault)
    image = branding.inline_image(logo, draft.logo_digest) if logo and draft.logo_digest else None
    message = compose.compose(
        draft, None, settings.key_ring, sender=settings.mail_from, public_url=settings.public_url, logo=image
    )
    servers = parse_urls(settings.smtp_url.get_secret_value(), helo=settings.helo)
    relay = RelayPool(*servers, connections=1, deadlines=shortened(settings.smtp_timeouts))
    try:
        accepted = await relay.send(draft.sender_address or settings.mail_from, draft.recipient, message)
    except DeliveryFailure as failure:
        return _not_sent(failure)
    finally:
        await relay.close()
    return StepResult(accepted.server, "dot", "ok", f"{accepted.code} {accepted.text}")


def _not_sent(fault: DeliveryFailure) -> StepResult:
    """Describe the failure; only greylisting and the like pass by themselves."""
    result = failed(fault.server, fault)
    if isinstance(fault, TemporaryFailure) and fault.cause in ("recipient", "pace"):
        return replace(result, message=f"{fault}; workers try such a mail again")
    return replace(result, state="fail")
