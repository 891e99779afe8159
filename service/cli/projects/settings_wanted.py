"""Parsed values of a settings file; every fault of it is found before anything is changed."""

import argparse
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from service.cli import limit_windows, limits, provider_options
from service.cli.commands import UsageError
from service.cli.projects import values as project_values
from service.cli.projects.settings_export import PLAIN
from service.cli.projects.settings_file import Key, SettingsFile
from service.cli.webhooks import values as webhook_values
from service.crypto.secret import Secret
from service.identity_providers import profiles
from service.settings import Settings

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Settings of a webhook: how each is parsed, and what stands for it.
_WEBHOOK: dict[str, tuple[Callable[[str], Any], str]] = {
    "url": (str, "URL"),
    "types": (webhook_values.types, "A,B"),
    "enabled": (lambda text: text == "on", "on|off"),
}
_KINDS: dict[str, Literal["web", "app"]] = {"hostnames": "web", "apps": "app"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret by the name of its variable; `secret` is None where that is not set."""

    place: str
    variable: str
    secret: Secret | None


@dataclass(slots=True)
class WantedProvider:
    settings: dict[str, Any] = field(default_factory=dict)
    secret: Reference | None = field(default=None, repr=False)


@dataclass(slots=True)
class WantedProject:
    """Values that a file names for a project, parsed; None for what it does not name."""

    id: str
    settings: dict[str, Any] = field(default_factory=dict)
    smtp_url: str | None = None
    smtp_password: Reference | None = None
    mock_phones: Reference | None = None
    dkim_selectors: list[str] | None = None
    platforms: dict[Literal["web", "app"], list[str]] = field(default_factory=dict)
    limits: dict[str, list[int] | None] = field(default_factory=dict)
    providers: dict[str, WantedProvider] = field(default_factory=dict)
    webhooks: dict[str, dict[str, Any]] = field(default_factory=dict)


def parse(file: SettingsFile) -> list[WantedProject]:
    """Parse a file. Raises UsageError that lists all faults, each with its line."""
    reader = _Reader(file)
    found = list(reader.projects())
    if reader.faults:
        raise UsageError("\n".join(reader.faults))
    return found


class _Reader:
    def __init__(self, file: SettingsFile) -> None:
        self._file = file
        self.faults: list[str] = []

    def projects(self) -> Iterator[WantedProject]:
        for name in self._file.values.keys() - {"projects"}:
            self._fault((name,), "there is no such table; projects are [projects.ID]")
        for name, table in self._table(("projects",), self._file.values.get("projects", {})):
            self._parsed(("projects", name), project_values.project_id, name)
            project = WantedProject(name)
            for key, value in self._table(("projects", name), table):
                self._setting(project, ("projects", name, key), value)
            yield project

    def _setting(self, project: WantedProject, key: Key, value: Any) -> None:
        name = key[-1]
        if option := PLAIN.get(name):
            self._put(project.settings, key, option.parse, option.values, value)
        elif name == "smtp_url":
            parsed: dict[str, str] = {}
            self._put(parsed, key, lambda text: project_values.smtp_url(text) if text else "", "URL", value)
            project.smtp_url = parsed.get(name)
        elif name in ("smtp_password", "mock_phones"):
            setattr(project, name, self._reference(key, value))
        elif name == "dkim_selectors":
            project.dkim_selectors = self._list(key, str, value)
        elif name in _KINDS:
            kind = _KINDS[name]
            parse = _argument(lambda text: project_values.platform(text, kind))
            project.platforms[kind] = self._list(key, parse, value)
        elif name == "limits":
            self._limits(project, key, value)
        elif name == "providers":
            project.providers |= {
                provider: self._provider((*key, provider), table) for provider, table in self._table(key, value)
            }
        elif name == "webhooks":
            project.webhooks |= {each: self._webhook((*key, each), table) for each, table in self._table(key, value)}
        else:
            self._fault(key, "there is no such setting")

    def _limits(self, project: WantedProject, key: Key, value: Any) -> None:
        rules = limit_windows.all_rules()
        for rule, numbers in self._table(key, value):
            if rule in rules:
                self._put(project.limits, (*key, rule), limits.numbers, "TEXT", numbers)
            else:
                self._fault((*key, rule), "there is no such rule; `limits show PROJECT` lists them")

    def _webhook(self, key: Key, table: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._parsed(key, webhook_values.endpoint_id, key[-1])
        for name, value in self._table(key, table):
            if option := _WEBHOOK.get(name):
                self._put(found, (*key, name), *option, value)
            else:
                self._fault((*key, name), "there is no such setting of a webhook")
        return found

    def _provider(self, key: Key, table: Any) -> WantedProvider:
        found = WantedProvider()
        profile = profiles.find(key[-1])
        if profile is None:
            self._parsed(key, provider_options.name, key[-1])
            return found
        options = {option.name: option for option in provider_options.OPTIONS}
        for name, value in self._table(key, table):
            if name == "client_secret":
                found.secret = self._reference((*key, name), value)
            elif name == "enabled":
                self._put(found.settings, (*key, name), lambda text: text == "on", "on|off", value)
            elif option := options.get(name):
                self._put(found.settings, (*key, name), option.parse, option.values, value)
            else:
                self._fault((*key, name), "there is no such setting of a provider")
        try:
            provider_options.check_fit(profile, found.settings)
        except UsageError as fault:
            self._fault(key, str(fault))
        return found

    def _reference(self, key: Key, value: Any) -> Reference | None:
        if isinstance(value, dict) and value.keys() == {"env"} and _VARIABLE.fullmatch(str(value["env"])):
            if value["env"].lower() in Settings.model_fields:
                self._fault(key, f"{value['env']} is a setting of the service, and no project's secret")
                return None
            text = os.environ.get(value["env"])
            return Reference(self._file.place(key), value["env"], Secret(text) if text else None)
        # Not the value: it may be the secret itself.
        self._fault(key, 'a secret is named by its variable, as { env = "NAME" }, and not written here')
        return None

    def _put(self, into: dict[str, Any], key: Key, parse: Callable[[str], Any], values: str, value: Any) -> None:
        text = _typed(values, value)
        if text is None:
            self._fault(key, _TYPES.get(values, "a text in quotes"))
        else:
            into[key[-1]] = self._parsed(key, parse, text or _none(key[-1]))

    def _parsed(self, key: Key, parse: Callable[[str], Any], text: Any) -> Any:
        try:
            if isinstance(text, str):
                return parse(text)
            self._fault(key, "a list of texts in quotes")
        except argparse.ArgumentTypeError as fault:
            self._fault(key, str(fault))
        return None

    def _list(self, key: Key, parse: Callable[[str], Any], value: Any) -> list[str]:
        items = value if isinstance(value, list) else [None]
        return sorted({str(self._parsed(key, parse, item)) for item in items})

    def _table(self, key: Key, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            yield from value.items()
        else:
            self._fault(key, "it is a table")

    def _fault(self, key: Key, text: str) -> None:
        self.faults.append(f"{self._file.place(key)}: {text}")


# What may stand for an option's values, if it isn't a text.
_TYPES = {
    "on|off": "true or false",
    "N": "a whole number",
    "A,B": "a list of texts in quotes",
    "+A,+B": "a list of texts in quotes",
    "SECONDS": 'a whole number, or "none"',
}


def _typed(values: str, value: Any) -> str | None:
    """Return a value as it is typed behind its option; None if it is of another type."""
    match values, value:
        case ("on|off", bool()):
            return "on" if value else "off"
        case ("N" | "TIME" | "SECONDS", int()) if not isinstance(value, bool):
            return str(value)
        case ("A,B" | "+A,+B", list()) if all(isinstance(item, str) and "," not in item for item in value):
            return ",".join(value)
        case ("on|off" | "N" | "A,B" | "+A,+B", _):
            return None
        case (_, str()):
            return value
    return None


def _none(name: str) -> str:
    """Return the word for no second factors, whose empty list could be a slip on a command line."""
    return "none" if name == "mfa_factors" else ""


def _argument(parse: Callable[[str], str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        try:
            return parse(text)
        except ValueError as fault:
            raise argparse.ArgumentTypeError(str(fault)) from None

    return read
