"""SMS of a request: rows of the outbox in the request's own transaction, sent by a worker after COMMIT."""

from service import i18n, phone_numbers
from service.accounts import sms_quotas
from service.errors import CountryNotServed, PhoneDisabled
from service.http import client_info
from service.http.context import RequestContext
from service.settings import Settings
from service.store import sms
from service.store.projects import Project
from service.store.tokens import Token
from service.store.unit_of_work import UnitOfWork


def is_set_up(project: Project, settings: Settings) -> bool:
    """Tell whether this server, and this project, send SMS at all."""
    return bool(settings.sms_url.get_secret_value() and project.sms_countries)


def check_set_up(ctx: RequestContext, phone: str) -> None:
    """Raise PhoneDisabled where no code for this number can be sent; one for tests needs none to be."""
    if not is_set_up(ctx.project, ctx.services.settings) and phone not in ctx.project.mock_phones:
        raise PhoneDisabled


async def charge(ctx: RequestContext, phone: str) -> None:
    """Charge the quotas before an SMS is accepted. Raises PhoneDisabled, CountryNotServed and TooManyRequests."""
    check_set_up(ctx, phone)
    if phone in ctx.project.mock_phones:
        return
    if not phone_numbers.is_within(phone, ctx.project.sms_countries):
        raise CountryNotServed
    await sms_quotas.charge(ctx, phone)


async def may_send(ctx: RequestContext, phone: str) -> bool:
    """Charge the quotas for a client that is to learn nothing of a refusal."""
    if phone in ctx.project.mock_phones:
        return True
    return phone_numbers.is_within(phone, ctx.project.sms_countries) and await sms_quotas.may_send(ctx, phone)


async def enqueue(ctx: RequestContext, tx: UnitOfWork, token: Token) -> None:
    """Enqueue the SMS of a code; none goes to a number for tests, whose code is known."""
    if token.email not in ctx.project.mock_phones:
        await sms.enqueue(tx, token, locale=_locale(ctx))


def _locale(ctx: RequestContext) -> str:
    accepted = (locale for locale in client_info.accepted_languages(ctx.request) if i18n.is_known(locale))
    return ctx.client.locale or next(accepted, ctx.project.locale)
