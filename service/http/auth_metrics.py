"""Metrics of what clients do to sign in and to prove who they are: sign-ins and proofs, one-time tokens, mails."""

import time
from collections import Counter
from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from service.committed import Committed
from service.errors import LoginTokenPending
from service.metrics import Labels, Values, counter, histogram

_DELAYS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400, 259200)
AUTH_EVENTS = counter(
    "accounts_auth_events_total",
    "Sign-ups, sign-ins and proofs, by their outcome: `success`, `refused`, `limited` by a rate limit, or `error`.",
    "event",
    "outcome",
)
TOKENS_ISSUED = counter("accounts_tokens_issued_total", "One-time tokens issued, in links, codes or answers.", "kind")
TOKEN_DELAY = histogram(
    "accounts_token_use_delay_seconds",
    "One-time tokens used: seconds since they were issued, by this machine's clock.",
    "kind",
    buckets=_DELAYS,
)
MAILS_ACCEPTED = counter("accounts_mails_accepted_total", "Mails that requests have put into the outbox.", "letter")
DEFINITIONS = (AUTH_EVENTS, TOKENS_ISSUED, TOKEN_DELAY, MAILS_ACCEPTED)

# The event that an answer of a route is counted as, by the route's name. A sign-in by a provider's redirect is not
# here: it ends with a redirect whatever its outcome.
EVENTS: Mapping[str, str] = {
    "create_account": "sign_up",
    "create_anonymous_session": "sign_in_anonymous",
    "create_session": "sign_in_password",
    "update_magic_url": "sign_in_link",
    "confirm_magic_url": "sign_in_link",
    "open_waiting": "sign_in_link",
    "approve_magic_url": "approval",
    "create_token_session": "sign_in_token",
    "update_phone_session": "sign_in_phone",
    "create_id_token_session": "sign_in_id_token",
    "update_passkey_token": "passkey",
    "update_mfa_challenge": "second_factor",
    "update_recovery": "recovery",
    "confirm_recovery": "recovery",
    "update_recovery_otp": "recovery",
    "update_verification": "verification",
    "confirm_verification": "verification",
    "update_verification_otp": "verification",
    "update_phone_verification": "phone_verification",
}


class AuthMetrics:
    """Counters of an API process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events: Counter[Labels] = Counter()
        self._issued: Counter[str] = Counter()
        self._mails: Counter[str] = Counter()
        self._delay = TOKEN_DELAY.histogram(registry)

    def record_request(self, route: str, status: int, error: str | None) -> None:
        """Record an outcome; that a link still waits is none."""
        if (event := EVENTS.get(route)) and error != LoginTokenPending.type:
            self._events[event, outcome_of(status)] += 1

    def record_commit(self, work: Committed) -> None:
        """Record what a unit of work has done for good. Where the answer to COMMIT was lost nothing is counted."""
        for letter in work.letters:
            self._mails[letter] += 1
        for kind in work.issued:
            self._issued[kind] += 1
        for kind, issued_at in work.used:
            self._delay.labels(kind).observe(max(0.0, time.time() - issued_at.timestamp()))

    def read(self) -> Values:
        """Read what is counted here without the library."""
        return {
            AUTH_EVENTS: {**self._events},
            TOKENS_ISSUED: {(kind,): count for kind, count in self._issued.items()},
            MAILS_ACCEPTED: {(letter,): count for letter, count in self._mails.items()},
        }


def outcome_of(status: int) -> str:
    if status < 400:
        return "success"
    if status == 429:
        return "limited"
    return "refused" if status < 500 else "error"
