"""Resolve the token that a letter carries, with its user where the API did not look it up.

A request by address answers the same whether there is an account or not, so only the worker looks for it.
"""

from dataclasses import dataclass

from service.db import Executor, Pool
from service.queue import RECORD_LOG, JobQueue
from service.store import events, outbox_claims, tokens, user_emails, users
from service.store.outbox_claims import Claim
from service.store.tokens import Kind, Token
from service.store.unit_of_work import unit_of_work
from service.store.users import User
from worker.mail import compose
from worker.unsent import NothingToSend


@dataclass(frozen=True, slots=True)
class TokenResolver:
    pool: Pool
    job_queue: JobQueue

    async def resolve(self, claim: Claim) -> Token:
        """Return the live token of a claim's letter, its user known if it needs one. Raises NothingToSend."""
        token = compose.token_of(claim)
        if token is None:
            # The link may have died before its event had a user.
            async with unit_of_work(self.pool, self.job_queue, claim.project_id) as tx:
                await events.assign_user(tx, claim.project_id, token_id=claim.token_id or "", user_id=claim.user_id)
            raise NothingToSend("cancelled", "its link was used or made void")
        if token.kind in tokens.BY_ADDRESS or compose.is_sign_up(token):
            if claim.user_status == "blocked":
                # The row stays: its deletion would show in the time of an answer to a guessed code.
                raise NothingToSend("void", "the account of this address is blocked")
            if claim.user_id is None and not await self._may_sign_up(claim):
                raise NothingToSend("void", "no account has this address, and none may be made for it")
            return token
        if token.kind in (Kind.ACCOUNT_UNDO, Kind.EMAIL_UNDO):
            return token  # valid for the user's former address, whatever has happened since
        if token.user_id is None:
            return await self._assign_user(claim, token)
        fresh = claim.user_id == token.user_id and claim.email_version == token.email_version
        if not fresh or claim.user_status == "blocked":
            raise NothingToSend("cancelled", "the address or the account has changed")
        return token

    async def _may_sign_up(self, claim: Claim) -> bool:
        """Tell whether the recipient may make an account by proving the address."""
        if not claim.may_sign_up or not claim.one_per_mailbox:
            return claim.may_sign_up
        return not await user_emails.has_mailbox_holder(self.pool, claim.project_id, email=claim.recipient)

    async def _assign_user(self, claim: Claim, token: Token) -> Token:
        """Assign a link that was requested by address to the address's user. Raises NothingToSend if there is none."""
        assigned = await outbox_claims.assign_recipient(self.pool, claim, token)
        if assigned is None:
            return await self._assign_or_delete(claim, token)
        if assigned.events:
            self.job_queue.enqueue(RECORD_LOG, *assigned.events)
        return assigned

    async def _assign_or_delete(self, claim: Claim, token: Token) -> Token:
        """Assign a link where no user was found at first; delete it if there is none.

        A code's row stays even then, until it expires: its deletion would show in the time of an answer to a guess.
        """
        assigned = None
        async with unit_of_work(self.pool, self.job_queue, claim.project_id) as tx:
            user = await self._find_user(tx, token)
            if user:
                assigned = await tokens.assign_user(
                    tx, token.project_id, token_id=token.id, user_id=user.id, email_version=user.email_version
                )
                await outbox_claims.assign_user(tx, claim, user_id=user.id)
            elif token.kind not in tokens.CODES:
                await tokens.delete(tx, token.project_id, token_id=token.id)
            user_id = user.id if user else None
            await events.assign_user(tx, token.project_id, token_id=token.id, user_id=user_id)
        if user is None:
            raise NothingToSend("void", "no account has this address")
        if assigned is None:
            raise NothingToSend("cancelled", "assigned twice")
        return assigned

    async def _find_user(self, tx: Executor, token: Token) -> User | None:
        """Find and lock the user of the token's address, which may have changed hands since the claim."""
        # A user locked by another transaction may give the address up: then the second query finds its new one.
        for _ in range(2):
            if user := await users.lock_by_email(tx, token.project_id, email=token.email):
                return user if user.status != "blocked" else None
        return None
