"""`./dev release`, step by step on a clone: its commit, its packages, the bill of materials, files of the API."""

import os
import re
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import orjson
import pytest

from release import api_files, packages, sbom, site
from release.source import EXAMPLES, Refused, dated, git, prepared_commit
from service.version import VERSION
from testkit.drivers import lacking
from testkit.node import node
from testkit.sources import ROOT

DAY = date(2030, 1, 2)
_METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: there is nothing to clone")
    git(ROOT, "clone", "--quiet", "--shared", str(ROOT), str(tmp_path / "clone"))
    for name, value in {"user.name": "Releaser", "user.email": "releaser@example.com"}.items():
        git(tmp_path / "clone", "config", name, value)
    return tmp_path / "clone"


def test_a_release_is_a_commit_whose_packages_are_built_alike(clone: Path, tmp_path: Path):
    """Version, changelog and examples name it, the wheel knows its commit; the branch stays where it was."""
    head = git(clone, "rev-parse", "HEAD")
    with prepared_commit(clone, "97.0.1", DAY) as commit:
        packages.build_twice(clone, commit, tmp_path / "made")
        changed = git(clone, "diff", "--name-only", head, commit).splitlines()
        changelog = git(clone, "show", f"{commit}:CHANGELOG.md")
    assert sorted(changed) == sorted(["CHANGELOG.md", "pyproject.toml", *EXAMPLES])
    assert "## [Unreleased]\n\n## [97.0.1] - 2030-01-02\n\n### Added\n" in changelog
    wheel = tmp_path / "made" / "accounts-97.0.1-py3-none-any.whl"
    assert {path.name for path in wheel.parent.iterdir()} == {wheel.name, "accounts-97.0.1.tar.gz"}
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("service/commit").decode().strip() == commit
        assert b"\nVersion: 97.0.1\n" in archive.read("accounts-97.0.1.dist-info/METADATA")
    assert (git(clone, "rev-parse", "HEAD"), git(clone, "tag")) == (head, "")
    assert len(git(clone, "worktree", "list").splitlines()) == 1
    packages.write_checksums(wheel.parent)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=wheel.parent, check=True)


def test_a_release_that_can_not_be_made_leaves_nothing(clone: Path):
    """An older or odd version, a tag that exists, a tree with changes, an empty section."""
    git(clone, "tag", "v98.0.0")
    for version, said in (
        ("0.1.9", "not newer"),
        (VERSION, "not newer"),
        ("1.0", "is not a version"),
        ("98.0.0", "tag"),
    ):
        with pytest.raises(Refused, match=said), prepared_commit(clone, version, DAY):
            pytest.fail(version)
    (clone / "new").touch()
    with pytest.raises(Refused, match=r"not committed:\n\?\? new"), prepared_commit(clone, "97.0.1", DAY):
        pytest.fail("with changes")
    assert len(git(clone, "worktree", "list").splitlines()) == 1
    with pytest.raises(Refused, match="lists nothing"):
        dated("# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-29\n\n- Things\n", "1.0.0", DAY)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_name_this_version(name: str):
    """A release sets them anew, which it could not if they named another."""
    assert EXAMPLES[name].format(VERSION) in (ROOT / name).read_text()


def test_the_bill_of_materials_is_complete(tmp_path: Path):
    """Each package of the lock that is installed here, with its version and licence; the same bytes each time."""
    if not sbom.TOOL.is_dir():
        lacking("cyclonedx-py is not installed: ./dev test does that")
    lock = re.findall(r"^([a-zA-Z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    names = {_plain(name) for name, _ in lock}
    packages, made = tmp_path / "packages", []
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info"):
        if _plain(path.name.split("-")[0]) in names:  # the tool reads nothing but these
            (packages / path.name).symlink_to(path)
    for name in ("first", "second"):
        sbom.write(ROOT, tmp_path / name, "1700000000", packages)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]
    bill = orjson.loads(made[0])
    named = {(_plain(each["name"]), each["version"]): each.get("licenses") for each in bill["components"]}
    installed = {_plain(path.name.split("-")[0]) for path in packages.iterdir()}
    expected = [(_plain(name), version) for name, version in lock if _plain(name) in installed]
    assert len(expected) > 50
    assert [each for each in expected if not named.get(each)] == []
    root = bill["metadata"]["component"]
    assert (root["name"], root["version"]) == ("accounts", VERSION)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_site_loads_nothing_from_elsewhere(tmp_path: Path):
    """Each link of the pages leads somewhere (mkdocs is strict); two builds are equal; there are links, no loads."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing says which files are pages")
    if not sbom.TOOL.is_dir():
        lacking("mkdocs is not installed: ./dev test does that")
    made = []
    for name in ("first", "second"):
        site.write(ROOT, tmp_path / name)
        files = (path for path in (tmp_path / name).rglob("*") if path.is_file())
        made.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    assert made[0] == made[1]
    assert {"index.html", "docs/operations.html", "docs/guides/cookies.html"} <= made[0].keys()
    pages = b"".join(text for name, text in made[0].items() if name.endswith(".html"))
    assert re.findall(rb"<(?:script|img|iframe|source)[^>]*src=\"?(?:https?:)?//[^>]*>", pages) == []
    assert (
        re.findall(rb"<link[^>]*rel=\"?(?:stylesheet|preload|preconnect)[^>]*href=\"?(?:https?:)?//[^>]*>", pages) == []
    )


def test_types_and_collection_hold_every_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """TypeScript accepts the types and refuses a wrong use; Postman's collection is the same each time."""
    if not (ROOT / "release" / "node_modules").is_dir() or not node():
        lacking("openapi-typescript is not installed: ./dev test does that")
    monkeypatch.setenv("PATH", str(Path(node()).parent), prepend=os.pathsep)
    api_files.write(ROOT, tmp_path)
    document = orjson.loads((tmp_path / "openapi.json").read_bytes())
    operations = sum(len(_METHODS & item.keys()) for item in document["paths"].values())
    collection = orjson.loads((tmp_path / "postman.json").read_bytes())
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert sum(1 for _ in _requests(collection["item"])) == operations
    api_files.write_postman(tmp_path / "openapi.json", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "postman.json").read_bytes()
    (tmp_path / "use.ts").write_text(
        'import type { paths } from "./accounts";\n'
        'type Body = NonNullable<paths["/v1/account/recovery"]["post"]["requestBody"]>;\n'
        'type Asked = Body["content"]["application/json"];\n'
        'export const right: Asked = { email: "ann@example.com", url: "http://localhost/reset" };\n'
        "// @ts-expect-error: an address is text\n"
        "export const wrong: Asked = { email: 1 };\n"
    )
    compiler = ROOT / "release" / "node_modules" / "typescript" / "bin" / "tsc"
    words = [node(), str(compiler), "--noEmit", "--strict", str(tmp_path / "use.ts")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def _requests(items: list[dict]) -> Iterator[dict]:
    for item in items:
        if "request" in item:
            yield item["request"]
        yield from _requests(item.get("item", []))
