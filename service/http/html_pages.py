"""HTML pages of the service: a form with a button, a result, an error. The texts are in templates/pages."""

from base64 import b64encode
from hashlib import sha256
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from service import i18n
from service.crypto.secret import Secret
from service.errors import AccountError
from service.http import headers, request_body, request_target
from service.http.context import RequestContext
from service.http.request_body import Body


def _open() -> Environment:
    """Compile every page, so that a broken one stops the start."""
    environment = Environment(
        loader=FileSystemLoader(i18n.TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    for path in (i18n.TEMPLATES / "pages").glob("*.html"):
        environment.get_template(f"pages/{path.name}")
    return environment


_ENVIRONMENT = _open()
_CATALOGUES = i18n.read(i18n.TEMPLATES)
_STYLE = b64encode(sha256(_ENVIRONMENT.get_template("pages/style.css").render().encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def refusal_page(ctx: RequestContext, fault: AccountError) -> web.Response:
    """Render an error as a page. It names the next step, and repeats nothing that came with the request."""
    status, _message = fault.render(legacy=not ctx.api_version.modern)
    answer = render_page(ctx, "refusal", status=status, reason=fault.type)
    if fault.retry_after:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


async def confirmation_page(ctx: RequestContext, page: str, model: type[Body], **facts: bool) -> web.Response:
    ctx.body = dict(ctx.request.query)
    return form_page(ctx, page, await request_body.read(ctx, model), **facts)


def form_page(ctx: RequestContext, page: str, proof: Body, *, status: int = 200, **facts: bool) -> web.Response:
    """Render a form whose button sends the link's secret and the user's input."""
    action = f"{request_target.canonical(ctx.request.path)}?{urlencode({'project': ctx.project.id})}"
    known = {name: value for name, value in proof if value is not None}
    fields = {name: value.reveal() if isinstance(value, Secret) else value for name, value in known.items()}
    answer = render_page(ctx, page, status=status, action=action, fields=fields, **facts)
    # Under no-referrer a browser sends the form with `Origin: null`, as any foreign page can. This one tells no more
    # than our origin, so the secret in the address stays here.
    answer.headers["Referrer-Policy"] = "strict-origin"
    return answer


def render_page(ctx: RequestContext, page: str, *, status: int = 200, **facts: object) -> web.Response:
    catalogue = _catalogue(ctx)
    html = _ENVIRONMENT.get_template(f"pages/{page}.html").render(
        language=catalogue.language,
        gettext=catalogue.one,
        ngettext=catalogue.several,
        project=ctx.found_project.name if ctx.found_project else "",
        **facts,
    )
    policy = {"Content-Security-Policy": _POLICY}
    return web.Response(text=html, status=status, content_type="text/html", charset="utf-8", headers=policy)


def _catalogue(ctx: RequestContext) -> i18n.Catalogue:
    """Choose the language that the request names, else that of the browser, else the project's."""
    accepted = headers.joined(ctx.request, "Accept-Language")[:256].split(",")
    preferred = [entry.partition(";")[0] for entry in accepted]
    project = ctx.found_project.locale if ctx.found_project else ""
    return i18n.choose(_CATALOGUES, ctx.client.locale, *preferred, project)
