"""Providers that a project's users may sign in with."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from getpass import getpass
from typing import TYPE_CHECKING, Any

from service.cli import confirmation, findings, provider_options
from service.cli.command_table import COMMANDS
from service.cli.commands import CheckFailed, NotFound, UsageError, add_command, add_group, database, find_project
from service.cli.findings import Finding
from service.cli.tables import Listing
from service.crypto.secret import Secret
from service.db import Connection, transaction
from service.identity_providers import callbacks, profiles
from service.identity_providers.faults import ProviderFault
from service.identity_providers.provider import Provider
from service.store import providers

if TYPE_CHECKING:
    from service.settings import Settings

_LONGEST_SECRET = 8000
_READS = (
    "read the client secret from standard input, or ask for it; at Apple the private key, the whole .p8 file. It is "
    "kept encrypted, and never shown again."
)


def add(verbs: Any) -> None:
    words = add_group(verbs, "providers", COMMANDS["providers"].text)
    change = _add(words, "set", _set, "set a provider up, or change it; a new one is not enabled yet")
    change.add_argument("--client-secret", action="store_true", dest="reads_secret", help=_READS)
    provider_options.add(change)
    add_command(words, "list", _list, "list a project's providers").add_argument("project")
    _add(words, "show", _show, "show a provider, and the redirect URL to register there")
    _add(words, "enable", _enable, "let users sign in by a provider")
    _add(words, "disable", _disable, "let nobody sign in by a provider; sessions stay")
    _add(words, "check", _check, "ask a provider for its addresses and keys; code 7 if anything is wrong")
    confirmation.add(_add(words, "delete", _delete, "forget a provider's settings; users and their identities stay"))


def _add(words: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    made = add_command(words, name, act, text)
    made.add_argument("project")
    made.add_argument("provider", type=provider_options.name, help="such as google, github or oidc-company")
    return made


async def _set(arguments: argparse.Namespace, settings: "Settings") -> object:
    changes = provider_options.given(arguments)
    if not changes and not arguments.reads_secret:
        raise UsageError("nothing to change; `providers set --help` lists the settings")
    provider_options.check_fit(profiles.PROFILES.get(arguments.provider, profiles.PROFILES["oidc"]), changes)
    secret = _read_secret() if arguments.reads_secret else None
    facts = (arguments.project, arguments.provider)
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        async with transaction(pool, arguments.project) as tx:
            await providers.save(tx, *facts, **changes)
            if secret is not None:
                await providers.set_secret(tx, settings.key_ring, *facts, secret=secret)
            provider = await _get(tx, settings, arguments)
            provider_options.check_together(provider)
            check_ready(provider)
    return shown(settings, provider)


def _read_secret() -> Secret:
    """Read the secret: from a terminal one line, else all there is, for a key has several. Raises UsageError."""
    text = getpass("Client secret: ") if sys.stdin.isatty() else sys.stdin.read(_LONGEST_SECRET + 1)
    text = text.strip()
    if not text or len(text) > _LONGEST_SECRET:
        raise UsageError(f"the client secret has 1 to {_LONGEST_SECRET} characters")
    return Secret(text)


def check_ready(provider: Provider) -> None:
    """Refuse to leave a provider enabled that can't work. Raises UsageError."""
    if provider.enabled and (missing := provider_options.missing(provider)):
        raise UsageError(f"an enabled provider needs {', '.join(missing)}")


async def _get(conn: Connection, settings: "Settings", arguments: argparse.Namespace) -> Provider:
    """Find the provider and lock it. Raises NotFound."""
    found = await providers.lock(conn, settings.key_ring, arguments.project, arguments.provider)
    if found is None:
        raise NotFound(f"{arguments.project} has no provider {arguments.provider}")
    return found


@asynccontextmanager
async def _locked(arguments: argparse.Namespace, settings: "Settings") -> AsyncIterator[tuple[Connection, Provider]]:
    """Open a transaction with the provider locked. Raises NotFound."""
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        async with transaction(pool, arguments.project) as tx:
            yield tx, await _get(tx, settings, arguments)


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await providers.list_all(pool, settings.key_ring, arguments.project)
    rows = [shown(settings, provider) for provider in found]
    return Listing(rows, ("provider", "enabled", "native", "client_id", "redirect_url"))


