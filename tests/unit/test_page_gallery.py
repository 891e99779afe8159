"""The gallery of hosted pages."""

from service.i18n import TEMPLATES
from testkit.page_gallery import PARTS, STATES, hosted_pages


def test_each_page_is_shown():
    """A page that nobody looks at has faults that nobody sees: each template is in the gallery, or a part of others."""
    assert {path.stem for path in (TEMPLATES / "pages").glob("*.html")} == {*STATES} | PARTS


def test_each_state_differs():
    """A state that looks like another shows nothing."""
    shown = list(hosted_pages(languages=["en"]))
    texts = {page.html: page.path for page in shown}
    assert len(texts) == len(shown), sorted({page.path for page in shown} - {*texts.values()})
