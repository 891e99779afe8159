"""The version of the service, from pyproject.toml: the file lies beside this package in a checkout and in the image."""

import tomllib
from pathlib import Path

_PROJECT_FILE = Path(__file__).parents[1] / "pyproject.toml"

VERSION: str = tomllib.loads(_PROJECT_FILE.read_text())["project"]["version"]
