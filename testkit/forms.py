"""A page as a browser without scripts takes it: its elements, its style, and its form ready to be sent."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """`form` is the action of the only form, `fields` what it sends; `loads` is whatever would be fetched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.loads: list[str] = []
        self.language = ""
        self.style = ""
        self.heading = ""
        self.form = ""
        self.fields: dict[str, str] = {}
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes += given.items()
        self.loads += [given[name] for name in ("src", "href", "srcset", "data", "background") if name in given]
        self._inside = tag
        if tag == "html":
            self.language = given.get("lang", "")
        if tag == "form":
            assert not self.form, "one form a page"
            assert given["method"] == "post"
            self.form = given["action"]
        if tag == "input":
            self.fields[given["name"]] = given.get("value", "")  # none where something is to be typed

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.style += data
        if self._inside == "h1":
            self.heading += data.strip()
