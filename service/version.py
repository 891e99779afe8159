"""Version of the service, from pyproject.toml, and the commit that the image was built from.

pyproject.toml lies beside this package in a checkout and in the image; the file `commit` in the image only.
"""

import re
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def read_commit(folder: Path) -> str:
    """Return the hash in the file `commit`; `unknown` without one, as in a checkout."""
    file = folder / "commit"
    text = file.read_text(errors="replace").strip() if file.is_file() else ""
    return text if re.fullmatch("[0-9a-f]{7,64}", text) else "unknown"


VERSION: str = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
COMMIT = read_commit(_ROOT)
