"""Passkeys of a project: whether they are switched on, for which host, and what a browser is asked for."""

from collections.abc import Sequence
from typing import Any

from service.crypto import passkey_ceremonies
from service.crypto.passkey_ceremonies import Expected
from service.errors import MethodDisabled, PasskeyNotFound, TokenInvalid
from service.http.context import RequestContext
from service.links import relying_party
from service.links.relying_party import RelyingParty
from service.store import passkeys, token_revocations
from service.store.passkey_challenges import SECONDS, PasskeyChallenge
from service.store.passkeys import Passkey
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

# Of one user.
MOST = 10
_TIMEOUT = SECONDS * 1000


def require(ctx: RequestContext) -> RelyingParty:
    """Return what a ceremony that begins now is for. Raises MethodDisabled."""
    party = _find(ctx, origin=ctx.client.origin) if ctx.project.passkeys else None
    if party is None:
        raise MethodDisabled
    return party


def expected(ctx: RequestContext, begun: PasskeyChallenge | None) -> Expected:
    """Return what an answer has to be about.

    Raises TokenInvalid without a challenge, and if host or origins were changed since. One that was begun before
    passkeys were switched off may end.
    """
    origin = f"http://{relying_party.LOCALHOST}" if begun and begun.rp_id == relying_party.LOCALHOST else ""
    party = _find(ctx, origin=origin)
    if begun is None or party is None or party.id != begun.rp_id or party.digest != begun.origins:
        raise TokenInvalid
    return Expected(begun.challenge, party.id, party.allows)


def _find(ctx: RequestContext, *, origin: str) -> RelyingParty | None:
    return relying_party.find(ctx.project.rp_id, ctx.project.hostnames, ctx.project.apps, origin=origin)


def registration_options(
    ctx: RequestContext, user: User, begun: PasskeyChallenge, *, handle: bytes, known: Sequence[Passkey]
) -> dict[str, Any]:
    """Make the options of `navigator.credentials.create()`; authenticators that have one of `known` are left out."""
    encode = passkey_ceremonies.encode
    return {
        "rp": {"name": ctx.project.name, "id": begun.rp_id},
        "user": {"id": encode(handle), "name": user.label, "displayName": begun.name or user.name},
        "challenge": encode(begun.challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in passkey_ceremonies.ALGORITHMS],
        "timeout": _TIMEOUT,
        "excludeCredentials": [
            {"id": encode(each.credential_id), "type": "public-key", "transports": each.transports} for each in known
        ],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def sign_in_options(begun: PasskeyChallenge) -> dict[str, Any]:
    """Make the options of `navigator.credentials.get()`. They name no credential, so they tell of no user."""
    return {
        "challenge": passkey_ceremonies.encode(begun.challenge),
        "timeout": _TIMEOUT,
        "rpId": begun.rp_id,
        "allowCredentials": [],
        "userVerification": "required",
    }


async def remove(tx: UnitOfWork, user: User, passkey_id: str) -> None:
    """Remove a passkey, and what it has signed for. Raises PasskeyNotFound. Lock the user first."""
    if not await passkeys.remove(tx, user, passkey_id=passkey_id):
        raise PasskeyNotFound
    await token_revocations.revoke_of_passkeys(tx, user)
