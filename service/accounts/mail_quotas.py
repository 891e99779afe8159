"""Quota of mails to one mailbox, over all kinds, routes and projects together (docs/security.md S24).

It bounds what other people can have sent to an address, and counts every address alike, with or without an account,
so that a refusal tells nothing. A device on which the address was proved to be its user's has a quota of its own: a
client that uses up the other one keeps no owner from a recovery. Notices to proved addresses are not counted.
"""

from collections.abc import Sequence

from service.http import device_cookie, rate_limit_decisions, rate_limit_keys, rate_limits
from service.http.context import RequestContext
from service.rate_limiter import DAY, HOUR, Rule, Tally, Window
from service.store.projects import Project
from service.store.users import User

# For one mailbox; for one mailbox from one network, so that one network can't use up the day; for one network.
BY_MAILBOX = (Rule("mail.hour", 10, HOUR), Rule("mail.day", 20, DAY))
MAILBOX_AND_NETWORK, BY_ADDRESS = Rule("mail.neighbour", 10, DAY), Rule("mail.ip", 100, HOUR)
# For a known device of one mailbox, and for all of them together: a client with the password can make many.
BY_DEVICE, BY_DEVICES = Rule("mail.device", 5, HOUR), Rule("mail.devices", 50, HOUR)
BY_NEW_DEVICE = Rule("notice.new_device", 5, HOUR)
# Codes that recover an account can be guessed, three times each: so many for one mailbox, and as many for all of its
# known devices together. Links, which can't be guessed, have no such rule.
BY_RECOVERY_CODE = Rule("mail.recovery_code", 5, DAY)
BY_RECOVERY_CODE_OF_DEVICES = Rule("mail.recovery_code.devices", 5, DAY)
SHARED = (*BY_MAILBOX, MAILBOX_AND_NETWORK, BY_ADDRESS)
BY_RECOVERY_CODES = (BY_RECOVERY_CODE, BY_RECOVERY_CODE_OF_DEVICES)
RULES = (*SHARED, BY_DEVICE, BY_DEVICES, BY_NEW_DEVICE, *BY_RECOVERY_CODES)
# Mailboxes belong to no project, and neither do networks that send.
EVERYWHERE = ""


async def charge(ctx: RequestContext, email: str) -> None:
    """Charge the quota before a mail to this address is accepted: raises TooManyRequests where it is used up.

    It is refunded if the call fails: a quota is used up only by mails that are sent. Where it is deferred, the
    statement that writes the mail charges it.
    """
    scope, counted = of_mail(ctx, email)
    if not rate_limits.is_deferred(ctx, counted) and (tallied := await _count(ctx, scope, counted)):
        rate_limit_decisions.enforce(ctx, tallied)


def of_mail(ctx: RequestContext, email: str) -> tuple[str, list[Window]]:
    """Return the windows that `charge` counts a mail to this address in, with their scope."""
    if email not in ctx.quotas:
        ctx.quotas[email] = _of_mail(ctx, email)
    return ctx.quotas[email]


def of_mail_to_member(ctx: RequestContext, email: str) -> tuple[str, list[Window]]:
    """Return the same for the member's own address; no windows where no mail to prove it is due."""
    if not email or (ctx.member.email_verified and ctx.api_version.modern):
        return ctx.project.id, []
    return of_mail(ctx, email)


def _of_mail(ctx: RequestContext, email: str) -> tuple[str, list[Window]]:
    if device := device_cookie.find_verified(ctx, email):
        of_device = [Window(rule, device.id, own=True, only="successes") for rule in _own(ctx, BY_DEVICE)]
        return ctx.project.id, of_device + by_devices(ctx.project, email)
    return _of_mailbox(ctx, email)


async def charge_recovery_code(ctx: RequestContext, email: str) -> None:
    """Charge one more code that recovers the account of this address, as `charge` does and besides it."""
    rule = BY_RECOVERY_CODE_OF_DEVICES if device_cookie.find_verified(ctx, email) else BY_RECOVERY_CODE
    if tallied := await _count(ctx, ctx.project.id, of_recovery_codes(ctx.project, email, rule)):
        rate_limit_decisions.enforce(ctx, tallied)


async def may_notify(ctx: RequestContext, user: User) -> bool:
    """Charge a notice to a user's address. An unproved one may be any person's: it has the public quota."""
    if user.email is None or user.email_verified:
        return user.email is not None
    tally = await _count(ctx, *_of_mailbox(ctx, user.email))
    return tally is None or not rate_limit_decisions.is_refused(ctx, tally)


async def may_notify_of_device(ctx: RequestContext, user: User) -> bool:
    """Charge a notice of one more sign-in on a new device."""
    counted = [Window(rule, user.id, only="successes") for rule in _own(ctx, BY_NEW_DEVICE)]
    tally = await _count(ctx, ctx.project.id, counted)
    return tally is None or not rate_limit_decisions.is_refused(ctx, tally)


def scope(project: Project) -> str:
    """Scope of a project's mail windows. A window has one length, so numbers of its own need windows of its own."""
    return project.id if any(rule.name in project.limits for rule in SHARED) else EVERYWHERE


def windows(project: Project, *, email: str = "", ip: str = "") -> list[Window]:
    """List the windows of a mailbox, of a network, and with both those that the two have together."""
    mailbox = rate_limit_keys.mailbox_key(email)
    counted = [
        Window(rule, mailbox, only="successes")
        for rule in rate_limit_keys.project_rules(project, BY_MAILBOX if email else ())
    ]
    if email and ip:  # of IPv6 the widest network that one site may have
        share = f"{mailbox}\0{rate_limit_keys.windows_of_address(BY_ADDRESS, ip)[-1].value}"
        counted += [
            Window(rule, share, only="successes")
            for rule in rate_limit_keys.project_rules(project, [MAILBOX_AND_NETWORK])
        ]
    for rule in rate_limit_keys.project_rules(project, [BY_ADDRESS] if ip else ()):
        counted += rate_limit_keys.windows_of_address(rule, ip, "successes")
    return counted


def by_devices(project: Project, email: str) -> list[Window]:
    """List the windows of all known devices of a mailbox together."""
    mailbox = rate_limit_keys.mailbox_key(email)
    return [Window(rule, mailbox, only="successes") for rule in rate_limit_keys.project_rules(project, [BY_DEVICES])]


def of_recovery_codes(project: Project, email: str, *rules: Rule) -> list[Window]:
    """List the windows of codes that recover the account of an address."""
    mailbox = rate_limit_keys.mailbox_key(email)
    return [Window(rule, mailbox, only="successes") for rule in rate_limit_keys.project_rules(project, rules)]


def _own(ctx: RequestContext, rule: Rule) -> list[Rule]:
    return rate_limit_keys.project_rules(ctx.project, [rule])


def _of_mailbox(ctx: RequestContext, email: str) -> tuple[str, list[Window]]:
    # A server that holds a key asks for many users from one place.
    return scope(ctx.project), windows(ctx.project, email=email, ip="" if ctx.key else ctx.client.ip)


async def _count(ctx: RequestContext, scope: str, counted: Sequence[Window]) -> Tally | None:
    """Count in these windows; None without any, since the project has switched their rules off."""
    return await rate_limits.count(ctx, scope, counted) if counted else None
