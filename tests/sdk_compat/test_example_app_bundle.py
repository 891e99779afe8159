"""Files of others that the example app brings; the SDK's against the package of npm that the tests install."""

import json
import re
import tomllib
from hashlib import sha256

from testkit.drivers import PACKAGES, lacking
from testkit.processes import ROOT
from tests.sdk_compat.sdks import SDKS

APP = ROOT / "devstack" / "example_app"
RECORDED = tomllib.loads((APP / "vendor" / "versions.toml").read_text())
VENDORED = RECORDED["appwrite"]


def test_each_file_has_the_recorded_hash_and_its_licence():
    """A file of others is never edited, and comes with its licence."""
    for recorded in RECORDED.values():
        assert sha256((APP / "vendor" / recorded["file"]).read_bytes()).hexdigest() == recorded["sha256"]
        assert (APP / "vendor" / recorded["license_file"]).read_text().startswith(("Copyright", "MIT License"))


def test_the_app_loads_what_is_recorded():
    """The app runs with the versions that are recorded, and no other is kept."""
    site = "".join(path.read_text() for path in (APP / "site").iterdir())
    loaded = set(re.findall(r"/vendor/([\w.-]+)", site))
    assert (
        loaded == {path.name for path in (APP / "vendor").glob("*.js")} == {each["file"] for each in RECORDED.values()}
    )


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
