"""Settings of a project, each with its option, its values and a sentence; docs/projects.md is made from them too."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.accent_colors import DEFAULT_ACCENT
from service.cli import arguments as kinds
from service.cli.commands import boolean
from service.cli.projects import logo_files, values


@dataclass(frozen=True, slots=True)
class Option:
    """An option of `projects set`. `name` is the setting's, `values` what may be typed, `usual` a new project's."""

    name: str
    parse: Callable[[str], Any]
    values: str
    usual: str
    text: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def _switch(name: str, text: str, *, usual: str = "off") -> Option:
    return Option(name, boolean, "on|off", usual, text)


def _lifetime(name: str, usual: str, text: str) -> Option:
    return Option(name, kinds.lifetime, "TIME", usual, f"{text} {kinds.LIFETIME}")


# Those of BRANDING are columns of the table `branding`, the others of `projects`.
BRANDING = (
    Option("reply_to", values.own_address, "ADDRESS", "", "Where answers to letters go; empty: to the sender."),
    Option(
        "support_address", values.own_address, "ADDRESS", "",
        "Address for questions, shown in the footer of letters and on pages; empty for none.",
    ),
    Option("app_url", values.page, "URL", "", "The app's page, for \"back to the app\"; empty for none."),
    Option(
        "accent_color", values.accent_color, "#RRGGBB", "",
        f"Colour of buttons; their label is black or white, whichever is read better. Empty for {DEFAULT_ACCENT}.",
    ),
    Option(
        "footer_text", values.footer_text, "TEXT", "",
        "One line below each letter, such as the company's name and address; empty for none.",
    ),
    Option(
        "logo", logo_files.read, "FILE", "",
        "Image in place of the project's name, sent with each letter: a PNG of at most 2000 by 2000 pixels or an SVG, "
        "at most 64 KB. Gmail and Outlook don't show SVG, so take a PNG. --no-logo removes it.",
    ),
)  # fmt: skip
GROUPS: dict[str, tuple[Option, ...]] = {
    "Name and sender": (
        Option("name", kinds.name, "NAME", "the id", "Name of the app, in letters and on pages."),
        Option("sender_name", kinds.name_or_none, "NAME", "", 'Name that letters come from; empty for "NAME Team".'),
        Option(
            "sender_address", values.own_address, "ADDRESS", "",
            "Address that letters come from; empty for MAIL_FROM.",
        ),
        Option(
            "smtp_url", values.smtp_url, "URL", "",
            "SMTP server of the project's own, smtp://user@host:587 or smtps://user@host:465. The password is read "
            "from standard input, kept encrypted, and never shown again. --no-smtp sends by SMTP_URL again.",
        ),
        Option("locale", kinds.locale, "LANGUAGE", "en", "Language of letters and pages for users who ask for none."),
    ),
    "Letters and pages": BRANDING,
    "Links": (
        Option(
            "verification_url", values.page, "URL", "",
            "Page that links of verification letters lead to; empty for a page of the service.",
        ),
        _switch("plain_http", "Let links lead to http:// pages of other machines. Only for private networks."),
    ),
    "Lifetimes": (
        _lifetime("session_seconds", "365d", "How long a session lives."),
        _lifetime("recovery_seconds", "1h", "How long a recovery link works."),
        _lifetime("verification_seconds", "7d", "How long a verification link works."),
        _lifetime("magic_url_seconds", "1h", "How long a magic URL works."),
        _lifetime("otp_seconds", "10m", "How long a code works."),
    ),
    "Passwords": (
        Option(
            "password_min", kinds.whole(0, 64), "N", "0",
            "Characters that a new password has at least, 0 to 64; 0 for the API's own rule.",
        ),
        Option("password_max", kinds.whole(32, 256), "N", "256", "Characters that it has at most, 32 to 256."),
        Option(
            "password_history", kinds.whole(0, 32), "N", "0",
            "How many earlier passwords a new one must not repeat, 0 to 32.",
        ),
        _switch("password_blocklist", "Refuse common passwords.", usual="on"),
        _switch("password_personal_data", "Refuse passwords made of the user's own name or address.", usual="on"),
    ),
    "Sign-up and sign-in": (
        Option(
            "session_limit", kinds.whole(1, 1000), "N", "100",
            "Sessions that a user has at most, 1 to 1000; a sign-in beyond that ends the oldest.",
        ),
        Option(
            "sign_up", values.sign_up, "open|closed|domains|invitation", "open",
            "Who may make an account: everybody, nobody but operators and servers, who has an address at one of "
            "--sign-up-domains, or who was invited (`invitations create`). Users sign in either way.",
        ),
        Option(
            "sign_up_domains", values.domains, "A,B", "",
            "Domains of the addresses that may sign up, such as example.com, without subdomains; empty for none.",
        ),
        Option(
            "test_domains", values.domains, "A,B", "",
            "Own domains at which `test-accounts` may give addresses a fixed code, without subdomains; empty for none.",
        ),
        _switch(
            "one_per_mailbox",
            "Take one account for each mailbox: dots and +tags of Gmail, and +tags of other big providers, make no "
            "second one.",
        ),
        Option(
            "magic_links", values.magic_links, "link|first-tab", "link",
            "Where a magic link signs in: where it is opened, or in the browser that asked for it, once its reader has "
            "entered the number that the app shows there. Only when all processes run a release that knows it.",
        ),
        _switch("verified_sign_in", "A password opens accounts with a verified address only; others get a link."),
        Option(
            "unverified_days", kinds.whole(0, kinds.DAYS), "N", "0",
            "Days after which an account ends whose address is not verified; 0 for never. Never one with a proved "
            "number, a passkey or an identity of a provider.",
        ),
        Option(
            "anonymous_days", kinds.whole(0, kinds.DAYS), "N", "0",
            "Days after which an anonymous account ends whose session was not renewed meanwhile; 0 for never.",
        ),
        Option(
            "end_warning_days", kinds.whole(0, 365), "N", "0",
            "Days before its end by which the user of an unverified account gets a letter; 0 for no letter.",
        ),
        _switch("end_made_accounts", "Let such accounts end too that an operator, a server or an import has made."),
        _switch("private_signup", "Sign-up does not tell whether an address has an account."),
        _switch("notify_new_device", "Tell users by mail of a sign-in from a new device."),
        Option(
            "mfa_factors", values.mfa_factors, "A,B", "totp,email,phone",
            "Second factors that users may have, of totp, email, phone and custom; none for none. Recovery codes can't "
            "be switched off. For custom the app's server delivers the code.",
        ),
        Option(
            "provider_mfa", values.provider_mfa, "ask|trust", "ask",
            "Whether an account's second factor is asked for after a sign-in by another provider, or the provider is "
            "trusted to have asked for one.",
        ),
        _switch(
            "provider_tokens",
            "Keep a provider's tokens, and show them to whoever holds the session: for apps that call its API.",
        ),
        Option(
            "sms_countries", values.sms_countries, "+A,+B", "",
            "Beginnings of the numbers that SMS may go to, such as +49,+43; none for no SMS. A narrow list is the best "
            "defence against toll fraud.",
        ),
        Option(
            "mock_phones", values.mock_phones, "NUMBER=CODE,...", "",
            "Up to ten numbers for tests, each with its code of six digits. No SMS goes to them. Who knows a code has "
            "the account. none for none.",
        ),
        Option(
            "rp_id", values.rp_id, "HOST", "",
            "Host that passkeys are made for: the app's domain, such as example.com, or localhost. It can't be changed "
            "while there are passkeys, for they work for that host alone. Empty for none.",
        ),
        _switch("passkeys", "Users may make passkeys, and sign in with them. Needs --rp-id."),
        Option(
            "redirect_schemes", values.redirect_schemes, "A,B", "",
            "Schemes of native apps that a sign-in by a provider may lead back to, such as com.example.shop; empty for "
            "none. That of the SDKs, appwrite-callback-PROJECT, is always allowed.",
        ),
        _switch("special_use_domains", "Take addresses at .local, .internal, .test and names without a dot."),
    ),
    "API": (
        _switch(
            "partitioned_cookies",
            "Mark the session's cookie as Partitioned (CHIPS): browsers that keep no cookies of other sites keep this "
            "one, for each site that the API is used from.",
        ),
        _switch("modern_by_default", "Answer clients that name no response format as today's."),
        _switch("limits_dry_run", "Count calls for rate limits, but refuse none. Only for trials."),
        _switch("reveal_unknown_users", "Tell who has an account. Only for conformance runs."),
    ),
}  # fmt: skip
_REMOVALS = {"--no-logo": "logo", "--no-smtp": "smtp_url"}
OPTIONS = tuple(option for group in GROUPS.values() for option in group)


def add(parser: argparse.ArgumentParser) -> None:
    """Add all options; one that isn't given leaves no attribute."""
    # With all of them a refused value would stand below thirty lines.
    parser.usage = "%(prog)s [-h] [--json] [--SETTING VALUE ...] id"
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            text = option.text.replace("%", "%%")
            group.add_argument(
                option.flag, type=option.parse, default=argparse.SUPPRESS, metavar=option.values, help=text
            )
        for flag, name in _REMOVALS.items():
            if any(option.name == name for option in options):
                text = f"Remove what --{name.replace('_', '-')} has set."
                group.add_argument(
                    flag, dest=name, action="store_const", const=None, default=argparse.SUPPRESS, help=text
                )


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that are to change."""
    names = {option.name for option in OPTIONS}
    return {name: value for name, value in vars(arguments).items() if name in names}
