"""Articles: the guides and the handbook, rendered from the Markdown files of docs/."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from service.http.docs.snippets import Target
from service.project_files import ROOT

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FOLDER = ROOT / "docs"
# In the order of the menu.
GUIDES = (
    "quick-start",
    "verification",
    "password-reset",
    "sign-in-by-mail",
    "phone-codes",
    "sign-in-with-providers",
    "second-factors",
    "codes",
    "passkeys",
    "push-targets",
    "cookies",
    "server-side-rendering",
    "server-made-sessions",
    "mobile-apps",
    "api-keys",
)
HANDBOOK = (
    "projects", "keys", "pages", "templates", "accounts", "second-factors", "passkeys", "sign-in-providers",
    "identities", "push-targets", "events", "limits", "contract", "clients",
)  # fmt: skip
# Pages of the site that stand for other files of docs/.
_ELSEWHERE = {"routes": "/docs/api", "errors": "/docs/errors"}
_OWN = "http://localhost:8080"


@dataclass(frozen=True, slots=True)
class Article:
    """A page of Markdown; `name` is its path behind /docs/."""

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A heading of an article with the text below it, for the search."""

    title: str
    anchor: str
    text: str


@cache
def contents() -> dict[str, Article]:
    """Read all articles, by name."""
    files = [(f"guides/{name}", _FOLDER / "guides" / f"{name}.md") for name in GUIDES]
    files += [(f"handbook/{name}", _FOLDER / f"{name}.md") for name in HANDBOOK]
    return {name: _article(name, path.read_text(encoding="utf-8")) for name, path in files}


def _article(name: str, text: str) -> Article:
    return Article(name, text.partition("\n")[0].removeprefix("# "), text)


def summary(article: Article) -> str:
    """First sentence of an article."""
    paragraph = article.text.split("\n\n")[1].replace("\n", " ")
    return re.split(r"(?<=[.:])\s", _plain(paragraph), maxsplit=1)[0].rstrip(":")


def parts(article: Article) -> Iterator[Part]:
    """Split an article at its headings of the second level."""
    for block in re.split(r"^## ", article.text, flags=re.MULTILINE)[1:]:
        title, _, text = block.partition("\n")
        yield Part(_plain(title), slug(title), _plain(text))


def _plain(text: str) -> str:
    """Text without the marks of Markdown; links keep their words."""
    return re.sub(r"[`*|]|<!--.*?-->", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))


def slug(heading: str) -> str:
    """Anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w -]", "", _plain(heading).lower()).strip().replace(" ", "-")


def html(article: Article, target: Target) -> str:
    """Render an article: headings get anchors, links lead to the site's own pages, code to this service."""
    parser = _parser()
    tokens = parser.parse(article.text)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following:
            token.attrSet("id", slug(following.content))
        elif token.type == "fence":
            token.content = aimed(token.content, target)
        elif token.type == "inline":
            _relink(token.children or [], article)
    return str(parser.renderer.render(tokens, parser.options, {}))


def aimed(code: str, target: Target) -> str:
    """Put this service's address and project into code that is written for the demo."""
    return re.sub(r"\bdemo\b", target.project, code.replace(_OWN, target.address))


@cache
def _parser() -> "MarkdownIt":
    """Make the parser; the library is imported by the first article that is read."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 2 MB and 70 ms that most processes never need

    parser = MarkdownIt("commonmark").enable("table")
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("table_open", lambda *_: '<div class="wide" tabindex="0"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


def _fence(_renderer: Any, tokens: "list[Token]", place: int, *_: Any) -> str:
    """Render code as an element that scrolls by keyboard."""
    from markdown_it.common.utils import escapeHtml  # noqa: PLC0415 - as above

    return f'<pre tabindex="0"><code>{escapeHtml(tokens[place].content)}</code></pre>\n'


def _relink(tokens: "list[Token]", article: Article) -> None:
    """Let links lead to pages of the site. Of a file that it does not have, the name stands behind the words."""
    unlinked = ""
    for token in tokens:
        if token.type == "link_open":
            href = str(token.attrGet("href") or "")
            if address := _address(href, article):
                token.attrSet("href", address)
                unlinked = ""
            else:
                token.tag, token.attrs, unlinked = "span", {}, _name(href, article)
        elif token.type == "link_close" and unlinked:
            token.type, token.tag, token.nesting, token.content = (
                "html_inline",
                "",
                0,
                f"</span> (<code>{unlinked}</code>)",
            )


def _address(href: str, article: Article) -> str:
    """Address of a link on the site; empty for files of the repository that are no pages."""
    if href.startswith(("https://", "http://", "#")):
        return href
    name, anchor = _name(href, article).removeprefix("docs/").removesuffix(".md"), href.partition("#")[2]
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    page = name if name.startswith("guides/") else f"handbook/{name}"
    return f"/docs/{page}" + (f"#{anchor}" if anchor else "") if page in contents() else ""


def _name(href: str, article: Article) -> str:
    """Path in the repository of the file that a link leads to, `docs/limits.md`."""
    folder = "docs/guides" if article.name.startswith("guides/") else "docs"
    return normpath(f"{folder}/{href.partition('#')[0]}")
