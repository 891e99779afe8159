"""`./dev figure G2 [--count N] [--seed S]`: measure one figure on servers of its own, on 127.0.0.1 alone.

Each figure is a module here with COUNT (the full number) and `measure(count, seed) -> list[Row]`.
Exit codes: 0 its goals are met, 1 one is not, 2 wrong words.
"""

import argparse
import asyncio
import importlib
import random
import sys
import time
from collections.abc import Sequence

from bench.resilience.result import table

# The numbers by which docs/reliability.md and docs/security.md call them.
FIGURES = {
    "G1": "worker_killed",
    "G2": "random_kills",
    "G4": "relay_outage",
    "G5": "redis_outage",
    "G6": "postgres_failover",
    "G8": "token_race",
    "G9": "limit_burst",
    "G10": "timing_enumeration",
    "G11": "redirect_parsers",
    "G16": "login_flood",
    "G17": "slow_clients_run",
    "G21": "rolling_restart",
    "G22": "bad_input",
}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./dev figure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figure", choices=FIGURES, type=str.upper)
    parser.add_argument("--count", type=int, help="how many; the full number if not given")
    parser.add_argument("--seed", type=int, help="what chance is drawn from; printed, so that a run can be repeated")
    arguments = parser.parse_args(words)
    module = importlib.import_module(f"bench.resilience.{FIGURES[arguments.figure]}")
    count = arguments.count or module.COUNT
    seed = random.SystemRandom().randrange(2**32) if arguments.seed is None else arguments.seed
    print(f"{arguments.figure}: count {count}, seed {seed}", file=sys.stderr)
    began = time.monotonic()
    rows = asyncio.run(module.measure(count, seed))
    print(table(arguments.figure, rows, seed=seed, count=count, seconds=time.monotonic() - began))
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
