"""`./dev site FOLDER`: README, docs/ and what they link to as a site, by mkdocs-material, without the network."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release.sbom import TOOL
from release.source import Refused, git

_CONFIGURATION = Path(__file__).with_name("mkdocs.yml")
_PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
    "docs",
    "deploy",
    "sql/distribute.sql",
)


def write(repository: Path, folder: Path) -> None:
    """Write the site of the tracked files, anew. Raises Refused, also for a link or an anchor that leads nowhere."""
    with tempfile.TemporaryDirectory() as work:
        for name in git(repository, "ls-files", "-z", *_PAGES).split("\0"):
            if name and (repository / name).is_file():
                (Path(work) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(repository / name, Path(work) / name)
        words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "--quiet"]
        words += ["--config-file", str(_CONFIGURATION), "--site-dir", str(folder.absolute())]
        environment = os.environ | {
            "PYTHONPATH": str(TOOL),
            "SITE_SOURCE": work,
            "SOURCE_DATE_EPOCH": git(repository, "show", "--no-patch", "--format=%ct", "HEAD"),
            "NO_MKDOCS_2_WARNING": "1",
        }
        done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"mkdocs: {done.stderr.strip()}")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: ./dev site [FOLDER]")
    target = Path(sys.argv[1] if sys.argv[1:] else "dist/site")
    try:
        write(Path(__file__).parents[1], target)
    except Refused as refused:
        sys.exit(f"site: {refused}")
    print(f"{target}/index.html")
