"""Compose a claimed mail: link, letter and headers, as the bytes to send."""

from urllib.parse import urlencode

from service import email_addresses, i18n
from service.clientinfo import user_agents
from service.crypto.key_derivation import KeyRing
from service.links import link_builder, main_host, redirect_policy
from service.store import token_secrets, tokens
from service.store.outbox_claims import Claim
from service.store.template_overrides import TemplateOverride
from service.store.tokens import Kind, Token
from worker.mail import branding, dates, mime, templates
from worker.mail.branding import InlineImage
from worker.mail.templates import Letter

# Our own pages, for links requested without an address by a project that has no page of its own. The page of a
# private sign-up asks for the password.
_SIGN_UP = "/auth/sign-up"
# Of a link that signs in another browser than the one it is opened in.
_APPROVAL = "/auth/magic-url/approval"
_PAGES = {
    "invitation": "/auth/invitation",
    "recovery": "/auth/recovery",
    "verification": "/auth/verification",
    "magic_url": "/auth/magic-url",
    "password_changed": "/auth/disavowal",
    "new_device": "/auth/disavowal",
    "security_changed": "/auth/disavowal",
    "email_changed": "/auth/email-undo",
}


class ForbiddenTarget(Exception):
    """Link to a host that is no longer allowed."""


def token_of(claim: Claim) -> Token | None:
    """Build the claim's live token; None for a letter without one, or one that is gone."""
    if not (claim.token_id and claim.kind and claim.kid and claim.token_created_at and claim.token_expires_at):
        return None
    return Token(
        claim.project_id, claim.token_id, claim.kind, claim.token_user_id, claim.requested_user_id,
        claim.token_email or "",
        claim.token_email_version, claim.kid, claim.token_created_at, claim.token_expires_at,
    )  # fmt: skip


def locale_of(claim: Claim) -> str:
    """Choose the locale that the request named, else that of the user's preferences, the browser, the project.

    A mail that remembers no languages of the browser has the locale of its row: the request named it.
    """
    return wanted_locales(claim)[-1]


def wanted_locales(claim: Claim) -> list[str]:
    """List the locales that a reader wants, the best first, up to the first in which we have letters."""
    accepted = claim.facts.get("accepted")
    wanted = [] if accepted is None else [*filter(None, [i18n.preferred(claim.prefs or "")]), *accepted]
    ours = next((place for place, locale in enumerate(wanted, 1) if i18n.is_known(locale)), 0)
    return wanted[:ours] if ours else [*wanted, claim.locale]


def fault(claim: Claim, sender: str) -> str:
    """Describe for the operator the project setting that prevents a letter; "" if none does."""
    if not email_addresses.is_plain(claim.sender_address or sender):
        return "the project's sender address is none: `projects set --sender-address`"
    if claim.reply_to and not email_addresses.is_plain(claim.reply_to):
        return "the project's address for replies is none: `projects set --reply-to`"
    if not all(map(email_addresses.is_header_text, (claim.sender_name, claim.project_name))):
        return "the project's name, or its sender's, holds control characters: `projects set --name`, `--sender-name`"
    if (
        claim.letter == "verification"
        and claim.verification_url
        and not redirect_policy.is_page(claim.verification_url)
    ):
        return "the project's verification page is no address: `projects set --verification-url`"
    return ""


def compose(
    claim: Claim,
    token: Token | None,
    ring: KeyRing,
    *,
    sender: str,
    public_url: str,
    logo: InlineImage | None = None,
    override: TemplateOverride | None = None,
) -> bytes:
    """Compose the whole message; a retry gives the same bytes. Raises ForbiddenTarget, and OverrideFault."""
    facts = claim.facts
    device = user_agents.parse(facts.get("user_agent", ""))
    shared = {
        "recipient": claim.recipient,
        "zone": dates.zone_of(claim.prefs),
        "era": "modern" if facts.get("modern") else "legacy",
        "ip": facts.get("ip"),
        "requested_at": claim.created_at,
        "device": f"{device.client_name}, {device.os_name}" if device.client_name and device.os_name else None,
        "phrase": facts.get("phrase"),
        "change": facts.get("change"),
        "left": facts.get("left"),
        "passkeys": facts.get("passkeys"),
        "expires": facts.get("ends_at"),
    }
    if token:
        shared |= _of_token(claim, token, ring, public_url)
    brand, locale = branding.of_claim(claim, logo), locale_of(claim)
    letter = templates.render(claim.letter, locale=locale, branding=brand, override=override, **shared)
    return message(claim, letter, sender=sender, logo=logo)


