"""Secrets as a type, and that whatever holds one shows it to nobody (ASVS 16.2.5, G18)."""

import copy
import dataclasses
import importlib
import json
import pickle
import pkgutil
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

import service.api
import service.cli
import worker
from service.crypto.secret import Secret

TEXT = "correct horse battery"
# Fields of these names hold what opens something, or can be tried offline; whoever adds one hides it.
_TELLING = ("password", "secret", "ring", "hash", "body", "oldPassword", "passwordAgain", "passwordSalt", "passwords")
# Not the thing itself: a switch, a number, a service, an id, a checksum that is told to everybody.
_HARMLESS = {
    "Services.passwords", "Importer.passwords", "Chain.hash", "Chain.previous_hash", "ChainedRow.hash",
    "Checkpoint.hash", "End.hash", "Mark.hash", "Stand.hash",
}  # fmt: skip


@pytest.mark.parametrize("show", [str, repr, ascii, format, "{}".format, "{!r:>40}".format, "%s".__mod__, "%r".__mod__])
def test_it_shows_stars(show: Any):
    """A secret is printed as three stars in every way, whatever its length."""
    assert show(Secret(TEXT)).strip() == "***" == show(Secret("")).strip()


def test_it_is_shown_by_its_owner_only():
    """One word gives the text, so that every use of it can be found."""
    assert Secret(TEXT).reveal() == TEXT


def test_it_equals_its_like():
    """Two of one text are equal; a secret equals no text, and is no key of a table."""
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret(TEXT + "x")
    assert Secret("\ud800") != Secret(TEXT)
    assert Secret(TEXT) != TEXT
    with pytest.raises(TypeError):
        hash(Secret(TEXT))


@pytest.mark.parametrize("store", [pickle.dumps, json.dumps, orjson.dumps])
def test_it_is_not_stored(store: Any):
    """Neither pickle nor JSON takes it, and what they say of it holds no piece."""
    with pytest.raises(TypeError) as caught:
        store(Secret(TEXT))
    assert "horse" not in str(caught.value)


def test_a_copy_is_itself():
    """`dataclasses.asdict` and its kind go through it unharmed."""
    one = Secret(TEXT)
    assert copy.copy(one) is copy.deepcopy(one) is one


def ours() -> Iterator[type]:
    """Every dataclass and model of service/ and worker/."""
    for package in (service, worker):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            # The shapes are what the API document is made of: nobody fills them in.
            if not found.name.endswith("__main__") and ".schemas" not in found.name:
                module = importlib.import_module(found.name)
                yield from (
                    kind
                    for kind in vars(module).values()
                    if isinstance(kind, type) and kind.__module__ == found.name
                    if dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel)
                )


def shown(kind: type) -> Iterator[str]:
    """Fields of telling names that a repr of this class would print as they are."""
    if dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            telling = field.name in _TELLING or field.name.endswith("_hash")
            if telling and field.repr and "Secret" not in str(field.type):
                yield f"{kind.__name__}.{field.name}"
        return
    assert issubclass(kind, BaseModel)
    for name, found in kind.model_fields.items():
        if name in _TELLING and found.repr and "Secret" not in repr(found.annotation):
            yield f"{kind.__name__}.{name}"


def test_nobody_who_holds_a_secret_shows_it():
    """Printed by mistake, in a log or a debugger, no dataclass and no body of ours has more than stars for it."""
    kinds = set(ours())
    assert len(kinds) > 60, "the walk has lost its way"
    assert {fault for kind in kinds for fault in shown(kind)} - _HARMLESS == set()
