"""Metrics of a worker: names, labels and meanings."""

from collections.abc import Mapping

from service.metrics import SHARED, STALLS, Definition, counter, gauge, histogram

_DELIVERY = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_SENDING = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
ATTEMPTS = counter("accounts_mail_attempts_total", "Mails that were claimed to be sent.")
OUTCOMES = counter("accounts_mail_outcomes_total", "Mails that ended.", "outcome")
WAITS = counter("accounts_mail_waits_total", "Attempts that failed for now, by their cause.", "cause")
TAKEN_OVER = counter("accounts_leases_taken_over_total", "Mails claimed whose lease of another worker had run out.")
DUPLICATES = counter(
    "accounts_duplicates_suspected_total", "Attempts without an answer after the final dot: the mail may go out twice."
)
UNRECORDED = counter("accounts_mails_sent_unrecorded_total", "Mails that a relay accepted and no worker recorded.")
REPLAYED = counter("accounts_journal_entries_replayed_total", "Mails that the sent journal knew after a crash.")
UNREADABLE = counter("accounts_journal_entries_unreadable_total", "Entries of the sent journal that can't be read.")
RECOVERED = counter("accounts_mails_recovered_total", "Mails that a worker took back when it started again.")
RELEASED = counter("accounts_mails_released_total", "Mails that a worker handed back when it stopped.")
RESCHEDULED = counter("accounts_mails_rescheduled_total", "Mails made due because their relay works again.")
REPORTS = counter(
    "accounts_mail_reports_total",
    "What came back of mails: `delivered`, `deferred`, `bounced`, `complained`, `ignored` where it reports nothing, or "
    "`refused`.",
    "outcome",
)
SMS_ATTEMPTS = counter("accounts_sms_attempts_total", "SMS that were claimed to be sent.")
SMS_OUTCOMES = counter("accounts_sms_outcomes_total", "SMS that ended.", "outcome")
SMS_WAITS = counter("accounts_sms_waits_total", "Attempts at an SMS that failed for now.")
WEBHOOK_OUTCOMES = counter("accounts_webhook_deliveries_total", "Events for webhooks that ended.", "outcome")
WEBHOOK_WAITS = counter("accounts_webhook_waits_total", "Attempts at a webhook that failed for now.")
WEBHOOKS_DISABLED = counter(
    "accounts_webhooks_disabled_total", "Webhooks that were disabled: they answered 410, or failed for five days."
)
ACCOUNTS_ENDED = counter(
    "accounts_ended_total", "Accounts that nobody had proved and that ended: `unverified` or `anonymous`.", "reason"
)
POLLS = counter("accounts_polls_total", "Rounds in which Postgres was asked for mails that are due.")
POLLED = counter(
    "accounts_mails_polled_total", "Mails that polling found, since their job was lost or their wait over."
)
REPAIRED = counter("accounts_redis_keys_repaired_total", "Keys of the queue that had a wrong type and were deleted.")
DELIVERY = histogram(
    "accounts_mail_delivery_seconds",
    "Mails sent: from their row to the relay's answer after the final dot, by this machine's clock.",
    "letter",
    buckets=_DELIVERY,
)
SENDING = histogram(
    "accounts_mail_send_seconds",
    "Attempts at a relay: `accepted`, `refused` for good or `failed` for now. Relays of projects are `project`.",
    "server",
    "outcome",
    buckets=_SENDING,
)
PENDING = gauge("accounts_mails_pending", "Mails that wait to be sent, of all workers.")
SENDING_NOW = gauge("accounts_mails_sending", "Mails that a worker has claimed, of all workers.")
OLDEST = gauge("accounts_mails_oldest_seconds", "Age of the oldest mail that has not ended.")
OVERDUE = gauge("accounts_mails_overdue_seconds", "Seconds for which a mail has been due and not been claimed.")
EVENTS_LAG = gauge("accounts_events_lag_seconds", "Seconds for which the oldest event waits to be filed in the log.")
CHECKPOINTS_OVERDUE = gauge(
    "accounts_log_checkpoint_overdue_seconds",
    "Seconds for which a checkpoint of the security log has been due. Workers sign each hour.",
)
BACKLOG_AGE = gauge(
    "accounts_backlog_age_seconds",
    "Seconds since this worker read ages and numbers of mails and of the log from Postgres.",
)
RELAYS = gauge("accounts_relay_breaker", "1 for the state of the circuit breaker.", "server", "state")
PROJECT_RELAYS = gauge("accounts_project_relays", "Projects' own relays, by the state of the breaker.", "state")
PACE = gauge(
    "accounts_relay_mails_per_minute", "Mails a minute that the relay lets through; none is no limit.", "server"
)
RELAY_CONNECTIONS = gauge(
    "accounts_relay_connections", "Open connections to a relay, in use or idle. Those to projects' own are `project`.",
    "server",
)  # fmt: skip
LOG_DEFAULT_ROWS = gauge(
    "accounts_log_default_rows", "Rows of the security log that no month's partition took, 1,000 at most; 0 is right."
)
LOG_PARTITIONS_AHEAD = gauge(
    "accounts_log_partitions_ahead", "Months to come that the security log has a partition for; 2 is right."
)
SMS_BREAKER = gauge(
    "accounts_sms_breaker", "1 for the state of the webhook's circuit breaker; none without SMS.", "state"
)
WEBHOOKS = gauge("accounts_webhooks", "Webhooks of all projects: enabled, failing or disabled.", "state")
WEBHOOKS_OVERDUE = gauge(
    "accounts_webhooks_overdue_seconds", "Seconds for which an event for an enabled webhook has been due."
)
READY = gauge("accounts_ready", "1 if /ready says 200.")

