"""Branding of a project: from the command line into letters and caches."""

from pathlib import Path

import pytest

from service.db import Pool
from service.store import branding
from service.store.branding import Branding, BrandingCache, Logo, LogoCache
from service.store.projects import Project
from testkit.images import SVG, png
from tests.integration.conftest import Terminal

FACE = {
    "reply_to": "Help@example.com", "support_address": "support@example.com", "app_url": "https://shop.example/",
    "accent_color": "#ffcc00", "footer_text": "Shop Ltd, 1 High Street",
}  # fmt: skip


def options() -> list[str]:
    return [word for name, value in FACE.items() for word in (f"--{name.replace('_', '-')}", value)]


async def test_a_project_gets_a_face(type_: Terminal, pool: Pool, tmp_path: Path):
    """Set together with rules, shown, taken back one by one; the logo is kept byte for byte."""
    (tmp_path / "logo.png").write_bytes(png())
    await type_("projects", "create", "shop")
    changed = await type_.json(
        "projects", "set", "shop", "--locale", "de", *options(), "--logo", str(tmp_path / "logo.png")
    )
    assert changed.items() >= (FACE | {"locale": "de", "logo": "image/png"}).items()
    assert await type_.json("projects", "show", "shop") == changed
    assert await type_.json("projects", "list") == [changed]
    found = await branding.find(pool, "shop")
    assert found
    assert await LogoCache(pool).find("shop", found.logo_digest or "") == Logo("image/png", png())
    changed = await type_.json("projects", "set", "shop", "--no-logo", "--accent-color", "")
    assert changed.items() >= (FACE | {"accent_color": "", "logo": ""}).items()


async def test_an_svg_comes_with_a_word_of_warning(type_: Terminal, tmp_path: Path):
    """Gmail and Outlook don't show SVG, which the operator learns when it is set, on standard error."""
    await type_("projects", "create", "shop")
    for name, content, said in (("a.svg", SVG.encode(), True), ("a.png", png(), False)):
        (tmp_path / name).write_bytes(content)
        code, _, err = await type_("projects", "set", "shop", "--logo", str(tmp_path / name))
        assert (code, "Gmail and Outlook" in err) == (0, said)


async def test_who_has_set_nothing_has_a_name(pool: Pool, project: Project):
    """A project without a row of its own is found; one that isn't there is not."""
    assert await branding.find(pool, "shop") == Branding("shop", "Shop")
    assert await branding.find(pool, "nowhere") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"accent_color": "red"}, "accent_color"), ({"accent_color": "#FFF000"}, "accent_color"),
     ({"app_url": "javascript:x"}, "app_url"), ({"footer_text": "x" * 301}, "footer_text")],
)  # fmt: skip
async def test_the_schema_refuses_too(pool: Pool, project: Project, changes: dict[str, str], said: str):
    """Text that no letter may hold can't be written past the command line either."""
    with pytest.raises(Exception, match=said):
        await branding.change(pool, "shop", **changes)


@pytest.mark.parametrize("logo", [Logo("image/gif", b"x"), Logo("image/png", b""), Logo("image/png", b"x" * 65_537)])
async def test_the_schema_bounds_a_logo(pool: Pool, project: Project, logo: Logo):
    """Type and size."""
    with pytest.raises(Exception, match="logo"):
        await branding.set_logo(pool, "shop", logo=logo)


async def test_the_caches(pool: Pool, project: Project):
    """Branding is read once a second at most; a digest always stands for the same logo."""
    cache, logos = BrandingCache(pool), LogoCache(pool)
    first = await cache.find("shop")
    await branding.set_logo(pool, "shop", logo=Logo("image/png", b"one"))
    assert await cache.find("shop") is first
    assert await cache.find("../x") is None
    one = (await branding.find(pool, "shop") or Branding("", "")).logo_digest or ""
    assert await logos.find("shop", one) == Logo("image/png", b"one")
    await branding.set_logo(pool, "shop", logo=Logo("image/png", b"two"))
    assert await logos.find("shop", one) == Logo("image/png", b"one"), "kept"
    assert await LogoCache(pool).find("shop", one) is None, "replaced"
    for number in range(LogoCache._MOST + 1):
        await branding.set_logo(pool, "shop", logo=Logo("image/png", b"%d" % number))
        digest = (await branding.find(pool, "shop") or Branding("", "")).logo_digest or ""
        assert await logos.find("shop", digest)
    assert await logos.find("shop", one) is None, "the oldest went"
