"""Debian's `oathtool`, which makes the codes of authenticator apps independently of us."""

import shutil
import subprocess
from pathlib import Path

import pytest

from testkit.patience import PATIENCE
from testkit.processes import ROOT

_FETCHED = ROOT / ".venv" / "clients" / "oathtool"


def code_at(secret: str, seconds: int) -> str:
    """Make the code of a time for a secret in base32; skips the test on a machine that has no such program."""
    program = shutil.which("oathtool") or shutil.which("oathtool", path=_FETCHED)
    if program is None:
        pytest.skip("`./dev test` found no oathtool; Debian's package of that name has it")
    # The secret on a command line would be in the list of processes.
    words = [program, "--totp", "--base32", f"--now=@{seconds}", "-"]
    own = {"LD_LIBRARY_PATH": str(_FETCHED)} if Path(program).parent == _FETCHED else {}
    done = subprocess.run(words, input=secret, env=own, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return done.stdout.strip()
