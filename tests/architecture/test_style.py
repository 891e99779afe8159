"""Style rules beyond the linter: names that mean nothing, docstrings, and SQL outside sql/."""

import ast
import re

import pytest

from testkit.sources import modules

_EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc", "lib"})
# A statement, not a word: each needs what follows it in SQL.
_SQL = re.compile(
    r"\bselect\s+(?:\*|\d|[\w.,\s()]+\sfrom\s)|\binsert\s+into\b|\bupdate\s+\w+\s+set\b|\bdelete\s+from\b"
    r"|\b(?:create|alter|drop)\s+(?:table|index|database|schema|role|function)\b|\btruncate\s+table\b",
    re.IGNORECASE,
)


def sql_in(tree: ast.Module) -> list[str]:
    """Strings that hold SQL; docstrings may speak of it."""
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        f"line {node.lineno}: {node.value[:60]!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken
        if _SQL.search(node.value)
    ]


_RELATIVE = re.compile(r"(?:What|Who|Whom|Whose|Whether|How|Where|When|Which)\b")


def relative_docstrings(tree: ast.Module) -> list[str]:
    """Docstrings that begin with a relative clause."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = (ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for text in texts if _RELATIVE.match(text)]


@pytest.mark.parametrize("folder", ["service", "worker", "devstack", "release", "testkit", "bench", "tests"])
def test_a_docstring_is_a_noun_phrase_or_an_imperative(folder: str):
    """It names the thing or the action, as "Return the oldest mail" does and "What is oldest" does not."""
    found = [f"{module}: {text}" for module, tree in modules(folder).items() for text in relative_docstrings(tree)]
    assert not found, "\n".join(found)


def test_a_planted_relative_clause_is_found():
    """The checker sees what it is there to see."""
    assert relative_docstrings(ast.parse('def f():\n    """Whether it is so."""'))
    assert not relative_docstrings(ast.parse('"""Whole numbers."""'))


def test_every_name_is_a_noun_of_the_matter():
    """A file called utils, common or base has no home for what is in it: a noun is missing."""
    found = [module for module in modules("service", "worker") if _EMPTY_NAMES & {*module.split(".")}]
    assert not found


def test_python_holds_no_sql():
    """Statements stand in sql/queries, where a test prepares each of them."""
    found = [f"{module} {line}" for module, tree in modules("service", "worker").items() for line in sql_in(tree)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        'run("select 1")',
        'run("SELECT a, b FROM users")',
        'x = f"delete from {table}"',
        'run("""\n  insert into mails values ($1)""")',
        'run("update users set name = $1")',
        'run("create database x")',
    ],
)
def test_planted_sql_is_found(source: str):
    """The checker sees what it is there to see."""
    assert sql_in(ast.parse(source))


@pytest.mark.parametrize("source", ['"""Then select * from users."""', 'say("select one, please")', 'say("Update it")'])
def test_words_are_left_alone(source: str):
    """English has select and update too, and a docstring may quote a statement."""
    assert not sql_in(ast.parse(source))


# A repeat with a plus behind it, or an atomic group; escapes and sets are taken out first.
_POSSESSIVE = re.compile(r"[\w.)}][*?+]\+|\}\+|\(\?>")


def possessive_in(tree: ast.Module) -> list[str]:
    """Strings that would be a pattern with a possessive repeat."""
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if _POSSESSIVE.search(re.sub(r"\\.|\[(?:\\.|[^\]])*\]", "x", text))]


def test_no_repeat_is_possessive():
    """Debian 12's Python 3.11.2 matches these wrongly: a check that has one lets through what it should stop."""
    assert possessive_in(ast.parse('A = r"(?:[a-z]++|%)*+"'))
    assert possessive_in(ast.parse('A = r"(?>a)b"'))
    wrong = {name: found for name, tree in modules("service", "worker").items() if (found := possessive_in(tree))}
    assert not wrong
