"""Feed of a project's events, for other systems that ask for what is new."""

import re

from aiohttp import web

from service.errors import ArgumentInvalid, CursorNotFound, EventsDeleted
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, events_read
from service.http.schemas.events import CLOUD_EVENT, FEED_EVENT
from service.store import event_feed
from service.store.event_feed import FeedEvent

MOST, USUAL = 1000, 100
_NUMBER = re.compile(r"[0-9]{1,18}")


@events_read.get("/v1/events")
@contract(gives=schemas.EVENT_LIST, query=schemas.EVENT_PAGE, raises=(ArgumentInvalid, CursorNotFound, EventsDeleted))
async def list_events(ctx: RequestContext) -> web.Response:
    """List what happened to the project's accounts, oldest first, after a cursor; no event is skipped."""
    after, most = _number(ctx, "after"), _number(ctx, "limit")
    if most is not None and not 1 <= most <= MOST:
        raise _unfit("limit", f"Value must be a valid range between 1 and {MOST}")
    form = ctx.request.query.get("format", "") or "standard"
    if form not in ("standard", "cloudevents"):
        raise _unfit("format", "Value must be one of (standard, cloudevents)")
    page = await event_feed.page(ctx.pool, ctx.project.id, after=after or 0, most=most or USUAL)
    if after is not None and after > page.last_number:
        raise CursorNotFound
    if after is not None and after < page.deleted_through:
        raise EventsDeleted
    place = page.events[-1].number if page.events else max(after or 0, page.deleted_through)
    rows = [_cloud_event(ctx, event) if form == "cloudevents" else _event(ctx, event) for event in page.events]
    return responses.json({"events": rows, "cursor": str(place)})


def _event(ctx: RequestContext, event: FeedEvent) -> dict[str, object]:
    return FEED_EVENT.render(ctx.api_version, event, data=_subject(ctx, event))


def _cloud_event(ctx: RequestContext, event: FeedEvent) -> dict[str, object]:
    source = f"{ctx.services.settings.public_url}/projects/{ctx.project.id}"
    return CLOUD_EVENT.render(ctx.api_version, event, source=source, data=_subject(ctx, event))


def _subject(ctx: RequestContext, event: FeedEvent) -> dict[str, str]:
    return {"projectId": ctx.project.id, "userId": event.user_id}


def _number(ctx: RequestContext, name: str) -> int | None:
    """Read a whole number; None if it is not given."""
    text = ctx.request.query.get(name, "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise _unfit(name, "Value must be a whole number")
    return int(text)


def _unfit(name: str, text: str) -> ArgumentInvalid:
    return ArgumentInvalid(f"Invalid `{name}` param: {text}")
