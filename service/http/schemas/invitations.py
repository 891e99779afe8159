"""Invitations to sign up, for a server."""

from typing import Annotated

from pydantic import Field

from service.http.schemas.parts import Answer, As, From, Id, MaybeTime, Schema, Time


class Invitation(Answer):
    """An invitation, of an address or of a code."""

    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    email: Annotated[
        str,
        Field(description='The invited address; "" for a code', examples=["ann@example.com"]),
        As(lambda _version, email: email or ""),
    ]
    code: Annotated[
        str,
        Field(description='In the answer that makes it, else ""', examples=["7k2qd-0m4vx-r8t1c-5ynzb-e3wfh"]),
    ]
    note: Annotated[str, Field(max_length=128, examples=["Conference"])]
    uses: Annotated[int, Field(description="Accounts that it has made", ge=0, examples=[1])]
    max_uses: Annotated[
        int, Field(description="Accounts that it makes at most", ge=1, examples=[20]), From("most_uses")
    ]
    expire: Annotated[Time, From("expires_at")]
    used_at: Annotated[
        MaybeTime,
        Field(description='When it last made an account; "" for never'),
        As(lambda version, at: version.time(at) if at else ""),
    ]


class InvitationList(Answer):
    invitations: list[Invitation]
    cursor: Annotated[
        str,
        Field(description='`after` of the next call; "" at the end', examples=["66e1c3d2a4b5968778a9"], max_length=36),
    ]


INVITATION, INVITATION_LIST = Schema(Invitation), Schema(InvitationList)
