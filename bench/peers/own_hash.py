"""`python -m bench.peers.own_hash COUNT`: processor time of one verification by our service, in seconds."""

import sys
import time

from bench.peers.requests import PASSWORD
from service.crypto import password_hashing


def measure(count: int) -> float:
    hasher = password_hashing._HASHER  # noqa: SLF001 - as it is, without the threads around it
    stored = hasher.hash(PASSWORD)
    began = time.process_time()
    for _ in range(count):
        hasher.verify(stored, PASSWORD)
    return (time.process_time() - began) / count


if __name__ == "__main__":
    print(measure(int(sys.argv[1])))
