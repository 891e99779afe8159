"""Delete what nothing needs any more: each kind of row in batches, and none waits for another that fails."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from service.db import OUTAGES, Pool, acts, classify, describe_refusal
from service.store import (
    authenticators,
    challenges,
    event_feed,
    identities,
    invitations,
    log_chain,
    log_checkpoints,
    oauth_flows,
    outbox,
    passkey_challenges,
    passkeys,
    recovery_codes,
    security_log,
    sessions,
    sms,
    suppressions,
    test_accounts,
    tokens,
    used_id_tokens,
    user_mfa,
    user_phones,
    webhooks,
)

log = logging.getLogger(__name__)
# Rows of one statement: few enough that it takes some hundredths of a second.
BATCH = 500
# Deletes at most `most` rows of one kind, and returns how many there were.
Deletion = Callable[..., Awaitable[int]]
DELETIONS: Mapping[str, Deletion] = {
    "tokens": tokens.delete_expired,
    "sessions": sessions.delete_expired,
    "challenges": challenges.delete_expired,
    "passkey challenges": passkey_challenges.delete_expired,
    "OAuth flows": oauth_flows.delete_expired,
    "used ID tokens": used_id_tokens.delete_expired,
    "provider tokens": identities.forget_unshown_tokens,
    "authenticators": authenticators.delete_old,
    "recovery codes": recovery_codes.delete_old,
    "changes of second factors": user_mfa.delete_old_changes,
    "changes of numbers": user_phones.delete_old_changes,
    "passkeys": passkeys.delete_removed,
    "identities": identities.delete_old,
    "acts": acts.delete_old,
    "suppressions": suppressions.delete_expired,
    "test accounts": test_accounts.delete_expired,
    "invitations": invitations.delete_expired,
}


@dataclass(slots=True)
class Tidying:
    """Tidying of all tables; `log_months`, `mail_days` and `event_days` are how long finished rows are kept."""

    pool: Pool
    log_months: int
    mail_days: int
    event_days: int
    deletions: Mapping[str, Deletion] = field(default_factory=lambda: DELETIONS)

    async def run(self) -> None:
        """Delete everything that is due, a batch of each kind in turn. Raises for an outage of Postgres only."""
        await self._attempt("log partitions", self._maintain_partitions)
        finished = {"mails": outbox.delete_finished, "SMS": sms.delete_finished}
        due: dict[str, Deletion] = {**self.deletions}
        due |= {kind: partial(act, days=self.mail_days) for kind, act in finished.items()}
        chains = {"checkpoints of the log": log_checkpoints.delete_old, "chains of the log": log_chain.delete_old}
        due |= {kind: partial(act, months=self.log_months) for kind, act in chains.items()}
        due["events of feeds"] = partial(event_feed.delete_old, days=self.event_days)
        due["deliveries to webhooks"] = partial(webhooks.delete_old, days=self.event_days)
        while due:
            due = {kind: act for kind, act in due.items() if await self._attempt(kind, act) >= BATCH}

    async def _maintain_partitions(self, _pool: Pool, *, most: int) -> int:  # noqa: ARG002 - whole months at once
        return await security_log.maintain_partitions(self.pool, months=self.log_months)

    async def _attempt(self, kind: str, act: Deletion) -> int:
        """Delete a batch; 0 where that fails, so that the kind waits for the next round."""
        try:
            return await act(self.pool, most=BATCH)
        except Exception as error:
            if classify(error) in OUTAGES:
                raise
            log.error(  # noqa: TRY400 - what Postgres says is in `fault`
                "Rows that nothing needs any more could not be deleted",
                extra={
                    "event": "tidying.failed",
                    "kind": kind,
                    "fault": describe_refusal(error) or type(error).__name__,
                },
            )
            return 0
