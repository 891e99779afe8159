"""`python -m testkit.letter_pictures`: take the pictures of docs/letters.md anew, those that the page links to.

A picture is named like the gallery's: language, letter, state, width, scheme. Needs the browser of `./dev test`.
"""

import re
import shutil
import tempfile
from pathlib import Path

from testkit import gallery, png
from testkit.processes import ROOT

FOLDER = ROOT / "docs" / "letters"
_LINK = re.compile(r"\]\(letters/((\S+)-(\d+)-(light|dark)\.png)\)")


def linked() -> dict[str, str]:
    """Return the pictures that the page shows, with the path of the letter that each is of."""
    page = (ROOT / "docs" / "letters.md").read_text()
    return {name: letter for name, letter, _, _ in _LINK.findall(page)}


def main() -> None:
    pictures = linked()
    shown = [page for page in gallery.pages() if page.path in set(pictures.values())]
    with tempfile.TemporaryDirectory() as made:
        gallery.write(Path(made), shown)
        gallery.take_pictures(Path(made), shown)
        shutil.rmtree(FOLDER, ignore_errors=True)
        for name in pictures:
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_bytes(png.shrink((Path(made) / name).read_bytes()))
    print(f"{len(pictures)} pictures: {FOLDER}")


if __name__ == "__main__":
    main()
