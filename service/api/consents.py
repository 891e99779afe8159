"""Consents that a member has given to other apps, which are none: no app signs its users in with this service."""

from aiohttp import web

from service.errors import ConsentNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, member


@member.get("/v1/account/consents")
@contract(gives=schemas.CONSENT_LIST, query=(schemas.QUERIES, schemas.TOTAL))
async def list_consents(ctx: RequestContext) -> web.Response:
    """Return an empty list: the member has given no consent."""
    return responses.json({ctx.api_version.count: 0, "consents": []})


@member.get("/v1/account/consents/{consentId}")
@contract(refuses=ConsentNotFound)
async def get_consent(_ctx: RequestContext) -> web.Response:
    """Refuse: there is no consent."""
    raise ConsentNotFound


@member.delete("/v1/account/consents/{consentId}")
@contract(refuses=ConsentNotFound)
async def delete_consent(_ctx: RequestContext) -> web.Response:
    """Refuse: there is no consent to withdraw."""
    raise ConsentNotFound


@member.get("/v1/account/consents/{consentId}/tokens")
@contract(refuses=ConsentNotFound)
async def list_consent_tokens(_ctx: RequestContext) -> web.Response:
    """Refuse: there is no consent that could have tokens."""
    raise ConsentNotFound


@member.get("/v1/account/consents/{consentId}/tokens/{tokenId}")
@contract(refuses=ConsentNotFound)
async def get_consent_token(_ctx: RequestContext) -> web.Response:
    """Refuse: there is no consent that could have tokens."""
    raise ConsentNotFound


@member.delete("/v1/account/consents/{consentId}/tokens/{tokenId}")
@contract(refuses=ConsentNotFound)
async def delete_consent_token(_ctx: RequestContext) -> web.Response:
    """Refuse: there is no consent that could have tokens."""
    raise ConsentNotFound
