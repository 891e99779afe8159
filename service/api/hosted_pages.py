"""Pages for people whose mailed link leads to us, because the project has no page for it.

Mail programs and scanners open links by themselves, so GET only asks and the button's POST acts (reliability.md
S21). The POST carries the secret in its body: the address of the answer no longer holds it.
"""

from aiohttp import web

from service.api import passwordless, sessions, verification
from service.errors import ArgumentInvalid, PasswordPersonal
from service.http import html_pages, request_body
from service.http.context import Call
from service.http.fields import NewPassword, TokenSecret, UserId
from service.http.request_body import Body
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR


class Proof(Body):
    """What a link that proves an address carries."""

    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.get("/auth/verification", page=True)
async def ask_verification(call: Call) -> web.Response:
    """Ask whether to prove the address."""
    return await html_pages.ask(call, "verification", Proof)


@public.post("/auth/verification", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=verification.UpdateVerification)
async def confirm_verification(call: Call) -> web.Response:
    """Prove the address, as PUT /v1/account/verification does."""
    await verification.confirm(call)
    return html_pages.show(call, "verified")


class FinishSignUp(Proof):
    password: NewPassword


@public.get("/auth/sign-up", page=True)
async def ask_sign_up(call: Call) -> web.Response:
    """Ask for the password of the account that a private sign-up makes."""
    return await html_pages.ask(call, "sign_up", Proof, refused=False)


@public.post("/auth/sign-up", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=Proof)
async def confirm_sign_up(call: Call) -> web.Response:
    """Prove the address and make the account, with the password that was chosen here."""
    proof = await request_body.read(call, Proof)
    try:
        await request_body.read(call, FinishSignUp)
        await verification.confirm(call)
    except (ArgumentInvalid, PasswordPersonal):  # of the password: the rest has been read
        return html_pages.question(call, "sign_up", proof, status=400, refused=True)
    return html_pages.show(call, "verified")


@public.get("/auth/magic-url", page=True)
async def ask_magic_url(call: Call) -> web.Response:
    """Ask whether to sign in."""
    return await html_pages.ask(call, "magic_url", passwordless.UpdateMagicUrl)


@public.post("/auth/magic-url", opens_session=True, page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=passwordless.UpdateMagicUrl)
async def confirm_magic_url(call: Call) -> web.Response:
    """Sign this browser in, as PUT /v1/account/sessions/magic-url does."""
    await sessions.hand_over(call, await passwordless.open_by_link(call))
    return html_pages.show(call, "signed_in")
