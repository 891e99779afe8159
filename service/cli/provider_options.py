"""Settings of a provider, each with its option and the providers that have it."""

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from service.cli import arguments as kinds
from service.cli.commands import UsageError, boolean
from service.identity_providers import addresses, profiles
from service.identity_providers.profiles import Profile
from service.identity_providers.provider import Provider

# Providers that have a setting: all; those with ID tokens; those that anybody can run; those, GitLab and GitHub, which
# may be a company's own; or one alone.
_For = Literal["all", "oidc", "own", "hosted", "apple", "microsoft"]
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_TENANT = re.compile(r"common|organizations|consumers|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PROMPT = re.compile(r"(none|login|consent|select_account)( (login|consent|select_account))*")
_MOST, _LONGEST = 50, 255
_YEAR = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Option:
    """An option of `providers set`. `name` is the setting's, `values` what may be typed."""

    name: str
    parse: Callable[[str], Any]
    values: str
    of: _For
    text: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def _word(text: str) -> str:
    """Parse one word; empty takes it back."""
    if len(text) > _LONGEST or not text.isprintable() or text != text.strip():
        raise argparse.ArgumentTypeError(f"at most {_LONGEST} characters on one line")
    return text


def _words(text: str) -> list[str]:
    """Parse comma-separated words, each once; empty takes them back."""
    found = list(dict.fromkeys(_word(word.strip()) for word in text.split(",") if word.strip()))
    if len(found) > _MOST or any(" " in word for word in found):
        raise argparse.ArgumentTypeError(f"at most {_MOST}, comma-separated")
    return found


def _matching(pattern: re.Pattern[str], example: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text and not pattern.fullmatch(text):
            raise argparse.ArgumentTypeError(example)
        return text

    return read


def _max_age(text: str) -> int | None:
    return None if text == "none" else kinds.whole(0, _YEAR)(text)


OPTIONS = (
    Option("client_id", _word, "ID", "all", "The client id that the provider gave. At Apple the Services ID."),
    Option(
        "native", boolean, "on|off", "oidc",
        "Take ID tokens that an app got by itself (POST /account/sessions/id-token). Needs no secret, and no `enable`.",
    ),
    Option(
        "native_client_ids", _words, "A,B", "oidc",
        "Client ids of those apps, besides --client-id: such as Google's for Android and iOS, or Apple's bundle id.",
    ),
    Option(
        "trust_email", boolean, "on|off", "own",
        "Believe its `email_verified`: then it signs in whoever it says owns an address. Off for a provider that lets "
        "users write any address.",
    ),
    Option("issuer", _word, "URL", "hosted", "The issuer, to the letter: with or without the last slash."),
    Option("discovery_url", _word, "URL", "own", "Discovery document, if it isn't below the issuer."),
    Option("authorization_endpoint", _word, "URL", "hosted", "For a provider without discovery, with the next two."),
    Option("token_endpoint", _word, "URL", "hosted", "As above."),
    Option("jwks_uri", _word, "URL", "own", "As above: its signing keys."),
    Option("userinfo_endpoint", _word, "URL", "hosted", "As above; not needed if its ID tokens have the address."),
    Option(
        "tenant", _matching(_TENANT, "a tenant's id, common, organizations or consumers"), "ID", "microsoft",
        "Who may sign in: users of one tenant by its id, common for all (the default), organizations or consumers.",
    ),
    Option("team_id", _matching(_ID, "letters and digits"), "ID", "apple", "Apple's team id."),
    Option("key_id", _matching(_ID, "letters and digits"), "ID", "apple", "Id of the private key."),
    Option("scopes", _words, "A,B", "all", "Scopes to ask for besides the usual ones."),
    Option(
        "prompt", _matching(_PROMPT, "of none, login, consent and select_account"), "WORDS", "oidc",
        "What the provider is to ask the user.",
    ),
    Option("max_age", _max_age, "SECONDS", "oidc", "How long ago the user may have signed in there; none for ever."),
)  # fmt: skip


def add(parser: argparse.ArgumentParser) -> None:
    """Add all options; one that isn't given leaves no attribute."""
    parser.usage = "%(prog)s [-h] [--json] [--client-secret] [--SETTING VALUE ...] project provider"
    for option in OPTIONS:
        parser.add_argument(
            option.flag, type=option.parse, default=argparse.SUPPRESS, metavar=option.values, help=option.text
        )


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that are to change."""
    names = {option.name for option in OPTIONS}
    return {name: value for name, value in vars(arguments).items() if name in names}


def name(text: str) -> str:
    """Parse a provider's name."""
    if profiles.find(text) is None:
        known = ", ".join(sorted(profiles.PROFILES))
        raise argparse.ArgumentTypeError(f"one of {known}, or oidc-NAME for another provider of OpenID Connect")
    return text


def check_fit(profile: Profile, changes: dict[str, Any]) -> None:
    """Refuse settings that a provider doesn't have. Raises UsageError."""
    for option in OPTIONS:
        if changes.get(option.name) and not applies_to(profile, option.of):
            raise UsageError(f"{option.flag} is not for {profile.title}")


def applies_to(profile: Profile, of: _For) -> bool:
    """Tell whether a provider has the settings of this kind."""
    match of:
        case "all":
            return True
        case "oidc":
            return profile.engine == "oidc"
        case "own":
            return profile.email_proof == "trusted"
        case "hosted":
            return profile.email_proof == "trusted" or profile.key in ("gitlab", "github")
        case _:
            return profile.key == of


def check_together(provider: Provider) -> None:
    """Check settings that depend on each other. Raises UsageError."""
    own, plain_http = provider.endpoints, provider.plain_http
    urls = {
        "--discovery-url": own.discovery, "--authorization-endpoint": own.authorization, "--jwks-uri": own.jwks,
        "--token-endpoint": own.token, "--userinfo-endpoint": own.userinfo,
    }  # fmt: skip
    by_hand = [own.authorization, own.token] + ([own.jwks] if provider.profile.engine == "oidc" else [])
    if any(by_hand) and not all(by_hand):
        raise UsageError("--authorization-endpoint, --token-endpoint and --jwks-uri go together")
    if not own.discovery and not all(by_hand):
        urls["--issuer"] = provider.issuer
    for flag, url in urls.items():
        if url and (fault := addresses.fault(url, plain_http=plain_http)):
            raise UsageError(f"{flag}: {fault}; http is only for this machine, in a project with --plain-http on")


def missing(provider: Provider) -> list[str]:
    """List what a provider still needs before users can be sent to it."""
    needed = {
        "--client-id": bool(provider.client_id),
        "--client-secret": provider.client_secret is not None,
        "--issuer": bool(provider.issuer or provider.profile.issuer),
    }
    if provider.name == "apple":
        needed |= {"--team-id": bool(provider.team_id), "--key-id": bool(provider.key_id)}
    return [flag for flag, there in needed.items() if not there]
