"""Parts of every schema."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Schema:
    """One response in all API versions.

    `older` renderings stand only where they differ, the legacy one first.
    """

    modern: type[BaseModel]
    older: tuple[type[BaseModel], ...] = ()

    @property
    def renderings(self) -> tuple[type[BaseModel], ...]:
        return (self.modern, *self.older)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a path or query."""

    name: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


class Answer(BaseModel):
    """A response; every field is always there, and no other."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


Id = Annotated[str, Field(examples=["66e1c3d2a4b5968778a9"], min_length=1, max_length=36)]
Seconds = Annotated[int, Field(description="Unix seconds; 0 is never", examples=[1_592_981_250], ge=0)]
Iso = Annotated[
    str, Field(examples=["2020-10-15T06:38:00.000+00:00"], pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
]
Never = Annotated[Literal[""], Field(description="Never")]
Zero = Annotated[Literal[0], Field(description="Never, in Unix seconds")]
# Formats from 0.12 to below 1.0 know the modern fields, but Unix seconds.
Time = Iso | Seconds
MaybeTime = Iso | Never | Seconds
Address = Annotated[str, Field(description='"" for an account without an address', examples=["ann@example.com"])]
Name = Annotated[str, Field(examples=["Ann"], max_length=128)]
