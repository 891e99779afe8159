"""Branding of a project on its pages."""

import hashlib
import re
from base64 import b64encode

import pytest

from service.accent_colors import choose_accent, contrast
from service.db import Pool
from service.store import branding
from service.store.branding import Logo
from testkit.api import Api
from testkit.forms import Page
from testkit.hosted_pages import open_link

FORM = "/auth/recovery/new?project=shop"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'


async def test_a_page_shows_the_projects_branding(api: Api, pool: Pool):
    """The logo in place of the name, the support address, the footer, and the way back to the app."""
    facts = {
        "app_url": "https://app.example/start",
        "support_address": "help@shop.example",
        "footer_text": "Shop <1>",
    }
    await branding.change(pool, "shop", **facts)
    await branding.set_logo(pool, "shop", logo=Logo("image/svg+xml", SVG))
    answer = await open_link(api, FORM)
    page = Page(answer.data)
    logo = f"data:image/svg+xml;base64,{b64encode(SVG).decode()}"
    assert page.loads == [logo, "https://app.example/start", "mailto:help@shop.example"]
    assert ("alt", "Shop") in page.attributes
    assert "Shop &lt;1&gt;" in answer.data
    assert "; img-src data:; " in answer.headers["Content-Security-Policy"]


async def test_a_page_without_branding_allows_no_image(api: Api):
    """A policy allows nothing that its page does not have."""
    answer = await open_link(api, FORM)
    assert "img-src" not in answer.headers["Content-Security-Policy"]
    assert "<img" not in answer.data


@pytest.mark.parametrize("color", ["#ffb300", "#000000", "#ffffff", "#0b57d0"])
async def test_buttons_have_the_projects_colour(api: Api, pool: Pool, color: str):
    """The policy names the style by its hash; the label can be read on any colour."""
    await branding.change(pool, "shop", accent_color=color)
    answer = await open_link(api, FORM)
    (style,) = re.findall(r"<style>(:root \{ --act: .*?)</style>", answer.data)
    assert f"--act: {color}; --on-act: {choose_accent(color).ink}" in style
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f" 'sha256-{digest}'; " in answer.headers["Content-Security-Policy"]
    assert contrast(color, choose_accent(color).ink) >= 4.5
