"""Amazon SES by SNS: notifications, and events of a configuration set, which are nearly the same.

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from service.store.delivery_reports import NO_COMPLAINTS, DeliveryReport
from worker.bounces.return_path import ReturnPath
from worker.bounces.webhooks.notification import MalformedCall, Notification, inner, is_gone, mail_of, records, text
from worker.bounces.webhooks.sns import Sns
from worker.relays.outcomes import one_line

log = logging.getLogger(__name__)
_GONE = frozenset({"General", "NoEmail", "Suppressed", "OnAccountSuppressionList"})


@dataclass(frozen=True, slots=True)
class Ses:
    sns: Sns
    return_path: ReturnPath | None
    longest: float = 86_400  # it repeats a message for an hour, or as the topic's policy says

    async def verify(self, call: Notification) -> float:
        return await self.sns.verify(call.json())

    async def read(self, call: Notification) -> list[DeliveryReport]:
        message = call.json()
        kind = text(message, "Type")
        if kind == "SubscriptionConfirmation":
            await self.sns.confirm(message)
            log.info("The subscription of a topic was confirmed", extra={"event": "bounce_webhook.confirmed"})
        if kind != "Notification":
            return []
        try:
            event = orjson.loads(text(message, "Message"))
        except ValueError:
            return []  # what SES sends to try a topic is plain text
        mail_id = mail_of(self.return_path, *_names(inner(event, "mail")))
        return list(_reports(event, mail_id)) if mail_id else []


def _names(mail: Any) -> Iterator[str]:
    """Yield what may name a mail of ours: SES gives it a Message-ID of its own, but shows ours and the return path.

    Events show the tags of a mail that came by HTTP; notifications show headers only if they are told to.
    """
    yield text(mail, "tags", "mail", 0)
    yield text(mail, "source")
    yield text(mail, "commonHeaders", "messageId")
    yield from (text(each, "value") for each in records(mail, "headers") if text(each, "name").lower() == "message-id")


def _reports(event: Any, mail_id: UUID) -> Iterator[DeliveryReport]:
    match text(event, "notificationType") or text(event, "eventType"):
        case "Bounce":
            permanent = text(event, "bounce", "bounceType") == "Permanent"
            hard = permanent and text(event, "bounce", "bounceSubType") in _GONE
            for each in records(event, "bounce", "bouncedRecipients"):
                said = f"{text(each, 'status')} {text(each, 'diagnosticCode')}".strip()
                yield DeliveryReport(
                    mail_id, "bounced" if permanent else "deferred", "ses", frozenset({text(each, "emailAddress")}),
                    gone=hard and is_gone(said, otherwise=True), detail=one_line(said),
                )  # fmt: skip
        case "Complaint":
            named = frozenset(
                text(each, "emailAddress") for each in records(event, "complaint", "complainedRecipients")
            )
            said = one_line(text(event, "complaint", "complaintFeedbackType"))
            if not said or said not in NO_COMPLAINTS:  # mailbox providers need not name a type
                yield DeliveryReport(mail_id, "complained", "ses", named, gone=True, detail=said)
        case "Delivery":
            yield DeliveryReport(mail_id, "delivered", "ses", detail=one_line(text(event, "delivery", "smtpResponse")))
        case "DeliveryDelay":
            said = one_line(text(event, "deliveryDelay", "delayType"))
            yield DeliveryReport(mail_id, "deferred", "ses", detail=said)
        case "":
            raise MalformedCall("the message has no type of SES")
