"""Mutate one module and run tests against each mutant: `python -m testkit.mutate MODULE --tests FILE…`.

The tests run in a copy of the repository, so that the programs that they start run the mutant too. Mutants that change
nothing which a test could see are listed in testkit/mutate.toml, with the reason, and don't count.
"""

import argparse
import random
import sys
import time
import tomllib
from pathlib import Path

from testkit.mutants import Mutant, mutants
from testkit.mutation_runs import mutation_runs
from testkit.sources import ROOT


def _equivalent(module: Path) -> dict[str, str]:
    """Reasons by change."""
    return tomllib.loads((ROOT / "testkit/mutate.toml").read_text()).get(str(module), {})


def _survivors(module: Path, tests: list[str], chosen: list[Mutant]) -> list[Mutant]:
    survived, unchanged = [], (ROOT / module).read_text()
    with mutation_runs(module) as runs:
        # The second time as for a mutant: chosen, sorted and with the libraries there before.
        if not runs.measure(tests) or runs.kills(unchanged, frozenset().union(*(each.lines for each in chosen))):
            sys.exit(f"the tests fail without a mutation:\n{runs.log.read_text()[-4000:]}")
        for number, mutant in enumerate(chosen, 1):
            started = time.monotonic()
            if runs.kills(mutant.source, mutant.lines):
                word = "killed"
            else:
                word = "SURVIVED"
                survived.append(mutant)
            print(f"{number}/{len(chosen)} {word} {mutant} ({time.monotonic() - started:.1f} s)", flush=True)
    return survived


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m testkit.mutate", description="mutate one module, run tests")
    parser.add_argument("module", type=Path, help="its path, as service/links/redirect_policy.py")
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--most", type=int, default=sys.maxsize, help="so many mutants, by chance")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="mutants whose line holds this text")
    asked = parser.parse_args()
    equivalent = _equivalent(asked.module)
    found = list(mutants((ROOT / asked.module).read_text()))
    for change in equivalent.keys() - {mutant.change for mutant in found}:
        parser.error(f"testkit/mutate.toml: {asked.module} has no mutant {change!r}")
    counted = [mutant for mutant in found if mutant.change not in equivalent and asked.only in str(mutant)]
    chosen = random.Random(asked.seed).sample(counted, min(asked.most, len(counted)))
    survived = _survivors(asked.module, asked.tests, chosen)
    for mutant in survived:
        print(f"survived: {mutant}")
    killed = len(chosen) - len(survived)
    print(f"{asked.module}: killed {killed} of {len(chosen)} ({killed / max(1, len(chosen)):.0%})", end="")
    print(f"; {len(found)} mutants, {len(found) - len(counted)} left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
