"""Parts of every schema."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from service.http.api_version import ApiVersion

# Format since which no answer has had another rendering.
_SETTLED = (0, 13)


@dataclass(frozen=True, slots=True)
class Schema:
    """One response in all API versions.

    `older` renderings stand only where they differ, the legacy one first.
    """

    modern: type[BaseModel]
    older: tuple[type[BaseModel], ...] = ()
    media: str = "application/json"

    @property
    def renderings(self) -> tuple[type[BaseModel], ...]:
        return (self.modern, *self.older)

    def render(self, version: ApiVersion, row: object, **given: object) -> dict[str, Any]:
        """Make the JSON object of a row; `given` has the fields that the row lacks."""
        if not version.modern:
            return render((*self.older, self.modern)[0], version, row, **given)
        between = self.older[1:] if version.format < _SETTLED else ()
        return render((*between, self.modern)[0], version, row, **given)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a path or query."""

    name: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


Convert = Callable[[ApiVersion, Any], Any]


@dataclass(frozen=True, slots=True)
class From:
    """Attribute of the row that a field's value comes from, if it has another name; "" for the row itself."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Is:
    """Value of a field that is the same in every response. One literal needs none."""

    value: object


@dataclass(frozen=True, slots=True)
class As:
    """Conversion of a field's value for the API version of the request."""

    convert: Convert


@dataclass(frozen=True, slots=True)
class Since:
    """First format that knows the field."""

    format: tuple[int, int]


class Answer(BaseModel):
    """A response; every field is always there, and no other."""

    # None is validated: a validator of each would take 2 MB.
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, defer_build=True)
    # Fields that a response has at its end, in this order: in the class, inherited ones come first.
    last: ClassVar[tuple[str, ...]] = ()


def render(model: type[BaseModel], version: ApiVersion, row: object, **given: object) -> dict[str, Any]:
    """Make the JSON object of a row, without validation; `given` has the fields that the row lacks."""
    constants, fields = _fields(model, version.format)
    found = constants.copy()
    for attribute, name, read, convert in fields:
        value = given[attribute] if attribute in given else read(row)
        found[name] = convert(version, value) if convert else value
    return found


# Attribute, name on the wire, access to the row, conversion.
_Reader = tuple[str, str, Callable[[Any], Any], Convert | None]


@lru_cache(256)
def _fields(model: type[BaseModel], known: tuple[int, int]) -> tuple[dict[str, Any], list[_Reader]]:
    """All fields that a format knows, in order, with the values of constants; and readers of the others."""
    found: dict[str, Any] = {}
    fields: list[_Reader] = []
    last = {attribute: place for place, attribute in enumerate(getattr(model, "last", ()), 1)}
    for attribute, about in sorted(model.model_fields.items(), key=lambda field: last.get(field[0], 0)):
        notes = {type(note): note for note in about.metadata}
        if Since in notes and notes[Since].format > known:
            continue
        name = about.alias or attribute
        literals = get_args(about.annotation) if get_origin(about.annotation) is Literal else ()
        found[name] = notes[Is].value if Is in notes else next(iter(literals), None)
        if not (Is in notes or len(literals) == 1 or about.annotation is NoneType):
            source = notes[From].attribute if From in notes else attribute
            read = attrgetter(source) if source else _row
            fields.append((attribute, name, read, notes[As].convert if As in notes else None))
    return found, fields


def _row(row: Any) -> Any:
    return row


Id = Annotated[str, Field(examples=["66e1c3d2a4b5968778a9"], min_length=1, max_length=36)]
_AS_TIME = As(ApiVersion.time)
Seconds = Annotated[int, Field(description="Unix seconds; 0 is never", examples=[1_592_981_250], ge=0), _AS_TIME]
Iso = Annotated[
    str, Field(examples=["2020-10-15T06:38:00.000+00:00"], pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
]
Never = Annotated[Literal[""], Field(description="Never")]
# Formats from 0.12 to below 1.0 know the modern fields, but Unix seconds.
Time = Annotated[Iso | Seconds, _AS_TIME]
MaybeTime = Annotated[Iso | Never | Seconds, _AS_TIME]
Address = Annotated[
    str,
    Field(description='"" for an account without an address', examples=["ann@example.com"]),
    As(lambda _version, email: email or ""),
]
Name = Annotated[str, Field(examples=["Ann"], max_length=128)]
