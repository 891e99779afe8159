"""What the commands about users share."""

import argparse
from typing import Any

from service import email_addresses
from service.accounts.user_admin import Operator
from service.cli.commands import Act, NoSuchThing, Terminal, find_project, verb
from service.db import Pool
from service.store import users
from service.store.users import User


def user_verb(words: Any, name: str, act: Act, text: str, *, of_user: bool = False) -> argparse.ArgumentParser:
    made = verb(words, name, act, text)
    made.add_argument("project")
    if of_user:
        made.add_argument("user", help="an id, or an address")
    return made


async def find_user(pool: Pool, project_id: str, named: str) -> User:
    """By id, or by what no id can hold: an address. Raises NoSuchThing."""
    await find_project(pool, project_id)
    if "@" in named:
        user = await users.find_by_email(pool, project_id, email=email_addresses.lookup_form(named))
    else:
        user = await users.find(pool, project_id, user_id=named)
    if user is None:
        raise NoSuchThing(f"{project_id} has no user {named}")
    return user


def operator_of(pool: Pool, project_id: str) -> Operator:
    return Operator(pool, project_id, Terminal())
