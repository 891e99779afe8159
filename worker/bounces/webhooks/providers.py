"""The providers whose webhooks are set up."""

from service.settings import InvalidSettings, Settings
from worker.bounces.return_path import ReturnPath
from worker.bounces.webhooks.mailgun import Mailgun
from worker.bounces.webhooks.notification import Provider
from worker.bounces.webhooks.postmark import Postmark
from worker.bounces.webhooks.resend import Resend, secret_of
from worker.bounces.webhooks.sendgrid import SendGrid, verification_key
from worker.bounces.webhooks.ses import Ses
from worker.bounces.webhooks.sns import Sns

# Characters of what strangers may guess at.
_SHORTEST = 16


def providers_of(settings: Settings, return_path: ReturnPath | None) -> dict[str, Provider]:
    """Return the providers by the path of their webhook. Raises InvalidSettings."""
    found: dict[str, Provider] = {}
    if settings.bounce_ses_topics:
        found["ses"] = Ses(Sns(frozenset(settings.bounce_ses_topics.split())), return_path)
    if key := settings.bounce_mailgun_key.get_secret_value():
        if len(key) < _SHORTEST:
            raise InvalidSettings([f"BOUNCE_MAILGUN_KEY: a signing key, of {_SHORTEST} characters or more"])
        found["mailgun"] = Mailgun(key, return_path)
    if auth := settings.bounce_postmark_auth.get_secret_value():
        if len(auth.partition(":")[2]) < _SHORTEST:
            raise InvalidSettings([f"BOUNCE_POSTMARK_AUTH: user:password, of {_SHORTEST} characters or more"])
        found["postmark"] = Postmark(auth, return_path)
    try:
        if key := settings.bounce_sendgrid_key:
            found["sendgrid"] = SendGrid(verification_key(key), return_path)
    except ValueError as fault:
        raise InvalidSettings([f"BOUNCE_SENDGRID_KEY: {fault}"]) from None
    try:
        if secret := settings.bounce_resend_secret.get_secret_value():
            found["resend"] = Resend(secret_of(secret), return_path)
    except ValueError as fault:
        raise InvalidSettings([f"BOUNCE_RESEND_SECRET: {fault}"]) from None
    return found
