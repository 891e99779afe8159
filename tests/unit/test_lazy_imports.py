"""Libraries that are imported by who needs them only."""

import subprocess
import sys

import pytest

from testkit.patience import PATIENCE
from testkit.processes import ROOT

_PROGRAMS = "service.app", "service.server", "service.cli.program", "worker.main"


@pytest.mark.parametrize("program", _PROGRAMS)
def test_webauthn_is_imported_with_the_first_passkey(program: str):
    """The API with all its routes has neither the library nor its parser: 17 MB that other projects don't pay for.

    Nor have the command line and workers, which never need it.
    """
    code = (
        f"import sys, {program}; from service import app; app.routes();"
        "print({'webauthn', 'cbor2', 'OpenSSL', 'opentelemetry'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.strip() == "set()"
