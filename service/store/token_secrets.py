"""Secrets of tokens: derived whenever they are needed, and compared in constant time.

A link's secret names its token (service/crypto/link_secrets.py). So a guess attacks one token, five wrong ones kill
that token alone, and a client can't use up a link that another one asked for. A code names none.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from service.crypto import code_secrets, key_derivation, link_secrets
from service.crypto.key_derivation import KeyRing
from service.crypto.link_secrets import Form
from service.crypto.secret import Secret
from service.store.tokens import CODES, CUSTOM_AT_ONCE, OF_PHONES, Kind, Token

_UNOWNED_CODES = frozenset({Kind.OTP, Kind.PHONE_LOGIN})
# A code is compared with so many tokens (the statement says why).
CANDIDATES = 3


def with_public_id(ring: KeyRing, token: Token) -> Token:
    """Return the token under another id, for an anonymous caller: no guess can be aimed at the row behind it.

    Otherwise the time that a guess takes would tell whether that row is still there, and so whether it was used.
    """
    return replace(token, id=public_id(ring[token.kid], token.id))


def public_id(key: bytes, token_id: str) -> str:
    """Derive 20 hex characters; the key's holder can still tell which row an answer was about."""
    return key_derivation.derive(key, "shown", token_id).hex()[: link_secrets.ID]


def secret_of(ring: KeyRing, token: Token, *, form: Form = "long") -> str:
    """Derive a link's secret, or the six digits of a code; the same for API and worker and for every retry.

    KeyError if the key has been retired.
    """
    if token.kind in CODES:
        return code_of(ring, token).reveal()
    return link_secrets.make(form, ring[token.kid], token.id, *_bound(token))


def custom_secret(ring: KeyRing, token: Token, *, length: int) -> str:
    """Derive the characters of a custom token. KeyError if the key has been retired."""
    return code_secrets.characters(ring[token.kid], length, "custom", str(length), *_bound(token))


def code_of(ring: KeyRing, token: Token) -> Secret:
    """Derive the six digits of a code; another kind, user or address has others. KeyError if the key is retired."""
    bound = (token.project_id, token.id, token.email) if token.kind in _UNOWNED_CODES else _bound(token)
    return Secret(code_secrets.digits(ring[token.kid], token.kind, *bound))


def _bound(token: Token) -> tuple[str, ...]:
    """List what a secret depends on: a token changed by hand has another."""
    owner = (token.user_id or "", token.email, str(token.email_version))
    return (token.kind, token.project_id, token.id, *owner)


def target_id(secret: str) -> str:
    """Return the row at which a guess at a link is aimed, present or not; empty for a code, which names none."""
    if len(secret) <= code_secrets.DIGITS:
        return ""
    return link_secrets.token_id(secret) or secret[: link_secrets.ID]


def match_link(token: Token | None, *, user_id: str | None, secret: str, ring: KeyRing) -> Token | None:
    """Return the token if the secret is its own."""
    form, id_ = link_secrets.form_of(secret), link_secrets.token_id(secret)
    if form is None or id_ is None:
        return None
    known = token is not None and token.kid in ring and _is_owner(token, user_id)
    # The same work for a missing token: the time does not tell which part was wrong.
    kid, bound = (token.kid, _bound(token)) if known and token else (key_derivation.current(ring), ())
    expected = link_secrets.make(form, ring[kid], id_, *bound)
    return token if hmac.compare_digest(expected.encode(), secret.encode()) and known else None


def _is_owner(token: Token, user_id: str | None) -> bool:
    owners = {token.user_id, token.requested_user_id} - {None}
    return bool(owners) if user_id is None else user_id in owners


def match_code(
    candidates: Sequence[Token],
    project_id: str,
    *,
    kind: Kind,
    requested_user_id: str,
    code: str,
    ring: KeyRing,
    fixed: Mapping[str, str] = MappingProxyType({}),
) -> Token | None:
    """Return the token that has this code. Numbers for tests have `fixed` codes, which are in no SMS."""
    found = None
    for token in candidates:
        if token.kid not in ring:
            continue
        known = fixed.get(token.email) if token.kind in OF_PHONES else None
        if hmac.compare_digest((known or _code_of(ring, token, len(code))).encode(), code.encode()):
            found = token
    for _ in range(most_candidates(kind) - len(candidates)):  # the same work for codes that are not there
        key_derivation.derive(ring[key_derivation.current(ring)], kind, project_id, requested_user_id, code)
    return found


def most_candidates(kind: Kind) -> int:
    """Return with how many tokens a code is compared."""
    return CUSTOM_AT_ONCE if kind is Kind.CUSTOM else CANDIDATES


def _code_of(ring: KeyRing, token: Token, length: int) -> str:
    return custom_secret(ring, token, length=length) if token.kind == Kind.CUSTOM else secret_of(ring, token)
