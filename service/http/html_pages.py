"""HTML pages of the service, as templates/pages has them, in the reader's language and under a policy of their own."""

from functools import lru_cache
from typing import Any, Literal

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from service import i18n
from service.http import client_info
from service.http.context import RequestContext
from service.http.page_branding import PageBranding
from service.http.security_headers import Response, inline_source

Script = Literal["password", "forward"]


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
_CATALOGUES = i18n.Catalogues(i18n.TEMPLATES)


_STYLE, *_SCRIPTS = (
    inline_source(_ENVIRONMENT.get_template(f"pages/{file}").render())
    for file in ("style.css", "password.js", "forward.js")
)
_SCRIPT_OF: dict[Script, str] = dict(zip(("password", "forward"), _SCRIPTS, strict=True))


def render_page(
    ctx: RequestContext, page: str, *, status: int = 200, locale: str = "", script: Script | None = None, **facts: Any
) -> web.Response:
    """Render a page; `locale` is that of its reader's preferences, `script` is the one that the page holds.

    A page with a form may tell its origin. Under no-referrer a browser sends a form with `Origin: null`, as any foreign
    page can.
    """
    catalogue = _catalogue(ctx, locale)
    name = ctx.branding.name
    html = _ENVIRONMENT.get_template(f"pages/{page}.html").render(
        language=catalogue.language,
        direction=catalogue.direction,
        gettext=catalogue.one,
        ngettext=catalogue.several,
        # A name in another direction than the page's stays in one piece.
        project=Markup("<bdi>{}</bdi>").format(name) if name and catalogue.direction == "rtl" else name,
        brand=ctx.branding,
        home=ctx.branding.home,
        **facts,
    )
    policies = {"Content-Security-Policy": _policy(ctx.branding, script)}
    if facts.get("action"):
        policies["Referrer-Policy"] = "strict-origin"
    return Response(text=html, status=status, content_type="text/html", charset="utf-8", headers=policies)


@lru_cache(256)
def _policy(branding: PageBranding, script: Script | None) -> str:
    """Allow what stands in the page itself: our style, the project's, its logo, our script."""
    allowed = f"script-src {_SCRIPT_OF[script]}; " if script else ""
    style = f"{_STYLE} {inline_source(branding.style)}" if branding.style else _STYLE
    image = "img-src data:; " if branding.logo else ""
    return (
        f"default-src 'none'; {allowed}style-src {style}; {image}"
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def _catalogue(ctx: RequestContext, preferred: str) -> i18n.Catalogue:
    """Choose the language that the request names, else the user's, else that of the browser, else the project's."""
    of_browser = client_info.accepted_languages(ctx.request)
    project = ctx.found_project.locale if ctx.found_project else ""
    return i18n.choose(_CATALOGUES, ctx.client.locale, preferred, *of_browser, project)
