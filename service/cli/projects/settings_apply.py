"""`projects apply`: a transaction for each project, whose settings before and after are compared.

A dry run does the same and takes it back, so that it refuses what a real run would refuse.
"""

import argparse
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from service import webhook_urls
from service.cli import output, provider_options, providers
from service.cli.commands import UsageError, database
from service.cli.projects import own_smtp, settings_export, settings_file, settings_wanted
from service.cli.projects.change import change
from service.cli.projects.settings_wanted import Reference, WantedProject, WantedProvider
from service.cli.projects.values import mock_phones
from service.cli.tables import Listing
from service.crypto.secret import Secret
from service.db import Connection, Pool, transaction
from service.store import projects as project_rows
from service.store import providers as provider_rows
from service.store import webhooks

if TYPE_CHECKING:
    from service.settings import Settings

Change = dict[str, Any]
_HIDDEN = "(secret)"


class _TakeBack(Exception):
    """The dry run is over; its transaction is rolled back."""


async def apply(arguments: argparse.Namespace, settings: "Settings") -> object:
    wanted = settings_wanted.parse(settings_file.read(arguments.file))
    changes: list[Change] = []
    try:
        async with database(settings) as pool:
            for project in wanted:
                applying = _Applying(arguments, settings, project)
                await applying.run(pool)
                changes += applying.changes
                sys.stderr.writelines(f"note: {note}\n" for note in applying.notes)
    except BaseException:
        # Projects before this one stay changed, also at Ctrl-C.
        if changes:
            output.show(_listed(arguments, changes), as_json=arguments.json)
        raise
    return _listed(arguments, changes)


def _listed(arguments: argparse.Namespace, changes: list[Change]) -> Listing | None:
    """List the changes, and tell people how many there are."""
    if not arguments.json:
        done = "would change; nothing was written" if arguments.dry_run else "changed"
        sys.stderr.write(f"{len(changes) or 'no'} setting{'' if len(changes) == 1 else 's'} {done}\n")
        if not changes:
            return None
    return Listing(changes, ("project", "setting", "before", "after"))


