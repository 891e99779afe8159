"""Programs of Debian that the service is held against: the machine's own, or those that `./dev test` has fetched."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from testkit.drivers import lacking
from testkit.processes import ROOT

_FETCHED = ROOT / ".venv" / "clients" / "debian"


@dataclass(frozen=True)
class Program:
    """A program, and the variables of the environment that it needs to find its libraries."""

    path: Path
    environment: dict[str, str]


def program(name: str) -> Program:
    """Find a program. Where there is none the test skips; it fails in CI if this is a Debian, which can have it."""
    if found := shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
        return Program(Path(found), {})
    for path in _FETCHED.glob(f"*/usr/*bin/{name}"):
        libraries = (path.parents[2] / "usr" / "lib").glob("*-linux-gnu*")
        return Program(path, {"LD_LIBRARY_PATH": ":".join(map(str, libraries))})
    reason = f"`./dev test` found no {name}; Debian's package of that name has it"
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        lacking(reason)
    pytest.skip(reason)
