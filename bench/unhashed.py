"""`python -m bench.unhashed serve`: the service with password hashes that cost next to nothing.

A hash of 19 MiB costs more than all the rest of a sign-in, and hides it.
"""

import sys

from argon2 import PasswordHasher

from service.__main__ import main
from service.crypto import password_hashing

HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

if __name__ == "__main__":
    password_hashing._HASHER = HASHER  # noqa: SLF001 - no setting may make hashes weak
    sys.exit(main())