class _Applying:
    """One project: what it has, what is wanted, and what was changed."""

    def __init__(self, arguments: argparse.Namespace, settings: "Settings", wanted: WantedProject) -> None:
        self._arguments, self._settings, self._wanted = arguments, settings, wanted
        self.changes: list[Change] = []
        self.notes: list[str] = []

    async def run(self, pool: Pool) -> None:
        """Change the project. Raises UsageError in its name."""
        try:
            with suppress(_TakeBack):
                async with transaction(pool, self._wanted.id) as tx:
                    await self._apply(tx)
                    self._end()
        except UsageError as fault:
            raise UsageError(f"{self._wanted.id}: {fault}") from None

    def _end(self) -> None:
        if self._arguments.dry_run:
            raise _TakeBack

    async def _apply(self, tx: Connection) -> None:
        wanted = self._wanted
        before = await settings_export.current(tx, self._settings, wanted.id)
        if not before:
            await project_rows.insert(tx, wanted.id, name=wanted.settings.get("name", wanted.id))
        values = wanted.settings | await self._mock_phones(tx)
        values |= await self._server(tx)
        if values:
            await change(tx, self._settings, wanted.id, values)
        await self._platforms(tx, before)
        for rule, numbers in wanted.limits.items():
            await project_rows.set_limit(tx, wanted.id, rule=rule, numbers=numbers)
        for name, provider in wanted.providers.items():
            await self._provider(tx, name, provider)
        for name, webhook in wanted.webhooks.items():
            await self._webhook(tx, name, webhook)
        after = await settings_export.current(tx, self._settings, wanted.id)
        self._note_dkim(after.get("dkim_selectors", []))
        self.changes = _differences(wanted.id, _flat(before), _flat(after)) + self.changes

    def _note_dkim(self, active: list[str]) -> None:
        """Note keys that a file can't set: a private key stands in none, and its record must be published first."""
        wanted = self._wanted.dkim_selectors
        if wanted is not None and wanted != sorted(active):
            signs = f"signs with {', '.join(active)}" if active else "signs with none"
            self.notes.append(f"{self._wanted.id}.dkim_selectors: the project {signs}; `dkim activate` changes that")

    async def _mock_phones(self, tx: Connection) -> dict[str, Any]:
        if self._wanted.mock_phones is None:
            return {}
        project = await project_rows.find(tx, self._wanted.id)
        former = project.mock_phones if project else {}
        text = self._given(self._wanted.mock_phones, stored=bool(former))
        if text is None:
            return {}
        try:
            numbers = mock_phones(text.reveal())
        except argparse.ArgumentTypeError as fault:
            raise UsageError(f"{self._wanted.mock_phones.variable}: {fault}") from None
        if former and former != numbers:
            self._replaced("mock_phones")
        return {"mock_phones": numbers}

    async def _server(self, tx: Connection) -> dict[str, Any]:
        """Return the SMTP server to set: the wanted URL with the wanted password, or with the one that is stored."""
        wanted, reference = self._wanted.smtp_url, self._wanted.smtp_password
        if wanted == "" or (wanted is None and reference is None):
            return {} if wanted is None else {"smtp_url": None}
        stored = await settings_export.stored_server(tx, self._settings, self._wanted.id)
        former, kept = own_smtp.split_password(stored) if stored else ("", "")
        url = wanted or former
        if not url:
            raise UsageError("smtp_password is of no use without smtp_url")
        password = kept if url == former else ""
        if reference and (given := self._given(reference, stored=bool(password))):
            password = given.reveal()
        if own_smtp.needs_password(url) and not password:
            raise UsageError('smtp_url names a user: smtp_password = { env = "NAME" } is missing')
        server = own_smtp.server(self._arguments, url, password)
        if server.url == stored:
            return {}
        if url == former:
            self._replaced("smtp_password")
        return {"smtp_url": server}

    async def _platforms(self, tx: Connection, before: dict[str, Any]) -> None:
        hostnames, apps = self._wanted.platforms.get("web"), self._wanted.platforms.get("app")
        if hostnames is not None:
            former = {*before.get("hostnames", ())}
            for hostname in former.difference(hostnames):
                await project_rows.remove_platform(tx, self._wanted.id, hostname=hostname)
            for hostname in {*hostnames} - former:
                await project_rows.add_platform(tx, self._wanted.id, hostname=hostname)
        if apps is not None:
            former = {*before.get("apps", ())}
            for app in former.difference(apps):
                await project_rows.remove_app(tx, self._wanted.id, app=app)
            for app in {*apps} - former:
                await project_rows.add_app(tx, self._wanted.id, app=app)

    async def _provider(self, tx: Connection, name: str, wanted: WantedProvider) -> None:
        facts = (self._wanted.id, name)
        await provider_rows.save(tx, *facts, **wanted.settings)
        former = await provider_rows.lock(tx, self._settings.key_ring, *facts)
        stored = former.client_secret if former else None
        if wanted.secret and (secret := self._given(wanted.secret, stored=stored is not None)):
            secret = Secret(secret.reveal().strip())
            if secret != stored:
                await provider_rows.set_secret(tx, self._settings.key_ring, *facts, secret=secret)
                if stored is not None:
                    self._replaced(f"providers.{name}.client_secret")
        if provider := await provider_rows.lock(tx, self._settings.key_ring, *facts):
            provider_options.check_together(provider)
            providers.check_ready(provider)

    async def _webhook(self, tx: Connection, name: str, wanted: dict[str, Any]) -> None:
        place, url, types = (self._wanted.id, name), wanted.get("url"), wanted.get("types")
        if url is not None and (fault := webhook_urls.fault(url, self._settings.reachable_networks)):
            raise UsageError(f"webhooks.{name}.url can't be used: {fault}")
        if await webhooks.find(tx, *place):
            await webhooks.change(tx, *place, url=url, types=types)
        elif url is None:
            raise UsageError(f"webhooks.{name}.url is missing")
        else:
            await webhooks.create(tx, self._settings.key_ring, *place, url=url, types=types or [])
            self.notes.append(f"{self._wanted.id}: `webhooks rotate {self._wanted.id} {name}` shows a secret")
        if wanted.get("enabled") is False:
            await webhooks.disable(tx, *place, reason=webhooks.BY_OPERATOR)
        elif wanted.get("enabled"):
            await webhooks.enable(tx, *place)

    def _given(self, reference: Reference, *, stored: bool) -> Secret | None:
        """Return a secret; None keeps the one that is stored. Raises UsageError where there is neither."""
        if reference.secret is None and not stored:
            raise UsageError(f"{reference.place}: the variable {reference.variable} is not set")
        if reference.secret is None:
            self.notes.append(f"{reference.place}: {reference.variable} is not set, so what is stored stays")
        return reference.secret

    def _replaced(self, setting: str) -> None:
        """Note a secret that takes another's place; that one comes or goes shows by itself."""
        self.changes.append(_change(self._wanted.id, setting, _HIDDEN, "another secret"))


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return settings by their whole name; a secret's value is that there is one."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and "env" not in value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[before + name] = _HIDDEN if isinstance(value, dict) else value
    return found


def _differences(project_id: str, before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    names = dict.fromkeys((*before, *after))
    return [
        _change(project_id, name, before.get(name), after.get(name))
        for name in names
        if (before.get(name) or None) != (after.get(name) or None)
    ]


def _change(project_id: str, setting: str, before: Any, after: Any) -> Change:
    return {"project": project_id, "setting": setting, "before": before, "after": after}
