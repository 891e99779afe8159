"""`./dev sbom FILE`: the bill of materials of what production installs, in CycloneDX's JSON.

Made by cyclonedx-py from the packages of requirements.lock, which ./dev installs in a folder for it: with versions,
licences and who needs whom. The same lock gives the same file on the same version of Python.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from release.source import Refused

_CLIENTS = Path(__file__).parents[1] / ".venv" / "clients"
TOOL, PRODUCTION = _CLIENTS / "release", _CLIENTS / "production"


def write(tree: Path, file: Path, epoch: str, packages: Path = PRODUCTION) -> None:
    """Write the bill of a folder of packages, as that of the project in `tree`. Raises Refused."""
    with tempfile.TemporaryDirectory() as work:
        environment = Path(work) / "environment"
        venv.create(environment, symlinks=True)
        own = next((environment / "lib").glob("python*")) / "site-packages"
        (own / "packages.pth").write_text(f"{packages}\n")
        done = subprocess.run(
            [
                sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--pyproject",
                str(tree / "pyproject.toml"), "--output-file", str(file.absolute()), str(environment),
            ],
            env=os.environ | {"PYTHONPATH": str(TOOL), "SOURCE_DATE_EPOCH": epoch}, cwd=work, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise Refused(f"cyclonedx-py: {done.stderr.strip()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: ./dev sbom FILE")
    try:
        write(Path(__file__).parents[1], Path(sys.argv[1]), os.environ.get("SOURCE_DATE_EPOCH", ""))
    except Refused as refused:
        sys.exit(f"sbom: {refused}")