# Counters by their name in the heartbeat file and the log. Each is there from the start: a monitor sees 0 and no gap.
COUNTERS: Mapping[str, tuple[Definition, tuple[str, ...]]] = {
    "attempts": (ATTEMPTS, ()),
    **{name: (OUTCOMES, (name,)) for name in ("sent", "failed", "expired", "cancelled", "void", "suppressed")},
    **{f"waits_{cause}": (WAITS, (cause,)) for cause in ("server", "recipient", "ours", "pace")},
    "leases_taken_over": (TAKEN_OVER, ()),
    "duplicates_suspected": (DUPLICATES, ()),
    "sent_unrecorded": (UNRECORDED, ()),
    "journal_entries_replayed": (REPLAYED, ()),
    "journal_entries_unreadable": (UNREADABLE, ()),
    "mails_recovered": (RECOVERED, ()),
    "mails_released": (RELEASED, ()),
    "mails_rescheduled": (RESCHEDULED, ()),
    **{
        f"reports_{name}": (REPORTS, (name,))
        for name in ("delivered", "deferred", "bounced", "complained", "ignored", "refused")
    },
    "sms_attempts": (SMS_ATTEMPTS, ()),
    **{f"sms_{name}": (SMS_OUTCOMES, (name,)) for name in ("sent", "failed", "expired", "cancelled", "void")},
    "sms_waits": (SMS_WAITS, ()),
    **{f"webhooks_{name}": (WEBHOOK_OUTCOMES, (name,)) for name in ("delivered", "failed")},
    "webhooks_waits": (WEBHOOK_WAITS, ()),
    "webhooks_disabled": (WEBHOOKS_DISABLED, ()),
    **{f"accounts_ended_{reason}": (ACCOUNTS_ENDED, (reason,)) for reason in ("unverified", "anonymous")},
    "polls": (POLLS, ()),
    "mails_polled": (POLLED, ()),
    "redis_keys_repaired": (REPAIRED, ()),
    "event_loop_stalls": (STALLS, ()),
}
_COUNTED = tuple(dict.fromkeys(definition for definition, _ in COUNTERS.values() if definition is not STALLS))
DEFINITIONS = (
    *_COUNTED, DELIVERY, SENDING, PENDING, SENDING_NOW, OLDEST, OVERDUE, EVENTS_LAG, CHECKPOINTS_OVERDUE,
    BACKLOG_AGE, RELAYS, PROJECT_RELAYS, PACE, RELAY_CONNECTIONS, LOG_DEFAULT_ROWS, LOG_PARTITIONS_AHEAD, SMS_BREAKER,
    WEBHOOKS, WEBHOOKS_OVERDUE, READY, *SHARED,
)  # fmt: skip
