"""Events for other systems, in the form of Standard Webhooks or of CloudEvents 1.0."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from service.http.schemas.parts import Answer, As, From, Id, Iso, Schema

_TYPE = Field(description="What happened (docs/events.md)", examples=["account.sessions.create"])
_ID = Field(description="The same whenever the event is read again", examples=["0198c0de-0000-7000-8000-000000000000"])


def _iso(_version: object, at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _text(_version: object, value: object) -> str:
    return str(value)


class EventSubject(Answer):
    """Project and user of an event. The new state is read from the API, as it is by then."""

    project_id: Id
    user_id: Id


class FeedEvent(Answer):
    """An event in the form of Standard Webhooks, with its id."""

    id: Annotated[str, _ID, As(_text)]
    type: Annotated[str, _TYPE, From("name")]
    timestamp: Annotated[Iso, From("at"), As(_iso)]
    data: EventSubject


class CloudEvent(Answer):
    """An event in the JSON form of CloudEvents 1.0."""

    specversion: Literal["1.0"]
    id: Annotated[str, _ID, As(_text)]
    source: Annotated[str, Field(description="The project", examples=["https://accounts.example.com/projects/shop"])]
    type: Annotated[str, _TYPE, From("name")]
    subject: Annotated[Id, From("user_id")]
    time: Annotated[Iso, From("at"), As(_iso)]
    sequence: Annotated[
        str,
        Field(description="The event's cursor", pattern=r"^\d+$", examples=["42"]),
        From("number"),
        As(_text),
    ]
    datacontenttype: Literal["application/json"]
    data: EventSubject


class EventList(Answer):
    """Events after the cursor that was given, in order."""

    events: list[FeedEvent] | list[CloudEvent]
    cursor: Annotated[
        str,
        Field(description="`after` of the next call: the place behind these events", pattern=r"^\d+$", examples=["42"]),
    ]


FEED_EVENT, CLOUD_EVENT, EVENT_LIST = Schema(FeedEvent), Schema(CloudEvent), Schema(EventList)
