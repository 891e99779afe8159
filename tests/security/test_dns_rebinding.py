"""DNS rebinding: a webhook's name that has an address of the Internet at first, and one of the inside afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.rebinding import DEAD, HOST, INSIDE, PUBLIC, PUBLIC_V6
from testkit.sink import make_certificate
from testkit.sources import ROOT

_NAMESPACES = ("unshare", "--map-root-user", "--net", "--mount")


def test_no_inside_address_is_reached_by_a_name_that_changes(tmp_path: Path):
    """By the system's own resolver: only what the Internet has is dialled, whatever the name has become meanwhile."""
    may = subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False)
    if may.returncode:
        pytest.skip("this machine gives no namespaces")
    folder = tmp_path / "certificate"
    make_certificate(folder, names=f"DNS:{HOST}", start="20200101000000Z", end="20400101000000Z")
    done = subprocess.run(
        [*_NAMESPACES, sys.executable, "-m", "testkit.rebinding", str(folder)],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(folder / "cert.pem")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    public = [[PUBLIC], [PUBLIC_V6]]
    assert found["reached"] == [PUBLIC, *[PUBLIC] * len(INSIDE), PUBLIC_V6]
    for each in found["exchanges"]:
        first = each["turn"][0]
        if first in public:
            # Asked once, and dialled as it was answered: the second answer is never heard.
            assert each["status"] == 204
        else:
            assert each["status"] is None
            assert each["fault"] == ("it can't be reached" if DEAD in first else "its address is not public")
