"""The documentation page, as a browser takes it."""

import hashlib
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from service import app
from service.api import docs
from testkit.api import Api
from testkit.documented import Documented


class Seen(HTMLParser):
    """Texts by the article or section they stand in, and all that a browser would act on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.texts: dict[str, str] = {}
        self.style = ""
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
            self._place = given["id"]
        if "href" in given:
            self.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("article", "section"):
            self._place = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "style":
            self.style += data
            self._tag = ""
        self.texts[self._place] = self.texts.get(self._place, "") + data


@pytest.fixture
async def answer(api: Api):
    return await api.call("GET", "/docs", headers={"X-Appwrite-Project": None})


@pytest.fixture
def seen(answer) -> Seen:
    return Seen(answer.data)


async def test_every_route_stands_on_it(seen: Seen):
    """Each route has an anchor, all its paths, its parameters, limits, body, a curl line, answers and errors."""
    documented = Documented()
    for route in (route for route in app.routes() if not route.page):
        text = seen.texts[route.name]
        assert all(path in text for path in route.paths)
        assert f"curl{'' if route.method == 'GET' else f' -X {route.method}'} http://localhost:8080/v1/" in text
        operation = documented.find(route.method, route.paths[0]).content
        for limit in route.limits:
            assert f"{limit.rule.limit} calls an hour" in text, route.name
        for name in route.contract.request.model_fields if route.contract.request else ():
            assert name in text, (route.name, name)
        for parameter in route.contract.query:
            assert parameter.name in text
        assert all(f"{status} " in text for status in operation["responses"]), route.name
    assert len(seen.ids) == len(set(seen.ids))


async def test_every_error_stands_on_it(seen: Seen):
    """The page lists each error that some route gives, in both eras' words."""
    for example in Documented().document["components"]["examples"].values():
        told = seen.texts["error-" + example["value"]["type"]]
        assert example["value"]["message"] in told
        assert str(example["value"]["code"]) in told


async def test_links_stay_on_it(seen: Seen):
    """Every anchor that is linked exists, and nothing leads away from the service."""
    assert {link for link in seen.links if not link.startswith("#")} == {"/v1/openapi.json"}
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(seen.ids)


async def test_nothing_is_loaded_or_run(answer, seen: Seen):
    """The policy allows the page's own style alone, and the page has nothing else."""
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form"} & seen.tags
    assert not {name for name in seen.attributes if name.startswith("on") or name in ("style", "src", "http-equiv")}
    assert "url(" not in seen.style
    assert "@import" not in seen.style
    digest = b64encode(hashlib.sha256(seen.style.encode()).digest()).decode()
    assert answer.headers.getall("Content-Security-Policy") == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ]


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
    assert docs.kind_of(schema) == words
