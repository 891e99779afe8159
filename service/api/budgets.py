"""How many mails one mailbox may get, over all kinds, routes and projects together (reliability.md S24).

What strangers can have sent to an address is bounded here; it is counted for every address alike, whether somebody
has it or not, so that a refusal tells nothing. A device on which the address was proved to be its user's has a budget
of its own: who burns the other one keeps no owner from a recovery. Notices to proved addresses come out of none.
"""

from service.api import known_devices, limits
from service.api.calls import Call
from service.limits import DAY, HOUR, Rule, Verdict
from service.projects import Project
from service.users import User

# For one mailbox; for one mailbox from one network, so that one network can't use up the day; for one network.
BY_MAILBOX = (Rule("mail.hour", 10, HOUR), Rule("mail.day", 20, DAY))
BY_NEIGHBOUR, BY_ADDRESS = Rule("mail.neighbour", 10, DAY), Rule("mail.ip", 100, HOUR)
BY_DEVICE = Rule("mail.device", 5, HOUR)
BY_NEW_DEVICE = Rule("notice.new_device", 5, HOUR)
SHARED = (*BY_MAILBOX, BY_NEIGHBOUR, BY_ADDRESS)
RULES = (*SHARED, BY_DEVICE, BY_NEW_DEVICE)
# Mailboxes belong to no project, and neither do networks that send.
EVERYWHERE = ""


async def spend(call: Call, email: str) -> None:
    """Before a mail to this address is accepted: raises TooManyRequests where it has had enough."""
    device = known_devices.find(call, email)
    if device and device.proven:
        counted = [(rule, device.id) for rule in limits.own(call.project, [BY_DEVICE])]
        verdict = await call.services.limits.count(call.project.id, counted) if counted else None
    else:
        verdict = await _count(call, email)
    if verdict:
        limits.obey(call, verdict)


async def may_tell(call: Call, user: User) -> bool:
    """Whether a notice may go to a user's address. An unproved one may be anybody's: it has the strangers' budget."""
    if user.email is None or user.email_verified:
        return user.email is not None
    verdict = await _count(call, user.email)
    return verdict is None or not limits.refuses(call, verdict)


async def may_tell_of_device(call: Call, user: User) -> bool:
    """Whether one more sign-in on a new device is worth a mail to its owner."""
    counted = [(rule, user.id) for rule in limits.own(call.project, [BY_NEW_DEVICE])]
    return not counted or not limits.refuses(call, await call.services.limits.count(call.project.id, counted))


def scope(project: Project) -> str:
    """Whose windows count a project's mails. A window has one length, so numbers of its own need windows of its own."""
    return project.id if any(rule.name in project.limits for rule in SHARED) else EVERYWHERE


def windows(project: Project, *, email: str = "", ip: str = "") -> list[tuple[Rule, str]]:
    """Those of a mailbox, of a network, and with both those that the two have together."""
    mailbox = limits.mailbox_of(email)
    counted = [(rule, mailbox) for rule in limits.own(project, BY_MAILBOX if email else ())]
    if email and ip:  # of IPv6 the widest network that one site may have
        share = f"{mailbox}\0{limits.by_address(BY_ADDRESS, ip)[-1][1]}"
        counted += [(rule, share) for rule in limits.own(project, [BY_NEIGHBOUR])]
    for rule in limits.own(project, [BY_ADDRESS] if ip else ()):
        counted += limits.by_address(rule, ip)
    return counted


async def _count(call: Call, email: str) -> Verdict | None:
    """None where the project counts nothing of it."""
    # A server that holds a key asks for many people from one place.
    counted = windows(call.project, email=email, ip="" if call.key else call.client.ip)
    return await call.services.limits.count(scope(call.project), counted) if counted else None
