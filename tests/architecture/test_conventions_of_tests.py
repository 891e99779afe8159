"""The tests' own manners: read only their docstrings and you have the specification."""

import ast

import pytest

from testkit.sources import modules

_LONGEST_SLEEP = 1


def unspoken(tree: ast.Module) -> list[str]:
    """Test functions without a docstring."""
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]


def patched(tree: ast.Module) -> list[str]:
    """Imports of mocks and uses of a `mocker`: fakes are code here, not patches."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="unittest.mock" | "mock") | ast.Import(names=[ast.alias(name="unittest.mock")]):
                found.append(f"line {node.lineno}: a mock is imported")
            case ast.ImportFrom(module="unittest", names=names) if any(name.name == "mock" for name in names):
                found.append(f"line {node.lineno}: a mock is imported")
            case ast.arg(arg="mocker"):
                found.append(f"line {node.lineno}: mocker")
            case _:
                pass
    return found


def sleeps(tree: ast.Module) -> list[str]:
    """Calls of sleep with a number of a second or more: whatever is awaited has a condition."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="sleep") | ast.Name(id="sleep"), args=[ast.Constant(value=int() | float() as s)]
            ) if s >= _LONGEST_SLEEP:
                found.append(f"line {node.lineno}: sleep({s})")
            case _:
                pass
    return found


@pytest.mark.parametrize("checker", [unspoken, patched, sleeps])
def test_the_tests_keep_their_manners(checker):
    """Every test says the rule it guards, nothing is patched, and nobody waits where a condition can be awaited."""
    found = [f"{module}: {fault}" for module, tree in modules("tests").items() for fault in checker(tree)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("checker", "source"),
    [
        (unspoken, "def test_it(): pass"),
        (unspoken, "class TestIt:\n    async def test_it(self): pass"),
        (patched, "from unittest.mock import patch"),
        (patched, "import unittest.mock"),
        (patched, "from unittest import mock"),
        (patched, "def test_it(mocker): pass"),
        (sleeps, "import time\ntime.sleep(1)"),
        (sleeps, "async def f():\n    await asyncio.sleep(2.5)"),
    ],
)
def test_a_planted_fault_is_found(checker, source: str):
    """The checkers see what they are there to see."""
    assert checker(ast.parse(source))
