"""Parts of the commands about users."""

import argparse
from typing import Any

from service import email_addresses
from service.accounts.user_admin import AdminContext
from service.cli.commands import Command, NotFound, add_command, find_project
from service.db import Pool
from service.store import users
from service.store.events import Actor
from service.store.users import User


def add_user_command(
    words: Any, name: str, act: Command, text: str, *, of_user: bool = False
) -> argparse.ArgumentParser:
    made = add_command(words, name, act, text)
    made.add_argument("project")
    if of_user:
        made.add_argument("user", help="an id, or an address")
    return made


async def find_user(pool: Pool, project_id: str, named: str) -> User:
    """Find a user by id, or by an address, which no id can be. Raises NotFound."""
    await find_project(pool, project_id)
    if "@" in named:
        user = await users.find_by_email(pool, project_id, email=email_addresses.lookup_form(named))
    else:
        user = await users.find(pool, project_id, user_id=named)
    if user is None:
        raise NotFound(f"{project_id} has no user {named}")
    return user


def admin_context(pool: Pool, project_id: str) -> AdminContext:
    return AdminContext(pool, project_id, Actor("127.0.0.1", "accounts-cli"), job_queue=None)