async def _show(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with _locked(arguments, settings) as (_, provider):
        return shown(settings, provider)


async def _enable(arguments: argparse.Namespace, settings: "Settings") -> object:
    return await _switch(arguments, settings, enabled=True)


async def _disable(arguments: argparse.Namespace, settings: "Settings") -> object:
    return await _switch(arguments, settings, enabled=False)


async def _switch(arguments: argparse.Namespace, settings: "Settings", *, enabled: bool) -> object:
    async with _locked(arguments, settings) as (tx, _):
        await providers.save(tx, arguments.project, arguments.provider, enabled=enabled)
        provider = await _get(tx, settings, arguments)
        check_ready(provider)
    return shown(settings, provider)


async def _delete(arguments: argparse.Namespace, settings: "Settings") -> object:
    confirmation.ask(arguments, f"Forget the settings of {arguments.provider} in {arguments.project}?")
    async with _locked(arguments, settings) as (tx, _):
        await providers.delete(tx, arguments.project, arguments.provider)
    return {"deleted": arguments.provider}


async def _check(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with _locked(arguments, settings) as (_, provider):
        pass
    found = [*_settings_findings(settings, provider), await _answer(provider)]
    if any(finding.state == "fail" for finding in found):
        raise CheckFailed(findings.listing(found))
    return findings.listing(found)


def _settings_findings(settings: "Settings", provider: Provider) -> list[Finding]:
    missing, enabled = provider_options.missing(provider), provider.enabled or provider.native
    callback = callbacks.url(settings.public_url, provider.name, provider.project_id)
    found = [
        Finding("settings", "fail", f"still needed: {', '.join(missing)}")
        if missing
        else Finding("settings", "ok", "complete"),
        Finding("enabled", "ok", "users may sign in by it")
        if enabled
        else Finding("enabled", "warn", "nobody can sign in by it before `providers enable`"),
        Finding("redirect URL", "ok", f"register this at the provider: {callback}"),
    ]
    if provider.profile.email_proof == "trusted" and not provider.trust_email:
        found.append(Finding("addresses", "ok", "its addresses prove nothing; --trust-email on believes them"))
    return found


async def _answer(provider: Provider) -> Finding:
    """Ask for discovery and keys, as the API does."""
    if not (provider.issuer or provider.profile.issuer):
        return Finding("provider", "fail", "there is no address to ask")
    from service.identity_providers.client import IdentityProviders  # noqa: PLC0415 - only `check` needs the web stack

    client = IdentityProviders()
    try:
        metadata, keys = await client.inspect(provider)
    except ProviderFault as fault:
        return Finding("provider", "fail", str(fault))
    finally:
        await client.close()
    if provider.profile.engine != "oidc":
        return Finding("provider", "ok", f"signs in at {metadata.authorization}; not asked, for it has no discovery")
    return Finding(
        "provider",
        "ok" if keys else "fail",
        f"signs in at {metadata.authorization}; signing keys that can be used: {keys}",
    )


def shown(settings: "Settings", provider: Provider) -> dict[str, Any]:
    """Return all settings; of the secret only whether there is one."""
    own = provider.endpoints
    return {
        "provider": provider.name,
        "enabled": provider.enabled,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret is not None,
        "redirect_url": callbacks.url(settings.public_url, provider.name, provider.project_id),
        "native": provider.native,
        "native_client_ids": list(provider.native_client_ids),
        "trust_email": provider.trust_email,
        "issuer": provider.issuer or provider.profile.issuer,
        "discovery_url": own.discovery,
        "authorization_endpoint": own.authorization,
        "token_endpoint": own.token,
        "jwks_uri": own.jwks,
        "userinfo_endpoint": own.userinfo,
        "tenant": provider.tenant,
        "team_id": provider.team_id,
        "key_id": provider.key_id,
        "scopes": list(provider.scopes),
        "prompt": provider.prompt,
        "max_age": provider.max_age,
    }
