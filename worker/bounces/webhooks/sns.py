"""Messages of Amazon SNS: their signature, the certificate that it is checked by, and subscriptions.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. Certificates come from the topic's own
region at sns.REGION.amazonaws.com and from nowhere else, so that no call makes a worker connect to another address.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from service import request_errors
from service.response_bodies import read_up_to
from worker.bounces.webhooks.notification import ForgedCall, text

# The parts of a topic's name: arn:aws:sns:eu-west-1:123456789012:bounces.
TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{3,30}):[0-9]{12}:[A-Za-z0-9_.-]{1,260}")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-zA-Z]{8,64}\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_LONGEST, _PATIENCE = 64 * 1024, 10.0
# Certificates that are kept, and seconds without another fetch of the one that failed last. Another one may be had
# meanwhile, or whoever knows a topic's name could keep Amazon's own messages out by an address that has none.
_MOST, _REST = 16, 10.0

Fetch = Callable[[str], Awaitable[bytes]]


class CannotFetch(Exception):
    """Amazon could not be asked; the call should come again."""


async def fetch(url: str) -> bytes:
    """Get a short answer; no redirect is followed. Raises CannotFetch."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise CannotFetch(f"Amazon answers {answer.status}")
            return await read_up_to(answer, _LONGEST)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CannotFetch(f"Amazon: {request_errors.of(error).text}") from None


@dataclass(slots=True)
class Sns:
    """Checks of messages to these topics."""

    topics: frozenset[str]
    fetch: Fetch = fetch
    _keys: dict[str, RSAPublicKey] = field(default_factory=dict)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    _failed: tuple[str, float] = ("", 0)

    async def verify(self, message: Any) -> float:
        """Return when a message was sent. Raises ForgedCall, CannotFetch."""
        signed, topic = _SIGNED.get(text(message, "Type")), text(message, "TopicArn")
        # First, so that a stranger makes this worker fetch nothing.
        if signed is None or topic not in self.topics:
            raise ForgedCall("its topic is not among BOUNCE_SES_TOPICS")
        if text(message, "SignatureVersion") != "2":
            raise ForgedCall("its SignatureVersion is not 2: set that attribute of the topic")
        key = await self._key(text(message, "SigningCertURL"), topic)
        said = "".join(f"{name}\n{text(message, name)}\n" for name in signed if name != "Subject" or name in message)
        try:
            signature = base64.b64decode(text(message, "Signature"), validate=True)
            key.verify(signature, said.encode(), PKCS1v15(), SHA256())
            return datetime.fromisoformat(text(message, "Timestamp")).timestamp()
        except (binascii.Error, ValueError, InvalidSignature):
            raise ForgedCall("its signature is not that of Amazon") from None

    async def confirm(self, message: Any) -> None:
        """Confirm the subscription of a verified message. Raises ForgedCall, CannotFetch."""
        url = text(message, "SubscribeURL")
        parts = _own_url(url, text(message, "TopicArn"))
        if parts.path not in ("", "/") or parse_qs(parts.query).get("Action") != ["ConfirmSubscription"]:
            raise ForgedCall("its SubscribeURL confirms no subscription")
        await self.fetch(url)

    async def _key(self, url: str, topic: str) -> RSAPublicKey:
        parts = _own_url(url, topic)
        if not _CERTIFICATE.fullmatch(parts.path) or parts.query:
            raise ForgedCall("its SigningCertURL is no certificate of SNS")
        if url not in self._keys:
            async with self._fetching:
                await self._fetch_key(url)
        return self._keys[url]

    async def _fetch_key(self, url: str) -> None:
        """Fetch and keep a key, unless another call has done it meanwhile."""
        if url in self._keys:
            return
        now = asyncio.get_running_loop().time()
        if self._failed[0] == url and now < self._failed[1]:
            raise CannotFetch("the certificate could not be fetched a moment ago")
        self._failed = url, now + _REST
        key = _key_of(await self.fetch(url))
        self._failed = "", 0
        while len(self._keys) >= _MOST:
            del self._keys[next(iter(self._keys))]
        self._keys[url] = key


def _own_url(url: str, topic: str) -> Any:
    """Split an address of SNS in the topic's region. Raises ForgedCall for any other."""
    found = TOPIC.fullmatch(topic)
    partition, region = (found[1], found[2]) if found else ("", "")
    host = f"sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    except ValueError:
        plain = False
    if not (found and plain and parts.scheme == "https" and parts.netloc == host and not parts.fragment):
        raise ForgedCall(f"an address in it is not at https://{host}/")
    return parts


def _key_of(certificate: bytes) -> RSAPublicKey:
    try:
        key = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise CannotFetch("Amazon's certificate can't be read") from None
    if not isinstance(key, RSAPublicKey):
        raise CannotFetch("Amazon's certificate has no RSA key")
    return key
