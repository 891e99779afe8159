"""`python -m service dkim`: keys that a project's mails are signed with, from the making to the last day."""

import argparse
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from service.cli import confirmation
from service.cli.command_table import COMMANDS
from service.cli.commands import NotFound, UsageError, add_command, add_group, database, find_project
from service.cli.tables import Listing
from service.store import dkim_keys
from service.store.dkim_keys import DkimKey, TooManyKeys

if TYPE_CHECKING:
    from service.db import Executor
    from service.settings import Settings

_SELECTOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ALGORITHMS = ("rsa", "ed25519")
# Characters in one string of a TXT record.
_STRING = 255
_DOMAIN = "d= of the signature: the sender's domain, or one above it; the sender's if not given"


def add(verbs: Any) -> None:
    words = add_group(verbs, "dkim", COMMANDS["dkim"].text)
    create = add_command(words, "create", _create, "make a key; it signs nothing until it is published and activated")
    create.add_argument("project")
    create.add_argument("--selector", type=_selector, metavar="NAME", help="algorithm and day if not given")
    create.add_argument(
        "--algorithm", choices=_ALGORITHMS, default="rsa", help="rsa (2,048 bits, which all receivers know) or ed25519"
    )
    create.add_argument("--domain", metavar="DOMAIN", help=_DOMAIN)
    add_command(words, "list", _list, "list a project's keys").add_argument("project")
    _add(words, "show", _show, "show a key and its DNS record")
    activate = _add(words, "activate", _activate, "sign with a key, instead of the active one of its algorithm")
    activate.add_argument(
        "--unchecked", action="store_true", help="without looking in the DNS whether the key is published"
    )
    activate.add_argument("--dns-server", default="", metavar="ADDRESS", help="ask this DNS server, not the system's")
    confirmation.add(_add(words, "retire", _retire, "delete a key; with the active one signing ends"))


def _add(words: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    made = add_command(words, name, act, text)
    made.add_argument("project")
    made.add_argument("selector", type=_selector)
    return made


def _selector(text: str) -> str:
    if not _SELECTOR.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 63 small letters, digits and hyphens, such as mail-2026")
    return text


async def _create(arguments: argparse.Namespace, settings: "Settings") -> object:
    selector = arguments.selector or f"{arguments.algorithm}-{datetime.now(UTC):%Y%m%d}"
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        sender = (project.sender_address or settings.mail_from).rpartition("@")[2]
        domain = (arguments.domain or sender).lower().rstrip(".")
        if not is_aligned(sender, domain):
            raise UsageError(f"--domain: receivers want {sender}, the sender's domain, or one above it")
        try:
            key = await dkim_keys.create(
                pool, settings.key_ring, project.id, selector=selector, domain=domain, algorithm=arguments.algorithm
            )
        except TooManyKeys as fault:
            raise UsageError(str(fault)) from None
    return _shown(key)


def is_aligned(sender: str, domain: str) -> bool:
    """Tell whether a signature of `domain` is one for mails from `sender`, as DMARC sees it by default."""
    return sender == domain or ("." in domain and sender.endswith(f".{domain}"))


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await dkim_keys.list_all(pool, arguments.project)
    rows = [_facts(key) for key in found]
    return Listing(rows, ("selector", "domain", "algorithm", "state", "created_at", "activated_at"))


async def _show(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        return _shown(await _get(pool, arguments))


async def _activate(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        key = await _get(pool, arguments)
        if not arguments.unchecked:
            await _require_record(key, arguments.dns_server)
        active = await dkim_keys.activate(pool, key.project_id, key.selector)
        if active is None:
            raise NotFound(f"{key.project_id} has no DKIM key {key.selector}")
        found = await dkim_keys.list_all(pool, key.project_id)
    former = [each.selector for each in found if each.state == "former"]
    return _facts(active) | {"former": former}


async def _require_record(key: DkimKey, server: str) -> None:
    """Raise UsageError unless receivers find this key."""
    from service.cli.doctor import dkim_records  # noqa: PLC0415 - half a second that no other command should wait for
    from service.cli.doctor.dns_lookups import DnsLookups, DnsUnavailable  # noqa: PLC0415 - the same

    try:
        fault = await dkim_records.find_fault(DnsLookups(server), key)
    except DnsUnavailable as error:
        fault = f"{key.record_name} can't be looked up: {error}"
    if fault:
        raise UsageError(f"{fault}; `dkim show` prints the record, --unchecked activates the key all the same")


async def _retire(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        key = await _get(pool, arguments)
        signs = "which signs mails now" if key.state == "active" else f"which is {key.state}"
        confirmation.ask(arguments, f"Delete the DKIM key {key.selector} of {key.project_id}, {signs}?")
        await dkim_keys.retire(pool, key.project_id, key.selector)
    return {"retired": key.selector, "remove_record": key.record_name}


async def _get(conn: "Executor", arguments: argparse.Namespace) -> DkimKey:
    """Find the key. Raises NotFound."""
    await find_project(conn, arguments.project)
    key = await dkim_keys.find(conn, arguments.project, arguments.selector)
    if key is None:
        raise NotFound(f"{arguments.project} has no DKIM key {arguments.selector}")
    return key


def _facts(key: DkimKey) -> dict[str, Any]:
    names = ("selector", "domain", "algorithm", "state", "created_at", "activated_at")
    return {name: getattr(key, name) for name in names}


def _shown(key: DkimKey) -> dict[str, Any]:
    """Return the facts of a key, and its record as it is typed into a form, and as a line of a zone file."""
    strings = " ".join(f'"{key.record[at : at + _STRING]}"' for at in range(0, len(key.record), _STRING))
    return _facts(key) | {
        "record_type": "TXT",
        "record_name": key.record_name,
        "record_value": key.record,
        "zone_line": f"{key.record_name}. IN TXT {strings}",
    }
