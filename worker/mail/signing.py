"""Sign the mails of projects that have DKIM keys."""

import asyncio

from service.crypto import dkim_keys as key_pairs
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal
from service.db import Executor
from service.store import dkim_keys
from service.store.dkim_keys import DkimKey
from service.store.outbox import Claim
from worker.mail import dkim
from worker.mail.dkim import SigningKey
from worker.unsent import CannotSendYet

# Projects whose keys a worker keeps open.
_PROJECTS = 1024


def open_key(ring: KeyRing, key: DkimKey) -> SigningKey:
    """Open a project's key for use. Raises CannotUnseal."""
    private = dkim_keys.private_key(ring, key)
    return SigningKey(key.domain, key.selector, key.algorithm, key_pairs.signer(private))


class MailSigner:
    """Signer with the keys of the projects whose mails were sent last, read anew when a claim names others."""

    def __init__(self, conn: Executor, ring: KeyRing) -> None:
        self._conn, self._ring = conn, ring
        self._seen: dict[str, tuple[str, list[SigningKey]]] = {}

    async def signed(self, claim: Claim, message: bytes) -> bytes:
        """Sign a claim's message. Costs nothing where the project has no active key.

        Raises CannotSendYet for a key that can't be opened: without its signature receivers may refuse the mail.
        """
        if claim.dkim is None:
            return message
        keys = await self._keys(claim.project_id, claim.dkim)
        if any(key.algorithm == "rsa" for key in keys):
            # The GIL is free while RSA signs: another core can do it.
            return await asyncio.to_thread(dkim.signed, message, keys, at=claim.created_at)
        return dkim.signed(message, keys, at=claim.created_at)

    async def _keys(self, project_id: str, state: str) -> list[SigningKey]:
        known = self._seen.pop(project_id, None)
        if known is None or known[0] != state:
            found = await dkim_keys.list_all(self._conn, project_id)
            known = state, [self._open(key) for key in found if key.state == "active"]
        self._seen[project_id] = known
        if len(self._seen) > _PROJECTS:
            del self._seen[next(iter(self._seen))]
        return known[1]

    def _open(self, key: DkimKey) -> SigningKey:
        try:
            return open_key(self._ring, key)
        except CannotUnseal as fault:
            raise CannotSendYet(f"the DKIM key {key.selector} of its project: {fault}") from None
