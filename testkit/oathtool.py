"""Debian's `oathtool`, which makes the codes of authenticator apps independently of us."""

import subprocess

from testkit import debian
from testkit.patience import PATIENCE


def code_at(secret: str, seconds: int) -> str:
    """Make the code of a time for a secret in base32; skips the test on a machine that has no such program."""
    oathtool = debian.program("oathtool")
    # The secret on a command line would be in the list of processes.
    words = [oathtool.path, "--totp", "--base32", f"--now=@{seconds}", "-"]
    done = subprocess.run(
        words, input=secret, env=oathtool.environment, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    return done.stdout.strip()
