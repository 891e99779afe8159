"""The documentation site, as a browser without scripts takes it."""

import hashlib
import re
import subprocess
import sys
from base64 import b64encode
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from service import app
from service.http import docs
from service.http.docs import articles, reference
from testkit.api import Api
from testkit.documented import Documented
from testkit.sources import ROOT

ADDRESS = "http://localhost:8080"


class Seen(HTMLParser):
    """Texts by the article or section they stand in, and all that a browser would act on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.attributes: set[str] = set()
        self.texts: dict[str, str] = {}
        self.raw: dict[str, str] = {"style": "", "script": ""}
        self._place, self._tag = "", ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes |= given.keys()
        self._tag = tag
        if "id" in given:
            self.ids.append(given["id"])
        if tag in ("article", "section"):
            self._place = given.get("id", "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "href" in given:
            self.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""
        if tag in ("article", "section"):
            self._place = ""

    def handle_data(self, data: str) -> None:
        if self._tag in self.raw:
            self.raw[self._tag] += data
        self.texts[self._place] = self.texts.get(self._place, "") + data


@pytest.fixture(scope="module")
def site() -> dict[str, Seen]:
    """Every page, by its path."""
    app.routes()
    return {
        f"/docs/{name}".rstrip("/"): Seen((docs.page(ADDRESS, name) or b"").decode()) for name in docs.names(ADDRESS)
    }


async def test_pages_are_served(api: Api):
    """Each is HTML with its policy, without a project; a path that is none of them is 404."""
    for path in ("/docs", "/docs/", "/docs/api", "/docs/api/sessions", "/docs/guides/quick-start", "/docs/search"):
        answer = await api.call("GET", path, headers={"X-Appwrite-Project": None})
        assert (answer.status, answer.content_type) == (200, "text/html"), path
        assert answer.headers.getall("Content-Security-Policy") == [docs.policy()]
    for path in (
        "/docs/nothing",
        "/docs/api/nothing",
        "/docs/guides/..%2fsecurity",
        "/docs/handbook/security",
        "/docs/a/b/c",
    ):
        assert (await api.call("GET", path)).status == 404, path


def test_every_route_that_does_something_has_its_place(site: dict[str, Seen]):
    """A route has its paths, parameters, limits, body, code, answers and errors; one that only refuses is left out."""
    documented = Documented()
    everything = "".join(text for seen in site.values() for text in seen.texts.values())
    texts = {
        place: text
        for path, seen in site.items()
        if path.startswith("/docs/api/")
        for place, text in seen.texts.items()
    }
    for route in (route for route in app.routes() if not route.page):
        if route.contract.refuses:
            assert route.name not in texts
            continue
        text = texts[route.name]
        assert all(path in text for path in route.paths)
        assert f"curl{'' if route.method == 'GET' else f' -X {route.method}'} {ADDRESS}/v1/" in text
        operation = documented.find(route.method, route.paths[0]).content
        for limit in route.limits:
            assert f"{limit.rule.limit} calls an hour" in text, route.name
        for name in route.contract.request.model_fields if route.contract.request else ():
            assert name in text, (route.name, name)
        for parameter in route.contract.query:
            assert parameter.name in text
        assert all(f"{status} " in text for status in operation["responses"]), route.name
    assert "/v1/account/sessions/email" in everything


def test_sections_have_titles_for_people(site: dict[str, Seen]):
    """Abbreviations are written as such, and words of the code are not shown."""
    titles = {slug: section.title for slug, section in reference.contents(ADDRESS).items()}
    wanted = {"mfa": "MFA", "user-jwts": "User JWTs", "recovery-otp": "Recovery by code", "oauth2": "OAuth2"}
    assert {slug: titles[slug] for slug in wanted} == wanted
    assert titles["id-token-sessions"] == "ID token sessions"


def test_every_error_has_its_place(site: dict[str, Seen]):
    """The page of errors lists each that some route gives, in both eras' words."""
    for example in Documented().document["components"]["examples"].values():
        told = site["/docs/errors"].texts["error-" + example["value"]["type"]]
        assert example["value"]["message"] in told
        assert str(example["value"]["code"]) in told


def test_no_link_is_dead(site: dict[str, Seen]):
    """Each leads to a page of the site, to a heading that it has, to the API document, or to another site by https."""
    for path, seen in site.items():
        assert len(seen.ids) == len(set(seen.ids)), path
        for link in seen.links:
            target, _, anchor = link.partition("#")
            if link.startswith("https://") or link in ("/v1/openapi.json", "http://localhost:8025"):
                continue
            assert (target or path) in site, (path, link)
            assert not anchor or anchor in site[target or path].ids, (path, link)


def test_every_page_is_reached_from_every_page(site: dict[str, Seen]):
    """The menu lists all of them."""
    for path, seen in site.items():
        assert {*site} - {"/docs/search"} <= {*seen.links}, path


def test_headings_and_landmarks(site: dict[str, Seen]):
    """A page has one heading of the first level, skips no level, and marks its parts."""
    for path, seen in site.items():
        assert seen.headings.count(1) == 1, path
        steps = [later - earlier for earlier, later in pairwise(seen.headings)]
        assert max(steps) <= 1, (path, seen.headings)
        assert {"header", "main", "nav", "form", "label"} <= seen.tags, path


def test_nothing_is_loaded(site: dict[str, Seen]):
    """The policy allows the page's own style and script alone, and the page has nothing else."""
    for path, seen in site.items():
        assert not {"img", "link", "iframe", "object", "embed", "base"} & seen.tags, path
        forbidden = {
            name for name in seen.attributes if name.startswith("on") or name in ("style", "src", "http-equiv")
        }
        assert not forbidden, path
        assert "url(" not in seen.raw["style"]
        assert "@import" not in seen.raw["style"]
        style, script = (
            b64encode(hashlib.sha256(seen.raw[tag].encode()).digest()).decode() for tag in ("style", "script")
        )
        assert docs.policy() == (
            f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )


def test_the_guides_are_those_of_docs(site: dict[str, Seen]):
    """Every Markdown file of docs/guides is a page; its code names the service that shows it."""
    assert {path.stem for path in (ROOT / "docs" / "guides").glob("*.md")} == set(articles.GUIDES)
    far = (docs.page("https://accounts.example.com", "guides/quick-start") or b"").decode()
    assert "https://accounts.example.com/v1" in far
    assert "YOUR_PROJECT" in far
    assert not re.search(r"<pre[^>]*>(?:(?!</pre>).)*(?:localhost:8080|\bdemo\b)", far, re.DOTALL)
    assert "setProject(&quot;demo&quot;)" in (docs.page(ADDRESS, "guides/quick-start") or b"").decode()


def test_nothing_is_made_before_it_is_read():
    """A process whose documentation nobody reads holds neither the parser nor a page."""
    code = (
        "import sys; from service import app; app.routes(); "
        "print([name for name in sys.modules if name.startswith('markdown_it')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "minLength": 6, "maxLength": 256}, "string, 6 to 256 characters"),
        ({"anyOf": [{"type": "string", "maxLength": 36}, {"type": "null"}]}, "string, at most 36 characters"),
        ({"type": "string", "format": "email"}, "email"),
        ({"type": "array", "items": {"type": "string"}}, "array of string"),
        ({"type": "integer", "minimum": 0, "maximum": 100}, "integer, 0 to 100"),
        ({"enum": ["ASC", "DESC"]}, '"ASC" or "DESC"'),
        ({}, "any"),
    ],
)
def test_kinds_in_words(schema: dict[str, object], words: str):
    """A parameter's type is described in a few words."""
    assert reference.kind_of(schema) == words
