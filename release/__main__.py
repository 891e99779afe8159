"""`./dev release VERSION`: commit, tag and files of a release; docs/releases.md says what they are for.

The commit is made beside the checkout. Its packages are built twice and compared before the branch and the tag move, so
that a release that fails leaves nothing behind.
"""

import argparse
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from release import api_files, packages, sbom
from release.source import Refused, git, prepared_commit

ROOT = Path(__file__).parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev release", description=__doc__)
    parser.add_argument("version", help="the new version: 1.2.3")
    parser.add_argument("--dry-run", action="store_true", help="make the files, but neither commit nor tag")
    arguments = parser.parse_args()
    try:
        _release(arguments.version, dry_run=arguments.dry_run)
    except Refused as refused:
        print(f"release: {refused}", file=sys.stderr)
        return 1
    return 0


def _release(version: str, *, dry_run: bool) -> None:
    target = ROOT / "dist" / version
    with prepared_commit(ROOT, version, datetime.now(UTC).date()) as commit, tempfile.TemporaryDirectory() as work:
        made = Path(work) / "made"
        tree = packages.export(ROOT, commit, Path(work) / "tree")
        packages.build_twice(ROOT, commit, made)
        api_files.write(tree, made)
        sbom.write(tree, made / "sbom.cdx.json", packages.commit_time(ROOT, commit))
        shutil.copy(tree / "requirements.lock", made)
        packages.write_checksums(made)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
        print(f"{target.relative_to(ROOT)}:", *sorted(path.name for path in target.iterdir()), sep="\n  ")
        if dry_run:
            print("A dry run: neither commit nor tag.")
            return
        git(ROOT, "merge", "--quiet", "--ff-only", commit)
        git(ROOT, "tag", "--annotate", f"v{version}", "--message", f"Release {version}", commit)
        print(f"Commit {commit[:12]} and tag v{version} are made. Push both: git push origin HEAD v{version}")


if __name__ == "__main__":
    sys.exit(main())
