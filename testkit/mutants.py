"""Small changes of a module's source, each of which a test should notice.

Another comparison, `and` for `or`, an operand less, a condition negated, a number one greater, a return value gone.
Keywords that guard against a programmer's slip alone are left as they are: `strict`, `frozen`, `slots`. So is False
where None would do for it, which the type check refuses.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_QUIET = {"strict", "frozen", "slots", "usedforsecurity"}


@dataclass(frozen=True)
class Mutant:
    """`change` names it: function, node before and after, statement; `lines` are those that run the changed node."""

    change: str
    lines: frozenset[int]
    source: str

    def __str__(self) -> str:
        return f"line {min(self.lines)}: {self.change}"


def mutants(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    places = dict(_places(tree, tree, "module"))
    quiet = {word.value for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg in _QUIET}
    for number, node in enumerate(ast.walk(tree)):
        if node in quiet:
            continue
        for change in range(_changes(node)):
            mutant = copy.deepcopy(tree)
            changed = list(ast.walk(mutant))[number]
            _mutate(changed, change)
            statement, function = places[node]
            around = f" in {_head(statement)}" if statement is not node else ""
            yield Mutant(
                f"{function}: {_head(node)} -> {_head(changed)}{around}",
                _lines(node, statement),
                ast.unparse(ast.fix_missing_locations(mutant)),
            )


def _places(node: ast.AST, statement: ast.AST, function: str) -> Iterator[tuple[ast.AST, tuple[ast.AST, str]]]:
    """Pair each node with the statement and the function around it."""
    statement = node if isinstance(node, ast.stmt) else statement
    yield node, (statement, function)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = node.name if function == "module" else f"{function}.{node.name}"
    for child in ast.iter_child_nodes(node):
        yield from _places(child, statement, function)


def _head(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]


def _lines(node: ast.AST, statement: ast.AST) -> frozenset[int]:
    part = node.test if isinstance(node, ast.If | ast.While) else node
    return frozenset({statement.lineno, *range(part.lineno, part.end_lineno + 1)})


def _changes(node: ast.AST) -> int:
    match node:
        case ast.Compare(ops=ops):
            return len(ops)
        case ast.BoolOp():
            return 1 + len(node.values)  # the other operator, or one operand less
        case ast.If() | ast.IfExp() | ast.While() | ast.UnaryOp(op=ast.Not()) | ast.BinOp(op=ast.Add() | ast.Sub()):
            return 1
        case ast.Return(value=value):
            return int(value is not None and ast.unparse(value) not in ("None", "False"))
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
