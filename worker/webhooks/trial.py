"""Try a webhook for an operator: post an event of a type of its own, which is no user's."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from service import ids
from service.crypto.secret import Secret
from service.settings import Settings
from worker.webhooks import payload
from worker.webhooks.client import Answer, WebhookClient

TYPE = "webhooks.test"


async def post_test(settings: Settings, project_id: str, url: str, secrets: Sequence[Secret]) -> tuple[Answer, float]:
    """Post the test event; return the answer, and the seconds that it took."""
    client = WebhookClient(settings.reachable_networks)
    began = time.monotonic()
    try:
        body = payload.render(TYPE, datetime.now(UTC), project_id, None)
        answer = await client.post(url, ids.new_uuid(), body, secrets)
    finally:
        await client.close()
    return answer, time.monotonic() - began
