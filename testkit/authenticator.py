"""A software authenticator: makes passkeys and signs with them, as a phone does, and lies where a test tells it to."""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

_UP, _UV, _BE, _BS, _AT = 0x01, 0x04, 0x08, 0x10, 0x40


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Authenticator:
    """An ES256 key with the switches of the tests; `replace` makes a liar of an honest one.

    `client` are members of the client data in the place of the right ones, None for one that is left out.
    """

    origin: str = "https://shop.example"
    rp_id: str = "shop.example"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: bytes | None = None
    present: bool = True
    verifies: bool = True
    backup_eligible: bool = False
    backed_up: bool = False
    counter: int = 0
    fmt: str = "none"
    statement: dict[str, Any] = field(default_factory=dict)
    trailing: bytes = b""
    client: dict[str, Any] = field(default_factory=dict)

    def create(self, options: dict[str, Any]) -> "tuple[dict[str, Any], Authenticator]":
        """Return what `navigator.credentials.create()` would, and the authenticator that holds the passkey now."""
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cbor2.dumps(cose)
        made = {"fmt": self.fmt, "attStmt": self.statement, "authData": self._data(_AT) + attested}
        response = {
            "clientDataJSON": encode(self._client_data("webauthn.create", options["challenge"])),
            "attestationObject": encode(cbor2.dumps(made) + self.trailing),
            "transports": ["internal", "hybrid"],
        }
        holder = self if self.handle else replace(self, handle=decode(options["user"]["id"]))
        return self._credential(response), holder

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what `navigator.credentials.get()` would."""
        data, client = self._data(), self._client_data("webauthn.get", options["challenge"])
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": encode(client),
            "authenticatorData": encode(data),
            "signature": encode(signature),
            "userHandle": encode(self.handle) if self.handle else None,
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        id_ = encode(self.credential_id)
        rest = {"type": "public-key", "authenticatorAttachment": None, "clientExtensionResults": {}}
        return {"id": id_, "rawId": id_, "response": response, **rest}

    def _data(self, flags: int = 0) -> bytes:
        for said, flag in (
            (self.present, _UP), (self.verifies, _UV), (self.backup_eligible, _BE), (self.backed_up, _BS)
        ):  # fmt: skip
            flags |= flag if said else 0
        return sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False} | self.client
        return json.dumps({name: value for name, value in told.items() if value is not None}).encode()
