"""Claims of mails as a worker has them, without a database."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from service.store.outbox_claims import Claim

NOW = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)


def claim_of(letter: str, **facts: Any) -> Claim:
    """Make the claim of a mail without a token."""
    none = dict.fromkeys(field.name for field in fields(Claim))
    usual = {
        "project_id": "shop", "id": UUID(int=1), "letter": letter, "recipient": "ann@example.com", "locale": "en",
        "facts": {}, "attempts": 1, "stolen": False, "message_id": "<1@example.com>", "late": False, "created_at": NOW,
        "project_name": "Shop", "sender_name": "", "sender_address": "", "plain_http": False, "verification_url": "",
        "hostnames": ["app.example.com"], "has_suppressions": False, "suppressed": False, "may_sign_up": True,
        "at_test_domain": False, "one_per_mailbox": False,
    }  # fmt: skip
    return Claim(**none | usual | facts)
