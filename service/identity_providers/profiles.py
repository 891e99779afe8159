"""Known providers: what each one's protocol, addresses and claims are. What an operator sets is in `provider.py`."""

import re
from dataclasses import dataclass
from typing import Literal

# How a provider says that an e-mail address is proved (docs/sign-in-providers.md):
#   claim     `email_verified` in its ID token
#   trusted   the same, for providers that anybody can run: only if the operator set --trust-email
#   edov      Microsoft's `xms_edov`, since a tenant's administrator writes any address into `email`
#   adapter   by the provider's own API
#   never     it doesn't
EmailProof = Literal["claim", "trusted", "edov", "adapter", "never"]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of a provider; each is empty where discovery tells it. `userinfo` tells an adapter about the user."""

    discovery: str = ""
    authorization: str = ""
    token: str = ""
    userinfo: str = ""
    jwks: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A provider's protocol. `issuer` is empty where the operator sets it; `title` is its name for people."""

    key: str
    title: str
    engine: Literal["oidc", "github", "discord", "facebook"]
    email_proof: EmailProof
    issuer: str = ""
    # Other spellings of the issuer in ID tokens.
    other_issuers: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    extras: tuple[tuple[str, str], ...] = ()
    algorithms: tuple[str, ...] = ("RS256",)
    pkce: bool = True
    nonce: bool = True
    # A token that an app got by itself must have a nonce.
    native_nonce: bool = False
    # Whether it gives ID tokens, and so whether apps may sign in by one that they got by themselves.
    native: bool = True
    # Send the client secret in the form, whatever discovery says.
    posts_secret: bool = False
    # Of adapters, which have no discovery.
    endpoints: Endpoints = Endpoints()


def _adapter(key: Literal["github", "discord", "facebook"], title: str, **facts: object) -> Profile:
    return Profile(key, title, key, native=False, nonce=False, **facts)  # type: ignore[arg-type]  # checked in Profile


def _own(key: str, title: str) -> Profile:
    """Make the profile of a product that an operator, or anybody, runs."""
    return Profile(key, title, "oidc", "trusted", algorithms=("RS256", "ES256"))


MICROSOFT = "https://login.microsoftonline.com/{tenant}/v2.0"
_OIDC = _own("oidc", "OpenID Connect")
PROFILES: dict[str, Profile] = {
    profile.key: profile
    for profile in (
        Profile(
            "google", "Google", "oidc", "claim",
            issuer="https://accounts.google.com",
            other_issuers=("accounts.google.com",),
            # Without them there is no refresh token.
            extras=(("access_type", "offline"), ("prompt", "consent")),
        ),
        Profile(
            "apple", "Apple", "oidc", "claim",
            issuer="https://appleid.apple.com",
            scopes=("name", "email"),
            # Apple asks for it as soon as a scope is asked for.
            extras=(("response_mode", "form_post"),),
            native_nonce=True,
            posts_secret=True,
        ),
        Profile("microsoft", "Microsoft", "oidc", "edov", issuer=MICROSOFT),
        Profile("gitlab", "GitLab", "oidc", "claim", issuer="https://gitlab.com"),
        # It refuses a code_verifier from apps that it has not enabled for it, and leaves the nonce out.
        Profile(
            "linkedin", "LinkedIn", "oidc", "claim", issuer="https://www.linkedin.com/oauth", pkce=False, nonce=False,
            posts_secret=True,
        ),
        Profile("slack", "Slack", "oidc", "never", issuer="https://slack.com"),
        _own("keycloak", "Keycloak"),
        _own("okta", "Okta"),
        _own("auth0", "Auth0"),
        _own("authentik", "authentik"),
        _own("fusionauth", "FusionAuth"),
        _OIDC,
        _adapter(
            "github", "GitHub", email_proof="adapter", issuer="https://github.com",
            scopes=("user:email",),
            endpoints=Endpoints(
                authorization="https://github.com/login/oauth/authorize",
                token="https://github.com/login/oauth/access_token",  # noqa: S106 - an address
                userinfo="https://api.github.com/user",
            ),
        ),
        _adapter(
            "discord", "Discord", email_proof="adapter", issuer="https://discord.com",
            scopes=("identify", "email"),
            endpoints=Endpoints(
                authorization="https://discord.com/oauth2/authorize",
                token="https://discord.com/api/oauth2/token",  # noqa: S106 - an address
                userinfo="https://discord.com/api/users/@me",
            ),
        ),
        _adapter(
            "facebook", "Facebook", email_proof="never", issuer="https://www.facebook.com",
            scopes=("public_profile", "email"),
            endpoints=Endpoints(
                authorization="https://www.facebook.com/dialog/oauth",
                token="https://graph.facebook.com/oauth/access_token",  # noqa: S106 - an address
                userinfo="https://graph.facebook.com/me",
            ),
        ),
    )
}  # fmt: skip
# Other names that the SDKs know.
UNSUPPORTED = frozenset((
    "amazon", "appwrite", "autodesk", "bitbucket", "bitly", "box", "cloudflare", "dailymotion", "disqus", "dropbox",
    "etsy", "figma", "huggingface", "kakao", "kick", "notion", "paypal", "paypalSandbox", "podio", "resend",
    "salesforce", "spotify", "stripe", "tiktok", "tradeshift", "tradeshiftBox", "twitch", "wordpress", "x", "yahoo",
    "yammer", "yandex", "zoho", "zoom",
))  # fmt: skip
_OWN_NAME = re.compile(r"oidc-[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?")


def find(name: str) -> Profile | None:
    """Return a provider's profile by its name; `oidc-<name>` is another provider of an operator's choice."""
    return _OIDC if _OWN_NAME.fullmatch(name) else PROFILES.get(name)


def is_known(name: str) -> bool:
    """Tell whether SDKs or operators may name it; those without a profile are not supported."""
    return name in UNSUPPORTED or find(name) is not None
