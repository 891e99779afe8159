"""Mutate one module and run tests against each mutant: `python -m testkit.mutate MODULE --tests FILE…`.

The work is done in a copy of the repository, so that the programs that tests start run the mutant too. Mutants are
small: another comparison, `and` for `or`, a condition turned round, a number one greater, a return value gone.
"""

import argparse
import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from testkit.sources import ROOT, tracked

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_SECONDS = 300  # a mutant that hangs is killed


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Each mutant's description and source."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for change in range(_changes(node)):
            mutant = copy.deepcopy(tree)
            changed = list(ast.walk(mutant))[number]
            before = ast.unparse(changed)
            _mutate(changed, change)
            after = ast.unparse(changed)
            yield f"line {getattr(node, 'lineno', 0)}: {before[:60]!r} -> {after[:60]!r}", ast.unparse(mutant)


def _changes(node: ast.AST) -> int:
    match node:
        case ast.Compare(ops=ops):
            return len(ops)
        case ast.BoolOp():
            return 1 + len(node.values)  # the other operator, or one operand less
        case ast.If() | ast.IfExp() | ast.While() | ast.UnaryOp(op=ast.Not()) | ast.BinOp(op=ast.Add() | ast.Sub()):
            return 1
        case ast.Return(value=value):
            return int(value is not None and not (isinstance(value, ast.Constant) and value.value is None))
        case ast.Constant(value=bool() | int() | float()):
            return 1
    return 0


def _mutate(node: ast.AST, change: int) -> None:
    match node:
        case ast.Compare():
            node.ops[change] = _COMPARISONS[type(node.ops[change])]()
        case ast.BoolOp() if change == 0:
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.BoolOp():
            del node.values[change - 1]
        case ast.If() | ast.IfExp() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.UnaryOp():
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool"), [node.operand], [])
        case ast.BinOp():
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        case ast.Return():
            node.value = ast.Constant(None)
        case ast.Constant():
            node.value = not node.value if isinstance(node.value, bool) else node.value + 1


def _copy(into: Path) -> None:
    for path in tracked():
        target = into / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def _passes(folder: Path, tests: list[str]) -> bool:
    words = [sys.executable, "-m", "pytest", *tests, "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    try:
        return subprocess.run(words, cwd=folder, capture_output=True, timeout=_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m testkit.mutate", description="mutate one module, run tests")
    parser.add_argument("module", type=Path, help="its path, as service/links/redirect_policy.py")
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--most", type=int, default=sys.maxsize, help="so many mutants, by chance")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    source = (ROOT / asked.module).read_text()
    found = list(mutants(source))
    chosen = random.Random(asked.seed).sample(found, min(asked.most, len(found)))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        _copy(Path(folder))
        if not _passes(Path(folder), asked.tests):
            parser.error("the tests fail without a mutation")
        survived = []
        for number, (description, mutant) in enumerate(chosen, 1):
            (Path(folder) / asked.module).write_text(mutant)
            if alive := _passes(Path(folder), asked.tests):
                survived.append(description)
            print(f"{number}/{len(chosen)} {'SURVIVED' if alive else 'killed'} {description}", flush=True)
    killed = len(chosen) - len(survived)
    print(f"{asked.module}: {killed} of {len(chosen)} killed, {killed / max(1, len(chosen)):.0%}; {len(found)} in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
