"""python -m tests.sdk_compat.write_docs: walk all SDKs and write docs/clients.md."""

import os
import sys

import pytest

from tests.sdk_compat import table

if __name__ == "__main__":
    os.environ |= {table.WRITING: "1", "CI": "true"}  # with an SDK missing the table would say that it can nothing
    sys.exit(pytest.main(["tests/sdk_compat", "-n", "0", "-p", "no:randomly", "-q"]))
