"""A walk: one SDK calls every method of a service, in the order in which an app would, and each outcome is noted."""

import re
from dataclasses import dataclass, field
from typing import Any

from testkit.letters import link_of, parameters_of, text_of
from testkit.sink import Mail, Sink
from tests.e2e.conftest import Deployment
from tests.sdk_compat.sdks import Driver, Sdk

WORKS = "works"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """As the Python SDKs call it: createMagicURLToken is create_magic_url_token."""
    return _HUMP.sub("_", name).lower()


def _leaves(method: str) -> bool:
    """True if the step sends the person to another address."""
    return "OAuth2" in method


@dataclass
class Postbox:
    """A person's mailbox: each mail once, in the order of its coming; notices are passed over."""

    sink: Sink
    read: set[int] = field(default_factory=set)

    async def next(self, address: str) -> Mail:
        await self.sink.wait_for(lambda sink: self._unread(sink, address) is not None)
        number = self._unread(self.sink, address)
        assert number is not None
        self.read.add(number)
        return self.sink.mails[number]

    def _unread(self, sink: Sink, address: str) -> int | None:
        fits = (n for n, mail in enumerate(sink.mails) if address in mail.recipients and n not in self.read)
        return next((n for n in fits if "there is nothing to do" not in text_of(sink.mails[n])), None)

    async def proof(self, address: str) -> dict[str, str]:
        """The userId and secret of the link in the next mail, which leads to the app's page."""
        parameters = parameters_of(link_of(await self.next(address)))
        return {"userId": parameters["userId"], "secret": parameters["secret"]}

    async def secret(self, address: str) -> str:
        """The secret of the link in the next mail, which may lead to a page of the service."""
        return parameters_of(link_of(await self.next(address)))["secret"]

    async def code(self, address: str) -> str:
        """The six digits in the next mail."""
        found = re.findall(r"(?<!\d)\d{6}(?!\d)", text_of(await self.next(address)))
        assert len(found) == 1, found
        return str(found[0])


@dataclass
class Walk:
    """`settings` is what the app has set on its client: endpoint, project, and who it speaks for.

    `service` is the SDK's class in lower case, `page` the address of a browser's page.
    """

    sdk: Sdk
    service: str
    driver: Driver
    deployment: Deployment
    post: Postbox
    settings: dict[str, str]
    key: str
    page: str
    methods: frozenset[str]
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def in_browser(self) -> bool:
        return self.sdk.language == "web"

    def has(self, method: str) -> bool:
        return self.native(method) in self.methods

    def native(self, method: str) -> str:
        return snake(method) if self.sdk.language == "python" else method

    async def works(self, method: str, /, **parameters: Any) -> Any:
        """Call a method that has to work; its value, or None where this SDK has no such method."""
        answer = await self._call(method, parameters)
        if answer is None:
            return None
        assert answer["ok"], (self.sdk.name, method, answer)
        self.outcomes[method] = WORKS
        return answer["value"]

    async def follows(self, method: str, /, *, front: str, **parameters: Any) -> str:
        """Call a method that leads the browser away and back to the page; return the page's address then.

        `front` is the address by which the world knows the service, and at which nothing listens in a test.
        """
        answer = await self.driver.ask(
            act="follow", service=self.service, method=method, args=parameters, settings=self.settings,
            positional=not self.sdk.modern, front=front,
        )  # fmt: skip
        assert answer["ok"], (self.sdk.name, method, answer)
        self.outcomes[method] = WORKS
        return str(answer["value"])

    async def refused(self, method: str, code: int, kind: str, /, **parameters: Any) -> None:
        """Call a method that has to be refused so."""
        answer = await self._call(method, parameters)
        if answer is None:
            return
        # One SDK's OAuth2 method keeps the status of a refusal and drops its body.
        told = kind if _leaves(method) and not answer["type"] else answer["type"]
        assert (answer["ok"], answer["code"], told) == (False, code, kind), (self.sdk.name, method, answer)
        self.outcomes.setdefault(method, f"{code} {kind}")

    async def sms_code(self, number: int) -> str:
        """The six digits of the walk's SMS of this number, counted from 1."""
        await self.deployment.sms.wait_for(number)
        return self.deployment.sms.codes()[number - 1]

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        if not self.has(method):
            return None
        act = "leave" if self.in_browser and _leaves(method) else "call"
        return await self.driver.ask(
            act=act, service=self.service, method=method, args=parameters, settings=self.settings,
            positional=not self.sdk.modern,
        )  # fmt: skip

    def speak(self, **who: str) -> None:
        """From now on the client is set up for a key, a session or a JWT; a browser has its cookies."""
        kept = {name: self.settings[name] for name in ("endpoint", "project")}
        self.settings = kept | ({} if self.in_browser else who)

    def unmet(self) -> frozenset[str]:
        """Methods of the SDK that the walk has forgotten."""
        return self.methods - {self.native(method) for method in self.outcomes}