def message(claim: Claim, letter: Letter, *, sender: str, logo: InlineImage | None) -> bytes:
    """Give a letter the headers of its mail."""
    return mime.build(
        letter,
        sender_name=claim.sender_name or f"{claim.project_name} Team",
        sender_address=claim.sender_address or sender,
        recipient=claim.recipient,
        message_id=claim.message_id,
        date=claim.created_at,
        reply_to=claim.reply_to or None,
        image=logo,
    )


def _of_token(claim: Claim, token: Token, ring: KeyRing, public_url: str) -> dict[str, object]:
    lifetime = round((token.expires_at - token.created_at).total_seconds())
    facts: dict[str, object] = {"expires": token.expires_at, "lifetime_seconds": lifetime}
    if token.kind in tokens.CODES:
        # A browser offers the code on that site and on no other (WICG, origin-bound one-time codes).
        return facts | {"code": token_secrets.secret_of(ring, token), "code_host": main_host.find(claim.hostnames)}
    return facts | {"link": _link(claim, token, ring, public_url)}


def _link(claim: Claim, token: Token, ring: KeyRing, public_url: str) -> str:
    """Make the link of a letter (docs/contract.md#links). Mails of the release before have no `short_links`."""
    short, page = bool(claim.facts.get("short_links")), _app_page(claim)
    if page is None:
        own = public_url + _own_page(claim, token)
        proof = {"project": claim.project_id}
        if short:
            return f"{own}?{urlencode(proof | {'secret': token_secrets.secret_of(ring, token, form='short')})}"
        page = f"{own}?{urlencode(proof)}"
    return link_builder.build(page, _parameters(claim, token, ring, short=short))


def _own_page(claim: Claim, token: Token) -> str:
    if token.kind == Kind.FIRST_TAB:
        return _APPROVAL
    private = is_sign_up(token) and claim.letter == "verification"
    return _SIGN_UP if private else _PAGES[claim.letter]


def _parameters(claim: Claim, token: Token, ring: KeyRing, *, short: bool) -> dict[str, str]:
    """Make the contract's parameters; the recovery link also carries the address, as the API document says."""
    expires = token.expires_at
    # Mails of the release before have no `iso`.
    iso = claim.facts.get("iso", claim.facts.get("modern"))
    stamp = expires.isoformat(timespec="milliseconds") if iso else str(int(expires.timestamp()))
    parameters = {"userId": token.user_id or token.requested_user_id or ""}
    if claim.letter == "recovery":
        parameters["email"] = token.email
    parameters |= {
        "secret": token_secrets.secret_of(ring, token, form="short" if short and iso else "long"),
        "expire": stamp,
    }
    if token.kind == Kind.MAGIC_URL:
        parameters["project"] = claim.project_id
    return parameters


def is_sign_up(token: Token) -> bool:
    """Return whether a token is a private sign-up's, or an invitation's: its use makes the account of a requested id.

    Without such an id it is for the owner of the address, whom the worker looks up as for a recovery.
    """
    return token.kind == Kind.VERIFICATION and token.user_id is None and token.requested_user_id is not None


def _app_page(claim: Claim) -> str | None:
    """Return the requested address, if it is still allowed, or the project's page, which needs no check."""
    if url := claim.facts.get("url"):
        try:
            return redirect_policy.check(url, claim.hostnames, plain_http=claim.plain_http)
        except ValueError:
            raise ForbiddenTarget from None
    return claim.verification_url or None if claim.letter == "verification" else None
