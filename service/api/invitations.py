"""Invitations to sign up, for a server that holds an API key."""

import re
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field

from service.accounts import invitation_admin, mail_quotas
from service.accounts.invitation_admin import LetterTerms
from service.api.users import admin_context
from service.crypto import invitation_codes, key_derivation
from service.errors import ArgumentInvalid, InvitationNotFound, UserExists
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import Name, NewEmail, Url, ident, plain, sized, whole
from service.http.request_body import Body, read, unfit_parameter
from service.http.routing import contract, users_read, users_write
from service.store import invitations

_MOST, _USUAL = 100, 25
_ID, _NUMBER = re.compile(r"[0-9a-f]{20}"), re.compile(r"[0-9]{1,3}")

Uses = Annotated[
    int,
    whole(1, invitation_admin.MOST_USES),
    Field(description=f"Accounts that a code makes, 1 if absent; {invitation_admin.MOST_USES:,} at most"),
]
Expire = Annotated[
    int,
    whole(60, invitation_admin.LONGEST_SECONDS),
    Field(description="Seconds, 604800 (7 days) if absent; a year at most"),
]
Note = Annotated[
    str,
    AfterValidator(sized(0, invitation_admin.LONGEST_NOTE)),
    AfterValidator(plain),
    Field(description="For the list; no invited person sees it", examples=["Conference"]),
]


class CreateInvitation(Body):
    email: NewEmail | None = None
    uses: Uses | None = None
    expire: Expire | None = None
    note: Note | None = None
    name: Name | None = None
    url: Url | None = None


@users_write.post("/v1/invitations")
@contract(takes=CreateInvitation, gives=schemas.INVITATION, status=201, raises=(UserExists,))
async def create_invitation(ctx: RequestContext) -> web.Response:
    """Mail an invitation to an address, or make a code for whoever gets it from you; `code` is in this answer only.

    An address has one invitation: the next takes its place. `name` is the account's, `url` the page of yours that the
    link leads to; without it a page of ours asks for the password.
    """
    body = await read(ctx, CreateInvitation)
    operator, seconds = admin_context(ctx), body.expire or invitation_admin.USUAL_SECONDS
    note, code = body.note or "", ""
    if body.email is None:
        made, secret = await invitation_admin.create_code(
            operator, most_uses=body.uses or 1, seconds=seconds, note=note
        )
        code = invitation_codes.shown(secret)
    elif body.uses not in (None, 1):
        raise unfit_parameter(ctx, "uses", "Value must be 1 for an address")
    else:
        await mail_quotas.charge(ctx, body.email)
        terms = _letter_terms(ctx, body)
        made = await invitation_admin.invite_address(
            operator, email=body.email, seconds=seconds, note=note, letter=terms
        )
    return responses.json(schemas.INVITATION.render(ctx.api_version, made, code=code), 201)


def _letter_terms(ctx: RequestContext, body: CreateInvitation) -> LetterTerms:
    return LetterTerms(
        name=body.name or "",
        locale=ctx.client.locale or ctx.project.locale,
        url=body.url,
        kid=key_derivation.current(ctx.services.ring),
        sender=ctx.services.settings.mail_from,
    )


@users_read.get("/v1/invitations")
@contract(gives=schemas.INVITATION_LIST, query=schemas.INVITATION_PAGE, raises=(ArgumentInvalid,))
async def list_invitations(ctx: RequestContext) -> web.Response:
    """List invitations, newest first, those too that expired in the last 30 days."""
    after, limit = ctx.request.query.get("after", ""), ctx.request.query.get("limit", "") or str(_USUAL)
    if after and not _ID.fullmatch(after):
        raise ArgumentInvalid("Invalid `after` param: Value must be a cursor")
    most = int(limit) if _NUMBER.fullmatch(limit) else 0
    if not 1 <= most <= _MOST:
        raise ArgumentInvalid(f"Invalid `limit` param: Value must be a valid range between 1 and {_MOST}")
    found = await invitations.list_page(ctx.pool, ctx.project.id, after=after or None, most=most)
    rows = [schemas.INVITATION.render(ctx.api_version, each, code="") for each in found]
    return responses.json({"invitations": rows, "cursor": found[-1].id if len(found) == most else ""})


@users_write.delete("/v1/invitations/{invitationId}")
@contract(raises=(InvitationNotFound,))
async def delete_invitation(ctx: RequestContext) -> web.Response:
    """Revoke an invitation and its link: what was asked for with it makes no account either."""
    if not await invitation_admin.revoke(admin_context(ctx), invitation_id=ident(ctx, "invitationId")):
        raise InvitationNotFound
    return responses.nothing()
