"""Pages of the documentation site, and their policy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from service.http import openapi
from service.http.docs import articles, reference
from service.http.docs.markup import limit, text
from service.http.docs.reference import Section
from service.http.docs.snippets import LANGUAGES, Target
from service.http.security_headers import inline_source
from service.project_files import ROOT

_FOLDER = ROOT / "templates" / "pages" / "docs"


@dataclass(frozen=True, slots=True)
class Site:
    """The service at an address, with the pages that its menu lists."""

    address: str
    articles: Mapping[str, articles.Article]
    sections: Mapping[str, Section]

    @property
    def menu(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Groups of links: address and title."""
        named = [(f"/docs/{name}", article.title) for name, article in self.articles.items()]
        return [
            ("Guides", [link for link in named if link[0].startswith("/docs/guides/")]),
            (
                "Reference",
                [
                    ("/docs/api", "Overview"),
                    *((f"/docs/api/{slug}", section.title) for slug, section in self.sections.items()),
                    ("/docs/errors", "Errors"),
                ],
            ),
            ("Handbook", [link for link in named if link[0].startswith("/docs/handbook/")]),
        ]


@dataclass(frozen=True, slots=True)
class Found:
    """A line of the search page: `words` are searched besides what is shown."""

    title: str
    href: str
    about: str
    words: str


def start(site: Site) -> bytes:
    guides = [(f"/docs/{name}", each) for name, each in site.articles.items() if name.startswith("guides/")]
    about = [(href, each.title, articles.summary(each)) for href, each in guides]
    return _render(site, "start", "/docs", version=openapi.document(site.address)["info"]["version"], guides=about)


def article(site: Site, name: str) -> bytes:
    found = site.articles[name]
    content = Markup(articles.html(found, Target(site.address)))  # noqa: S704 - rendered from our own file
    return _render(site, "article", f"/docs/{name}", article=found, content=content, parts=list(articles.parts(found)))


def overview(site: Site) -> bytes:
    return _render(site, "overview", "/docs/api", document=openapi.document(site.address))


def section(site: Site, slug: str) -> bytes:
    return _render(site, "section", f"/docs/api/{slug}", section=site.sections[slug], languages=LANGUAGES)


def errors(site: Site) -> bytes:
    return _render(site, "errors", "/docs/errors", errors=reference.errors(site.address))


def search(site: Site) -> bytes:
    """List everything; the page's script shows what fits."""
    groups = {"Guides and handbook": _articles(site), "Routes": _routes(site), "Errors": _errors(site)}
    return _render(site, "search", "/docs/search", groups={name: list(found) for name, found in groups.items()})


def _articles(site: Site) -> Iterator[Found]:
    for name, each in site.articles.items():
        yield Found(each.title, f"/docs/{name}", articles.summary(each), "")
        for part in articles.parts(each):
            yield Found(part.title, f"/docs/{name}#{part.anchor}", each.title, _words(part.text))


def _routes(site: Site) -> Iterator[Found]:
    for slug, found in site.sections.items():
        for entry in found.entries:
            title = f"{entry.method} {entry.paths[0]}"
            words = _words(f"{entry.operation['description']} {' '.join(entry.paths)} {entry.sdk}")
            yield Found(title, f"/docs/api/{slug}#{entry.anchor}", entry.summary, words)


def _errors(site: Site) -> Iterator[Found]:
    types = {error["type"]: error for error in reference.errors(site.address)}
    for type_, error in sorted(types.items()):
        yield Found(type_, f"/docs/errors#error-{type_}", error["message"], str(error["code"]))


def _words(text: str) -> str:
    """Each word once, in lower case."""
    return " ".join(dict.fromkeys(text.lower().split()))


def _render(site: Site, template: str, here: str, **facts: Any) -> bytes:
    page = _environment().get_template(f"{template}.html")
    return page.render(site=site, here=here, **facts).encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": text,
        "limit": limit,
        "kind": reference.kind_of,
        "about": reference.description_of,
        "example": lambda value: value if isinstance(value, str) else _json(value),
        "reason": lambda status: f"{status} {HTTPStatus(int(status)).phrase}",
    }
    environment.globals |= {
        "style": Markup((_FOLDER / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        "script": Markup((_FOLDER / "docs.js").read_text(encoding="utf-8")),  # noqa: S704 - our own file
    }
    return environment


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


@cache
def policy() -> str:
    """Content security policy: the page's own style and script, and a form that asks this service."""
    style, script = (inline_source(str(_environment().globals[name])) for name in ("style", "script"))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
