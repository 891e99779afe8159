"""Import of an Appwrite project's users, page by page, so that it can stop anywhere and go on."""

import argparse
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from service.accounts import user_admin
from service.accounts.imported_users import Imported, ImportedFactors
from service.accounts.user_admin import AdminContext
from service.cli import tables
from service.cli.appwrite import source_users
from service.cli.appwrite.dump import Dump
from service.cli.appwrite.keys import DUMP_KEY, KEY, secret
from service.cli.appwrite.report import Report
from service.cli.appwrite.server_api import AppwriteApi, SourcePage
from service.cli.appwrite.source_users import Reading, SourceUser, Unfit
from service.cli.appwrite.state import ImportState
from service.cli.appwrite.update import Makers, update
from service.cli.commands import PartialFailure, UsageError, database, find_project
from service.cli.progress import Progress
from service.cli.users.commands import admin_context
from service.crypto.key_derivation import KeyRing
from service.crypto.password_hashing import PasswordHashPool
from service.crypto.weak_hashes import WeakHash
from service.errors import AccountError, EmailExists, PhoneExists, TargetExists, TargetLimit, UserExists
from service.store import identities, providers, user_phones, users
from service.store.users import User

if TYPE_CHECKING:
    from service.settings import Settings

_TAKEN = "its address or number is another user's here"


@dataclass(frozen=True, slots=True)
class Importer:
    """Takes one user after another, each in a transaction of its own."""

    operator: AdminContext
    reading: Reading
    ring: KeyRing = field(repr=False)
    passwords: PasswordHashPool
    arguments: argparse.Namespace
    # What the API doesn't tell, where users come from there.
    beside: Dump | None
    report: Report
    # Addresses and numbers of a dry run: of two users with the same the second one is skipped.
    seen: set[str] = field(default_factory=set, repr=False)

    async def take(self, given: dict[str, Any]) -> None:
        """Take a user, or report why not."""
        named = str(given.get("$id"))[:36]
        given = given | (self.beside.untold(named) if self.beside else {})
        try:
            await self._take(source_users.read(self.reading, given))
        except Unfit as fault:
            self.report.skipped[str(fault)].append(named)
        except (UserExists, EmailExists, PhoneExists):
            self.report.skipped[_TAKEN].append(named)
        except (TargetExists, TargetLimit):
            self.report.skipped["its devices are not to be told apart"].append(named)

    async def _take(self, user: SourceUser) -> None:
        existing = await users.find(self.operator.pool, self.operator.project_id, user_id=user.id)
        if existing is not None:
            changed = self.arguments.update and await update(
                self.operator,
                existing,
                user,
                Makers(self._line, self._facts),
                kept=self.reading.project.password_history,
                dry_run=self.arguments.dry_run,
            )
            self.report.updated += bool(changed)
            self.report.left += not changed
            return
        taken = 0
        if self.arguments.dry_run:
            await self._check_free(user)
            for subject, _ in user.identities.taken:
                taken += await identities.claim(self.operator.pool, self.operator.project_id, subject) is None
        else:
            created = await self._create(user)
            taken = await identities.count(self.operator.pool, created) if user.identities.taken else 0
        self.report.count(user, identities=taken)

    async def _create(self, user: SourceUser) -> User:
        return await user_admin.create(
            self.operator,
            user_id=user.id,
            email=user.line.email,
            name=user.line.name,
            password_hash=await self._line(user),
            email_verified=user.line.verified,
            phone=user.line.phone,
            imported=await self._facts(user),
        )

    async def _facts(self, user: SourceUser) -> Imported:
        """Add second factors, as they are stored."""
        known = user.factors
        hashes = await self.passwords.hash_codes([code.reveal() for code in known.codes]) if known.codes else []
        return replace(user.facts, factors=ImportedFactors(self.ring, known.mfa, known.totp, hashes))

    async def _line(self, user: SourceUser) -> str | None:
        """Make the line to store."""
        return await self.passwords.wrap(user.hash) if isinstance(user.hash, WeakHash) else user.hash

    async def _check_free(self, user: SourceUser) -> None:
        pool, project_id = self.operator.pool, self.operator.project_id
        own = {user.line.email, user.line.phone if user.line.phone_verified else None} - {None}
        if own & self.seen:
            raise UserExists
        self.seen.update(each for each in own if each)
        if user.line.email and await users.find_by_email(pool, project_id, email=user.line.email):
            raise UserExists
        if user.line.phone and await user_phones.is_verified(pool, project_id, phone=user.line.phone):
            raise UserExists


async def run(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Import all users. Raises PartialFailure if some could not be taken; the state is kept if it breaks off."""
    key = secret(arguments.key_file, KEY)
    if arguments.endpoint is None and arguments.dump is None:
        raise UsageError("name the source: --endpoint URL and --source-project ID, or --dump FILE")
    if arguments.endpoint is not None and (key is None or arguments.source_project is None):
        raise UsageError(f"--endpoint needs --source-project, and the API key in {KEY} or --key-file")
    report = Report()
    state = ImportState.read(arguments.state, arguments.project, arguments.endpoint or arguments.dump)
    passwords = PasswordHashPool(threads=1)
    async with AsyncExitStack() as stack:
        stack.callback(passwords.close)
        pool = await stack.enter_async_context(database(settings))
        project = await find_project(pool, arguments.project)
        known = {each.name: each for each in await providers.list_all(pool, settings.key_ring, project.id)}
        reading = Reading(
            project, known, secret(arguments.dump_key_file, DUMP_KEY),
            with_passwords=not arguments.without_passwords, with_factors=not arguments.without_factors,
        )  # fmt: skip
        dump = _read_dump(stack, arguments, reading) if arguments.dump else None
        if arguments.endpoint is None:
            assert dump is not None  # noqa: S101 - one of them is named
            pages, beside = dump.pages(state.cursor), None
        else:
            api = await stack.enter_async_context(AppwriteApi(arguments.endpoint, arguments.source_project, key))
            pages, beside = api.users(state.cursor), dump
        operator = admin_context(pool, project.id)
        importer = Importer(operator, reading, settings.key_ring, passwords, arguments, beside, report)
        await _take_all(importer, pages, state)
    answer = report.answer(dry_run=arguments.dry_run)
    if report.skipped:
        raise PartialFailure(answer, kind="wrong")
    return answer


def _read_dump(stack: AsyncExitStack, arguments: argparse.Namespace, reading: Reading) -> Dump:
    """Read the dump as a whole, and try the key. Raises UsageError."""
    dump = stack.enter_context(Dump(arguments.dump))
    dump.read(arguments.source_project)
    dump.check_key(reading.key, passwords=reading.with_passwords, factors=reading.with_factors)
    return dump


async def _take_all(importer: Importer, pages: AsyncIterator[SourcePage], state: ImportState) -> None:
    """Take every page; the state stands behind it once all its users are in."""
    report, progress = importer.report, Progress(None)
    begun = False
    try:
        async for page in pages:
            if not begun and not state.cursor:
                progress = Progress(page.total)
            begun = True
            for given in page.users:
                await importer.take(given)
                progress.advance(report.read, report.line())
            if not importer.arguments.dry_run:
                state.write(page.cursor)
    except BaseException as fault:
        progress.line(f"broken off: {report.line()}; {state.advice()}")
        for reason, named in report.skipped.items():
            progress.line(f"skipped, {reason}: {tables.plain(named)}")
        if isinstance(fault, AccountError):
            raise UsageError(fault.render(legacy=False)[1]) from None
        raise
    progress.clear()
    if not importer.arguments.dry_run:
        state.remove()
