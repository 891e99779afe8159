"""Branding on a project's pages: its logo or name, its colour, its words, and the way back to its app."""

from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache

from service.accent_colors import choose_accent
from service.links import main_host
from service.store.branding import Branding, BrandingCache, Logo, LogoCache
from service.store.projects import Project


@dataclass(frozen=True, slots=True)
class PageBranding:
    """`home` is the app's address, `logo` a data: address, `style` the rules of the project's colour; "" is not set."""

    name: str = ""
    home: str = ""
    logo: str = ""
    style: str = ""
    support_address: str = ""
    footer_text: str = ""


UNBRANDED = PageBranding()


async def load(project: Project, branding: BrandingCache, logos: LogoCache) -> PageBranding:
    found = await branding.find(project.id) or Branding(project.id, project.name)
    logo = await logos.find(project.id, found.logo_digest) if found.logo_digest else None
    return PageBranding(
        name=project.name,
        home=found.app_url or _home(project),
        logo=_address(logo) if logo else "",
        style=_style(found.accent_color) if found.accent_color else "",
        support_address=found.support_address,
        footer_text=found.footer_text,
    )


def _home(project: Project) -> str:
    """Return the address of the app's only site; "" where only the user knows it."""
    host = main_host.find(project.hostnames)
    return f"https://{host}/" if host else ""


@lru_cache(32)
def _address(logo: Logo) -> str:
    """Write the image into the page, which then loads nothing."""
    return f"data:{logo.media_type};base64,{b64encode(logo.data).decode()}"


@lru_cache(256)
def _style(color: str) -> str:
    """Give the project's colour to buttons, with an edge where it would melt into their ground."""
    accent = choose_accent(color)
    usual = f":root {{ --act: {accent.fill}; --on-act: {accent.ink}; --act-edge: {accent.edge} }}"
    return f"{usual} @media (prefers-color-scheme: dark) {{ :root {{ --act-edge: {accent.dark_edge} }} }}"
