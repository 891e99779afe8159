"""Return path of a mail: an address of its own, so that a bounce tells which mail it is about (VERP).

`bounces+MAIL.TAG@bounces.example.com`. The tag is keyed: who has not seen the mail can't make one, so that a forged
bounce suppresses nobody.
"""

import base64
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing

# 80 bits, 16 characters of base32.
_TAG = 10


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """The return paths of all mails; `address` is BOUNCE_ADDRESS."""

    address: str
    ring: KeyRing = field(repr=False)

    def of(self, mail_id: UUID) -> str:
        local, _, domain = self.address.rpartition("@")
        return f"{local}+{mail_id.hex}.{_tag(self.ring[key_derivation.current(self.ring)], mail_id)}@{domain}"

    def mail_of(self, address: str) -> UUID | None:
        """Return the mail whose return path this is; None for any other address, and for a wrong tag."""
        return next(self.find(address.encode("ascii", "replace")), None)

    def is_ours(self, address: str) -> bool:
        """Tell a return path, or the address that all are made from, which complaints come to."""
        return address.lower() == self.address.lower() or self.mail_of(address) is not None

    def find(self, raw: bytes) -> Iterator[UUID]:
        """Yield the mails whose return paths stand in there, in order; case is no matter, for relays change it."""
        local, _, domain = self.address.lower().encode().rpartition(b"@")
        path = re.compile(
            rb"(?<![a-z0-9.+-])" + re.escape(local) + rb"\+([0-9a-f]{32})\.([a-z2-7]{16})@" + re.escape(domain)
            + rb"(?![a-z0-9.-])"
        )  # fmt: skip
        for found in path.finditer(raw.lower()):
            mail_id = UUID(hex=found[1].decode())
            if any(hmac.compare_digest(_tag(key, mail_id).encode(), found[2]) for key in self.ring.values()):
                yield mail_id


def _tag(key: bytes, mail_id: UUID) -> str:
    return base64.b32encode(key_derivation.derive(key, "bounce", mail_id.hex)[:_TAG]).decode().lower()
