"""Logos that `projects set --logo` takes: what is sent to every user of a project is an image and nothing else."""

import argparse
from pathlib import Path

import pytest

from service.cli.projects import logo_files
from service.store.branding import LARGEST_LOGO
from testkit.images import SVG, chunk, png

PNG = png()
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'


@pytest.mark.parametrize("data", [PNG, png(2000, 2000), png(1, 1, more=chunk(b"tEXt", b"x\0y"))])
def test_a_png_is_taken_as_it_is(data: bytes):
    """Byte for byte, whatever further chunks it has."""
    logo = logo_files.check(data)
    assert (logo.media_type, logo.data) == ("image/png", data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a PNG or an SVG"), (b"GIF89a", "a PNG or an SVG"), (b"\xff\xd8\xff\xe0", "a PNG or an SVG"),
        (PNG[:8], "damaged"), (PNG[:-1], "damaged"), (PNG[:-12], "damaged"), (PNG[:20] + b"\1" + PNG[21:], "damaged"),
        (PNG[:8] + PNG[33:], "damaged"), (PNG + b"<script>", "behind the end"), (PNG + PNG, "behind the end"),
        (png(2001, 1), "2000 by 2000 pixels, this one 2001 by 1"), (png(0, 1), "this one 0 by 1"),
        (PNG[:8] + chunk(b"IHDR", bytes((0, 0, 0, 4, 0, 0, 0, 3, 7, 0, 0, 0, 0))) + PNG[33:], "damaged"),
        (PNG[:33] + chunk(b"IEND", b""), "damaged"),
        (png(more=chunk(b"tEXt", b"\0" * LARGEST_LOGO)), "at most 64 KB"),
        (b"<svg" + b" " * LARGEST_LOGO, "at most 64 KB"),
    ],
)  # fmt: skip
def test_what_is_no_sound_png_is_refused(data: bytes, said: str):
    """A cut, a wrong sum, another format, something behind the end, too many bytes or pixels."""
    with pytest.raises(ValueError, match=said):
        logo_files.check(data)


@pytest.mark.parametrize(
    "text",
    [
        SVG, "\ufeff" + SVG, f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n{SVG}',
        f'{HEAD}<rect width="1" height="1" style="fill:url(#a)" data-name="x"/></svg>',
        f'{HEAD}<g xml:space="preserve"><text>a &lt; b &#233;</text></g></svg>',
        f"{HEAD}<style><![CDATA[.a{{fill:#fff}}]]></style></svg>",
    ],
)  # fmt: skip
def test_an_svg_that_only_draws_is_taken(text: str):
    """Shapes, text, gradients and references within the file."""
    logo = logo_files.check(text.encode())
    assert (logo.media_type, logo.data) == ("image/svg+xml", text.encode())


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<script>alert(1)</script>", "<script>"), ("<a><path/></a>", "<a>"), ("<image/>", "<image>"),
        ("<foreignObject/>", "<foreignObject>"), ("<animate/>", "<animate>"), ("<set/>", "<set>"),
        ('<p xmlns="http://www.w3.org/1999/xhtml"/>', "<p>"), ('<path xmlns=""/>', "<path>"),
        ('<path onclick="x()"/>', "onclick"), ('<path ONLOAD="x()"/>', "ONLOAD"),
        ('<g xml:base="http://a.example/"/>', "base"), ('<g xmlns:i="urn:x" i:href="#a"/>', "href"),
        *((f'<use href="{to}"/>', "reference") for to in
          ("http://a.example/x.svg#a", "//a.example", "data:image/svg+xml,x", "javascript:x()", "x.svg#a", "")),
        ('<use xlink:href="https://a.example/#a"/>', "reference"),
        *((f'<rect fill="{paint}"/>', "reference") for paint in
          ("url(https://a.example/)", "URL( x )", "url('x')", "u\\72l(x)", "url(#a) url(b)", "ur/**/l(x)")),
        ('<rect style="background:url(//a.example)"/>', "reference"),
        *((f"<style>{css}</style>", "<style>") for css in
          ("@import 'x';", "a{fill:url(x)}", "a{fill:u\\72 l(x)}", "/* x */", "@font-face{}")),
        ("<style>a{fill:u<![CDATA[rl(x)]]>}</style>", "<style>"),
    ],
)  # fmt: skip
def test_what_does_more_than_draw_is_refused(inside: str, said: str):
    """Scripts, events, links, animation, HTML and whatever would be loaded from elsewhere, however it is spelt."""
    with pytest.raises(ValueError, match=said):
        logo_files.check(f"{HEAD}{inside}</svg>".encode())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'<!DOCTYPE svg [<!ENTITY a "b">]>{HEAD}&a;</svg>', "doctype"), (f"<!DOCTYPE svg>{HEAD}</svg>", "doctype"),
        (f'<!DOCTYPE svg SYSTEM "http://a.example/x.dtd">{HEAD}</svg>', "doctype"),
        (f'<?xml-stylesheet href="http://a.example/x.css"?>{HEAD}</svg>', "processing instruction"),
        (f'<?xml version="1.0" encoding="UTF-7"?>{HEAD}</svg>', "encoding"),
        (f"{HEAD}<g></svg>", "line 1: not well-formed"), (f"{HEAD}&nbsp;</svg>", "not well-formed"),
        ("<svg/>", "namespace"), ("<html/>", "namespace"), ("<", "not well-formed"),
        ('<path xmlns="http://www.w3.org/2000/svg"/>', "outside"), (f"{HEAD}</svg>{HEAD}</svg>", "not well-formed"),
        (f"{HEAD}\n\n<script/></svg>", "line 3: "),
    ],
)  # fmt: skip
def test_what_is_no_plain_svg_is_refused(text: str, said: str):
    """Entities and doctypes, other documents, broken ones; the line is named."""
    with pytest.raises(ValueError, match=said):
        logo_files.check(text.encode())


