"""The SDK's file that the example app brings, against the package of npm that the tests install."""

import json
import tomllib
from hashlib import sha256

from testkit.drivers import PACKAGES, lacking
from testkit.processes import ROOT
from tests.sdk_compat.sdks import SDKS

APP = ROOT / "devstack" / "example_app"
VENDORED = tomllib.loads((APP / "vendor" / "versions.toml").read_text())["appwrite"]


def test_the_file_has_the_recorded_hash():
    """A file of others is never edited."""
    assert sha256((APP / "vendor" / VENDORED["file"]).read_bytes()).hexdigest() == VENDORED["sha256"]


def test_the_page_loads_it():
    """The app runs with the version that is recorded, and no other is kept."""
    assert f'src="/vendor/{VENDORED["file"]}"' in (APP / "site" / "index.html").read_text()
    assert [path.name for path in (APP / "vendor").glob("*.js")] == [VENDORED["file"]]


def test_it_is_the_package_of_npm():
    """File, licence and version are those of the newest web SDK that the tests walk."""
    newest = next(sdk for sdk in reversed(SDKS) if sdk.language == "web")
    assert newest.version == VENDORED["version"]
    package = PACKAGES / newest.package
    if not package.exists():
        lacking(f"{newest.name} is not installed; ./dev test installs it")
    stated = json.loads((package / "package.json").read_text())
    assert [stated[name] for name in ("version", "license")] == [VENDORED[name] for name in ("version", "license")]
    assert (package / VENDORED["path"]).read_bytes() == (APP / "vendor" / VENDORED["file"]).read_bytes()
    assert (package / "LICENSE").read_bytes() == (APP / "vendor" / VENDORED["license_file"]).read_bytes()
