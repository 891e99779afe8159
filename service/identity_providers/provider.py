"""A provider as an operator set it up, and what it answers about a user."""

from dataclasses import dataclass, field

from service.crypto.secret import Secret
from service.identity_providers import profiles
from service.identity_providers.profiles import Endpoints, Profile


@dataclass(frozen=True, slots=True)
class Provider:
    """A project's provider. `client_secret` is None if there is none or it can't be opened; Apple's is a private key.

    `plain_http` allows http to this machine.
    """

    project_id: str
    name: str
    enabled: bool
    client_id: str
    client_secret: Secret | None
    native: bool
    native_client_ids: tuple[str, ...] = ()
    trust_email: bool = False
    issuer: str = ""
    endpoints: Endpoints = field(default_factory=Endpoints)
    tenant: str = ""
    team_id: str = ""
    key_id: str = ""
    scopes: tuple[str, ...] = ()
    prompt: str = ""
    max_age: int | None = None
    plain_http: bool = False

    @property
    def profile(self) -> Profile:
        found = profiles.find(self.name)
        if found is None:
            raise LookupError(self.name)
        return found

    @property
    def title(self) -> str:
        """Name for people: the profile's, or an own provider's after `oidc-`."""
        return self.name.removeprefix("oidc-") if self.name.startswith("oidc-") else self.profile.title

    @property
    def usable(self) -> bool:
        """Say whether users may be sent to it."""
        return self.enabled and bool(self.client_id) and self.client_secret is not None

    @property
    def audiences(self) -> tuple[str, ...]:
        """Client ids that ID tokens may be for, when an app got them by itself."""
        return tuple(name for name in (self.client_id, *self.native_client_ids) if name)


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """Answer of a token endpoint. `expires_in` is in seconds, None if the provider doesn't say."""

    access_token: Secret
    refresh_token: Secret | None = None
    expires_in: int | None = None
    id_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """A user as a provider knows it: `issuer` and `subject` are the key, and nothing else is.

    `email` is "" if the provider tells none. `email_verified` says that the provider has proved it; `authoritative`
    that it may also lead to an account that has the address already. `amr` lists how the user signed in (RFC 8176).
    """

    provider: str
    issuer: str
    subject: str
    email: str = ""
    email_verified: bool = False
    authoritative: bool = False
    name: str = ""
    amr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NativeProof:
    """Proof by an ID token of an app's own sign-in; it is used up under `digest` until `expires_at` (since 1970)."""

    identity: ProviderIdentity
    digest: bytes
    expires_at: int
