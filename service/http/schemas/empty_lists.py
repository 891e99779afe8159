"""Lists of what nobody has here: memberships of teams, consents to other apps."""

from typing import Annotated, Any, Literal

from pydantic import Field

from service.http.schemas.parts import Answer, Schema

Nothing = Annotated[list[Any], Field(max_length=0)]


class MembershipListLegacy(Answer):
    sum: Literal[0]
    memberships: Nothing


class MembershipList(Answer):
    total: Literal[0]
    memberships: Nothing


class ConsentListLegacy(Answer):
    sum: Literal[0]
    consents: Nothing


class ConsentList(Answer):
    total: Literal[0]
    consents: Nothing


MEMBERSHIP_LIST = Schema(MembershipList, (MembershipListLegacy,))
CONSENT_LIST = Schema(ConsentList, (ConsentListLegacy,))
