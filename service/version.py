"""Version of the service, from pyproject.toml, and the commit that it was built from.

The file `commit` is in images and in released wheels only.
"""

import re
import tomllib
from pathlib import Path

from service.project_files import ROOT


def read_commit(folder: Path) -> str:
    """Return the hash in the file `commit`; `unknown` without one, as in a checkout."""
    file = folder / "commit"
    text = file.read_text(errors="replace").strip() if file.is_file() else ""
    return text if re.fullmatch("[0-9a-f]{7,64}", text) else "unknown"


VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
COMMIT = read_commit(Path(__file__).parent)
