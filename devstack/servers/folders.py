"""Folders of the servers' files, and the permissions on them."""

import os
import stat
from pathlib import Path

from devstack.servers.errors import ServerError

# Where root keeps what another uid must reach. Only root can create names here, so no other user can plant a link.
ROOT_HOME = Path("/var/lib/accounts-local")


def folder(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.resolve()


def root_home() -> Path:
    return root_folder(ROOT_HOME)


def root_folder(path: Path) -> Path:
    """Others may pass through it and can change nothing in it."""
    path.mkdir(exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0:
        raise ServerError(f"{path} is not a folder of root: remove it")
    path.chmod(0o711)
    return path


def write_private(path: Path, content: str | bytes) -> None:
    """Whole or not at all, and never readable by others in between."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    draft.replace(path)
