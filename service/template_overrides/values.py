"""Values that a project's own templates may name, by letter, and sizes; docs/templates.md is made of them."""

from collections.abc import Mapping
from typing import Literal

Part = Literal["subject", "text", "html"]
PARTS: tuple[Part, ...] = ("subject", "text", "html")
# Bytes of a source, and of what it makes. Gmail cuts a letter at 102 kB.
SOURCE_SIZES: Mapping[Part, int] = {"subject": 300, "text": 16_384, "html": 65_536}
OUTPUT_SIZES: Mapping[Part, int] = {"subject": 300, "text": 65_536, "html": 100_000}
# Own templates of a project, so that a change of them stays cheap for workers.
MOST = 500

# What a notice about the account's security tells of. A letter has one of these, or one that a newer release knows.
CHANGES: Mapping[str, str] = {
    "mfa_on": "`yes` if second factors were switched on, else empty",
    "mfa_off": "`yes` if they were switched off",
    "authenticator_added": "`yes` if an authenticator app was added",
    "authenticator_removed": "`yes` if it was removed",
    "phone_changed": "`yes` if the phone number was changed",
    "recovery_codes_made": "`yes` if new recovery codes were made",
    "recovery_code_used": "`yes` if a recovery code was used",
    "wrong_codes": "`yes` if wrong codes were entered again and again",
    "passkey_added": "`yes` if a passkey was added",
    "passkey_removed": "`yes` if one was removed",
    "identity_added": "`yes` if an account at another service was connected, which signs in from now on",
    "identity_removed": "`yes` if it was disconnected",
}
DESCRIPTIONS: Mapping[str, str] = {
    "account": "masked address that the letter goes to, `a•••@example.com`",
    "project": "name of the project",
    "support_address": "the project's address for questions; may be empty",
    "footer_text": "the project's footer; may be empty",
    "accent_color": "colour of buttons, `#rrggbb`",
    "accent_ink": "colour of text on `accent_color`",
    "logo": "address of the attached logo, for `src`; empty without a logo",
    "language": "language of the dates, for `lang`",
    "requested_at": "time of the request, or of what was changed",
    "ip": "network address of the request; may be empty",
    "device": "browser and system of the request, `Firefox 130.0, Linux`; may be empty",
    "link": "the link; empty in notices to an address that was not verified",
    "host": "host that the link leads to; empty for an app's own scheme, and without a link",
    "expires": "when the link or code ends, or the account; empty in notices without a link",
    "code": "the six digits",
    "code_start": "the first three digits",
    "code_end": "the last three digits",
    "code_host": "site that the code belongs to; empty if the project has several",
    "phrase": "security phrase; empty unless one was requested",
    **CHANGES,
    "left": "number of recovery codes that are left; empty unless one was used",
    "passkeys": "number of passkeys that open the account; empty if there are none",
}
_ALWAYS = frozenset({"account", "accent_color", "accent_ink", "footer_text", "language", "logo", "project",
                     "requested_at", "ip", "device", "support_address"})  # fmt: skip
LINK = frozenset({"expires", "host", "link"})
_CODE = frozenset({"code", "code_end", "code_host", "code_start", "expires"})
_PHRASE = frozenset({"phrase"})
# The values of each letter. One that is not known is an empty text, and false in an `if`.
VALUES: Mapping[str, frozenset[str]] = {
    "account_ends": _ALWAYS | {"expires"},
    "already_registered": _ALWAYS,
    "email_changed": _ALWAYS | LINK,
    "invitation": _ALWAYS | LINK,
    "magic_url": _ALWAYS | LINK | _PHRASE,
    "mfa_challenge": _ALWAYS | _CODE,
    "new_device": _ALWAYS | LINK,
    "otp": _ALWAYS | _CODE | _PHRASE,
    "otp_recovery": _ALWAYS | _CODE | _PHRASE,
    "otp_verification": _ALWAYS | _CODE | _PHRASE,
    "password_changed": _ALWAYS | LINK | {"passkeys"},
    "recovery": _ALWAYS | LINK,
    "security_changed": _ALWAYS | LINK | CHANGES.keys() | {"left"},
    "verification": _ALWAYS | LINK,
}
# Values that a letter may lack; in notices the link is one too, and all of LINK goes with it.
OPTIONAL = ("host", "logo", "footer_text", "support_address", "phrase", "code_host", "device", "ip", "left", "passkeys")
# Letters that are of use without their link.
NOTICES = frozenset({"email_changed", "new_device", "password_changed", "security_changed"})
# Relays log subjects, and phones show them on a locked screen.
SECRETS = frozenset({"code", "code_end", "code_start", "link"})


def of_part(letter: str, part: Part) -> frozenset[str]:
    """Return the values that a part of a letter may name."""
    return VALUES[letter] - SECRETS if part == "subject" else VALUES[letter]


def purpose_of(letter: str) -> str:
    """Return the value that a letter is sent for, which both of its parts must show; empty if it has none."""
    return next((name for name in ("code", "link") if name in VALUES[letter]), "")
