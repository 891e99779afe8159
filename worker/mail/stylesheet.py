"""Puts the letters' stylesheet into their templates, because many mail programs ignore <style>.

css-inline does it once for each template, when a worker starts. It parses HTML, so Jinja's tags are hidden from it:
a `{% tag %}` as a comment, which may stand anywhere between elements, a `{{ value }}` as a word, which may also stand
in an attribute. A selector sees only its own template file, so the stylesheet has classes and nothing else.
"""

import re
from collections.abc import Callable
from pathlib import Path

import css_inline
from jinja2 import Environment, FileSystemLoader

STYLESHEET = "base/letter.css"
_JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_HIDDEN = re.compile(r"<!--jinja(\d+)-->|JINJA(\d+)JINJA")
# A <style> that must stay as it is: media queries can't be inlined.
_KEPT = ' data-css-inline="ignore"'


class InliningLoader(FileSystemLoader):
    """Loader of the letters' templates whose HTML has its styles inlined."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._css = (folder / STYLESHEET).read_text()
        self._inliner = css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False, extra_css=self._css)

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, is_fresh = super().get_source(environment, template)
        return (self.inline(source) if template.endswith(".html") else source), path, is_fresh

    def inline(self, source: str) -> str:
        """Inline the styles of a whole page or a part of one."""
        hidden: list[str] = []

        def hide(found: re.Match[str]) -> str:
            hidden.append(found[0])
            number = len(hidden) - 1
            return f"JINJA{number}JINJA" if found[0].startswith("{{") else f"<!--jinja{number}-->"

        html = _JINJA.sub(hide, source)
        whole = html.lstrip().lower().startswith("<!doctype")
        html = self._inliner.inline(html) if whole else self._inliner.inline_fragment(html, css=self._css)
        shown = _HIDDEN.sub(lambda found: hidden[int(found[1] or found[2])], html)
        return shown.replace(_KEPT, "")
