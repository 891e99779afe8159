"""Sign the mails of projects that have DKIM keys."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from service.crypto import dkim_keys as key_pairs
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal
from service.db import Executor
from service.store import dkim_keys
from service.store.dkim_keys import DkimKey
from service.store.outbox_claims import Claim
from worker.mail import dkim
from worker.mail.dkim import SigningKey
from worker.unsent import CannotSendYet

# Projects whose keys a worker keeps open.
_PROJECTS = 1024


def open_key(ring: KeyRing, key: DkimKey) -> SigningKey:
    """Open a project's key for use. Raises CannotUnseal."""
    private = dkim_keys.private_key(ring, key)
    return SigningKey(key.domain, key.selector, key.algorithm, key_pairs.signer(private))


@dataclass(frozen=True, slots=True)
class _Unsigned:
    message: bytes = field(repr=False)
    keys: Sequence[SigningKey]
    at: datetime
    signed: "asyncio.Future[bytes]" = field(repr=False)

    def sign(self) -> bytes | Exception:
        try:
            return dkim.signed(self.message, self.keys, at=self.at)
        except Exception as error:  # noqa: BLE001 - of this mail, not of its batch
            return error


class _SigningThread:
    """Signatures in a thread, all that have come while it was busy as one batch.

    The GIL is free while RSA signs, so another core can do it. A call of the executor for each mail would cost as much
    again as the signature.
    """

    def __init__(self) -> None:
        self._waiting: list[_Unsigned] = []
        self._batches: asyncio.Task[None] | None = None

    async def signed(self, message: bytes, keys: Sequence[SigningKey], at: datetime) -> bytes:
        mail = _Unsigned(message, keys, at, asyncio.get_running_loop().create_future())
        self._waiting.append(mail)
        if self._batches is None:
            self._batches = asyncio.create_task(self._sign_all())
        return await mail.signed

    async def _sign_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                results = await asyncio.to_thread(_sign, batch)
                for mail, result in zip(batch, results, strict=True):
                    _settle(mail.signed, result)
        finally:
            self._batches = None


def _sign(batch: Sequence[_Unsigned]) -> list[bytes | Exception]:
    return [mail.sign() for mail in batch]


def _settle(future: "asyncio.Future[bytes]", result: bytes | Exception) -> None:
    """Hand a result over, unless nobody waits for it any more."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


class MailSigner:
    """Signer with the keys of the projects whose mails were sent last, read anew when a claim names others."""

    def __init__(self, conn: Executor, ring: KeyRing) -> None:
        self._conn, self._ring = conn, ring
        self._thread = _SigningThread()
        self._seen: dict[str, tuple[str, list[SigningKey]]] = {}
        # All mails of a batch need the keys at once; one of them reads.
        self._reading = asyncio.Lock()

    async def signed(self, claim: Claim, message: bytes) -> bytes:
        """Sign a claim's message. Costs nothing where the project has no active key.

        Raises CannotSendYet for a key that can't be opened: without its signature receivers may refuse the mail.
        """
        if claim.dkim is None:
            return message
        keys = self._known(claim.project_id, claim.dkim) or await self._read(claim.project_id, claim.dkim)
        if any(key.algorithm == "rsa" for key in keys):
            return await self._thread.signed(message, keys, claim.created_at)
        return dkim.signed(message, keys, at=claim.created_at)

    def _known(self, project_id: str, state: str) -> list[SigningKey]:
        """Return the keys if they are those of this state; none else."""
        known = self._seen.pop(project_id, None)
        if known is None or known[0] != state:
            return []
        self._seen[project_id] = known
        return known[1]

    async def _read(self, project_id: str, state: str) -> list[SigningKey]:
        async with self._reading:
            if keys := self._known(project_id, state):
                return keys
            found = await dkim_keys.list_all(self._conn, project_id)
            keys = [self._open(key) for key in found if key.state == "active"]
            self._seen[project_id] = state, keys
            if len(self._seen) > _PROJECTS:
                del self._seen[next(iter(self._seen))]
            return keys

    def _open(self, key: DkimKey) -> SigningKey:
        try:
            return open_key(self._ring, key)
        except CannotUnseal as fault:
            raise CannotSendYet(f"the DKIM key {key.selector} of its project: {fault}") from None