def nested(levels: int, used: str) -> str:
    """Parts that draw the one before ten times each."""
    parts = (f'<pattern id="p{level}">{used.format(level - 1) * 10}</pattern>' for level in range(levels))
    return f"{HEAD}{''.join(parts)}</svg>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (nested(5, '<use href="#p{}"/>'), "at most 10000 elements"),
        (nested(5, "<path mask=\"url( '#p{}' )\"/>"), "10000"),
        (nested(9, '<use xlink:href="#p{}"/>'), "10000"),
        (f'{HEAD}<g id="a"><use href="#a"/></g></svg>', "none itself"),
        (f'{HEAD}<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g></svg>', "none itself"),
        (HEAD + "".join(f'<use id="u{n}" href="#u{n + 1}"/>' for n in range(1200)) + "</svg>", "16 deep"),
        (f'{HEAD}<g id="a"/><g id="a"/></svg>', "id a twice"),
    ],
)  # fmt: skip
def test_an_svg_that_draws_without_end_is_refused(text: str, said: str):
    """A few parts that use each other make billions of elements, and no browser gets through them."""
    with pytest.raises(ValueError, match=said):
        logo_files.check(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        nested(3, '<use href="#p{}"/>'), f"{HEAD}{'<g>' * 9000}{'</g>' * 9000}</svg>",
        HEAD + '<linearGradient id="a"/>' + "<path fill='url(#a)'/>" * 2000 + "</svg>",
    ],
)  # fmt: skip
def test_an_svg_may_use_its_parts_often(text: str):
    """As an artist does: a gradient by many shapes, groups within groups."""
    assert logo_files.check(text.encode()).media_type == "image/svg+xml"


def test_an_svg_is_utf8():
    """A reader that guessed at another encoding would see another file than this check."""
    for encoding in ("utf-16", "latin-1"):
        with pytest.raises(ValueError, match=r"UTF-8|PNG or an SVG"):
            logo_files.check(SVG.replace("Shop", "Größe").encode(encoding))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    """As a usage error, with the reason."""
    for path, said in ((tmp_path / "none.png", "No such file"), (tmp_path, "directory")):
        with pytest.raises(argparse.ArgumentTypeError, match=said):
            logo_files.read(str(path))
    (tmp_path / "logo.png").write_bytes(PNG)
    assert logo_files.read(str(tmp_path / "logo.png")).data == PNG
