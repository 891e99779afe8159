"""Folder of the files that the service reads beside its code: `sql`, `templates`, `docs`, `pyproject.toml`."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
# A wheel has them inside this package, a checkout and the image beside it.
_IN_WHEEL = _PACKAGE / "project_files"
ROOT = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
