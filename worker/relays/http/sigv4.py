"""AWS Signature Version 4 for one request of JSON, without a query."""

import hashlib
import hmac
from datetime import UTC, datetime

_SERVICE = "ses"
_SIGNED = "content-type;host;x-amz-content-sha256;x-amz-date"


def headers(
    *, host: str, path: str, body: bytes, key_id: str, secret: str, region: str, now: datetime | None = None
) -> dict[str, str]:
    """Return the headers that sign a POST of `body`."""
    moment = f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    digest = hashlib.sha256(body).hexdigest()
    given = {
        "content-type": "application/json",
        "host": host,
        "x-amz-content-sha256": digest,
        "x-amz-date": moment,
    }
    canonical = "\n".join(
        ("POST", path, "", *(f"{name}:{given[name]}" for name in _SIGNED.split(";")), "", _SIGNED, digest)
    )
    scope = f"{moment[:8]}/{region}/{_SERVICE}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(signing_key(secret, moment[:8], region, _SERVICE), text.encode(), "sha256").hex()
    by = f"Credential={key_id}/{scope}, SignedHeaders={_SIGNED}, Signature={signature}"
    return {
        "Content-Type": given["content-type"],
        "X-Amz-Content-Sha256": digest,
        "X-Amz-Date": moment,
        "Authorization": f"AWS4-HMAC-SHA256 {by}",
    }


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
