"""Pages for people whose mailed link leads to us, because the project has no page for it.

Mail programs and scanners open links by themselves, so GET only asks and the button's POST acts (reliability.md
S21). The POST carries the secret in its body: the address of the answer no longer holds it.
"""

from base64 import b64encode
from hashlib import sha256
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from service import language
from service.api import bodies, headers, sessions, sign_in, targets, verification
from service.api.bodies import Body
from service.api.calls import Call
from service.api.fields import NewPassword, TokenSecret, UserId
from service.api.routes import contract, limited, public
from service.errors import AccountError, ArgumentInvalid, PasswordPersonal
from service.limits import HOUR
from service.secrets import Secret


def _open() -> Environment:
    """Every page is compiled here: a broken one stops the start."""
    environment = Environment(
        loader=FileSystemLoader(language.TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    for path in (language.TEMPLATES / "pages").glob("*.html"):
        environment.get_template(f"pages/{path.name}")
    return environment


_ENVIRONMENT = _open()
_CATALOGUES = language.read(language.TEMPLATES)
_STYLE = b64encode(sha256(_ENVIRONMENT.get_template("pages/style.css").render().encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Proof(Body):
    """What a link that proves an address carries."""

    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.get("/auth/verification", page=True)
async def ask_verification(call: Call) -> web.Response:
    """Ask whether to prove the address."""
    return await ask(call, "verification", Proof)


@public.post("/auth/verification", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=verification.UpdateVerification)
async def confirm_verification(call: Call) -> web.Response:
    """Prove the address, as PUT /v1/account/verification does."""
    await verification.confirm(call)
    return show(call, "verified")


class FinishSignUp(Proof):
    password: NewPassword


@public.get("/auth/sign-up", page=True)
async def ask_sign_up(call: Call) -> web.Response:
    """Ask for the password of the account that a private sign-up makes."""
    return await ask(call, "sign_up", Proof, refused=False)


@public.post("/auth/sign-up", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=Proof)
async def confirm_sign_up(call: Call) -> web.Response:
    """Prove the address and make the account, with the password that was chosen here."""
    proof = await bodies.read(call, Proof)
    try:
        await bodies.read(call, FinishSignUp)
        await verification.confirm(call)
    except (ArgumentInvalid, PasswordPersonal):  # of the password: the rest has been read
        return _question(call, "sign_up", proof, status=400, refused=True)
    return show(call, "verified")


@public.get("/auth/magic-url", page=True)
async def ask_magic_url(call: Call) -> web.Response:
    """Ask whether to sign in."""
    return await ask(call, "magic_url", sign_in.UpdateMagicUrl)


@public.post("/auth/magic-url", opens_session=True, page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=sign_in.UpdateMagicUrl)
async def confirm_magic_url(call: Call) -> web.Response:
    """Sign this browser in, as PUT /v1/account/sessions/magic-url does."""
    await sessions.hand_over(call, await sign_in.open_by_link(call))
    return show(call, "signed_in")


def refuse(call: Call, fault: AccountError) -> web.Response:
    """An error as a page. It says what to do, and nothing that came with the request."""
    status, _message = fault.render(legacy=not call.era.modern)
    answer = show(call, "refusal", status=status, reason=fault.type)
    if fault.retry_after:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


async def ask(call: Call, page: str, model: type[Body], **facts: bool) -> web.Response:
    call.body = dict(call.request.query)
    return _question(call, page, await bodies.read(call, model), **facts)


def _question(call: Call, page: str, proof: Body, *, status: int = 200, **facts: bool) -> web.Response:
    """A form that sends the link's secret when its button is pressed, and what is typed into it."""
    action = f"{targets.canonical(call.request.path)}?{urlencode({'project': call.project.id})}"
    fields = {name: value.reveal() if isinstance(value, Secret) else value for name, value in proof}
    answer = show(call, page, status=status, action=action, fields=fields, **facts)
    # Under no-referrer a browser sends the form with `Origin: null`, as any foreign page can. This one tells no more
    # than our origin, so the secret in the address stays here.
    answer.headers["Referrer-Policy"] = "strict-origin"
    return answer


def show(call: Call, page: str, *, status: int = 200, **facts: object) -> web.Response:
    catalogue = _catalogue(call)
    html = _ENVIRONMENT.get_template(f"pages/{page}.html").render(
        language=catalogue.language,
        gettext=catalogue.one,
        ngettext=catalogue.several,
        project=call.found_project.name if call.found_project else "",
        **facts,
    )
    policy = {"Content-Security-Policy": _POLICY}
    return web.Response(text=html, status=status, content_type="text/html", charset="utf-8", headers=policy)


def _catalogue(call: Call) -> language.Catalogue:
    """What the request names, else what the browser prefers, else the project's."""
    accepted = headers.joined(call.request, "Accept-Language")[:256].split(",")
    preferred = [entry.partition(";")[0] for entry in accepted]
    project = call.found_project.locale if call.found_project else ""
    return language.choose(_CATALOGUES, call.client.locale, *preferred, project)
