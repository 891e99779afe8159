"""Body of a webhook: what happened, when and to whom, by ids alone."""

from datetime import datetime

import orjson


def render(event_type: str, at: datetime, project_id: str, user_id: str | None) -> bytes:
    """Render the same bytes whenever the event is posted again."""
    data = {"projectId": project_id} | ({"userId": user_id} if user_id else {})
    return orjson.dumps({"type": event_type, "timestamp": at.isoformat(timespec="milliseconds"), "data": data})
