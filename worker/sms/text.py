"""Text of an SMS: the code first, for it is read on a locked screen; in the reader's language."""

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from service import i18n
from service.i18n import TEMPLATES, Catalogue, Catalogues
from service.links import main_host

# Of a project's name: an SMS has room for 70 characters outside the GSM alphabet, and each further part costs.
_NAME = 30


def render(*, code: str, project_name: str, hostnames: list[str], locale: str) -> str:
    """Render the text. A browser fills the code in on the project's one site (WICG, origin-bound one-time codes)."""
    catalogue = i18n.choose(_catalogues(), locale)
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in project_name).split())
    if len(name) > _NAME:
        name = f"{name[: _NAME - 1].rstrip()}…"
    text = _template(catalogue).render(code=code, project=name).strip()
    host = main_host.find(hostnames)
    return f"{text}\n\n@{host} #{code}" if host else text


@cache
def _catalogues() -> Catalogues:
    return Catalogues(TEMPLATES)


@cache
def _template(catalogue: Catalogue) -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=False,  # noqa: S701 - a text message has no markup
        undefined=StrictUndefined,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined] # the i18n extension adds it at run time
        catalogue.one, catalogue.several, newstyle=True
    )
    return environment.get_template("sms.txt")
