"""A browser without pictures: it keeps cookies by their path, and follows a sign-in by a provider step by step."""

import json
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from service.http.middleware import SERVICES
from service.store import projects
from testkit.api import Api
from testkit.identity_provider import IdentityProvider

SESSIONS, TOKENS = "/v1/account/sessions/oauth2", "/v1/account/tokens/oauth2"
HOME, AGAIN = "http://localhost/home", "http://localhost/again"


@dataclass
class Visitor:
    """A visitor of the shop. `cookies` are by name, with the path that they were set for."""

    api: Api
    provider: IdentityProvider
    cookies: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def get(self, path: str, *, headers: dict[str, str] | None = None) -> Any:
        """Go to an address of the service, as a link or a redirect leads there."""
        return await self.request("GET", path, headers=headers)

    async def request(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, modern: bool = False, **kwargs: Any
    ) -> Any:
        jar = {name: value for name, (value, under) in self.cookies.items() if urlsplit(path).path.startswith(under)}
        sent = {"X-Appwrite-Project": None if "project=" in path or "/callback/" in path else "shop"}
        sent |= {"Accept": "text/html"} if method == "GET" and not modern else {}
        sent |= {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        answer = await self.api.call(
            method, path, modern=modern, headers={**sent, **(headers or {})}, allow_redirects=False, **kwargs
        )
        for line in answer.headers.getall("Set-Cookie", []):
            self._keep(line)
        return answer

    async def start(self, kind: str = SESSIONS, name: str = "oidc", **query: str) -> Any:
        """Ask to be sent to the provider."""
        facts = {"project": "shop", "success": HOME, "failure": AGAIN, **query}
        return await self.get(f"{kind}/{name}?{urlencode(facts)}", headers={"Referer": "http://localhost/"})

    async def go(self, kind: str = SESSIONS, name: str = "oidc", **query: str) -> str:
        """Start, sign in at the provider, and return the callback's address, not opened yet."""
        started = await self.start(kind, name, **query)
        assert started.status == 301, started.data
        back = await self.provider.sign_in(started.headers["Location"])
        return f"{SESSIONS}/callback/{name}/shop?{urlencode(back)}"

    async def come_back(self, callback: str) -> Any:
        """Open a callback's address, follow it to the end of the sign-in, and return that answer."""
        handed = await self.get(callback)
        assert handed.status == 302, handed.data
        return await self.get(handed.headers["Location"])

    async def sign_in(self, kind: str = SESSIONS, name: str = "oidc", **query: str) -> Any:
        """Go all the way; return the answer that leads back to the app."""
        return await self.come_back(await self.go(kind, name, **query))

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """Call the API as a page of the app does."""
        headers = {"Origin": "http://localhost"}
        return await self.request(method, path, headers=headers, modern=True, **({"json": body} if body else {}))

    async def account(self) -> dict[str, Any]:
        answer = await self.call("GET", "/v1/account")
        assert answer.status == 200, answer.data
        return answer.data

    def _keep(self, line: str) -> None:
        name, morsel = next(iter(SimpleCookie(line).items()))
        if morsel["max-age"] == "0" or "1970" in morsel["expires"]:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = (morsel.coded_value, morsel["path"])


async def with_password(api: Api, provider: IdentityProvider, email: str = "ann@example.com") -> Visitor:
    """Make an account with a password, and a visitor who is signed in to it."""
    await api.sign_up(email)
    visitor = Visitor(api, provider)
    name, _, value = (await api.sign_in(email))["Cookie"].partition("=")
    visitor.cookies[name] = (value, "/")
    return visitor


async def change_project(api: Api, **changes: Any) -> None:
    """Change the shop, and have the next request see it: settings are believed for a second."""
    services = api.client.app[SERVICES]
    await projects.change(services.pool, "shop", **changes)
    services.projects._seen.clear()


async def limit_project(api: Api, rule: str, *numbers: int) -> None:
    """Set the shop's numbers of a rate limit, calls and seconds, or none to switch it off; seen at once as well."""
    services = api.client.app[SERVICES]
    await projects.set_limit(services.pool, "shop", rule=rule, numbers=[*numbers])
    services.projects._seen.clear()


def parameters(answer: Any) -> dict[str, str]:
    """Return the query of the address that an answer leads to."""
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query, keep_blank_values=True))


def error(answer: Any) -> tuple[int, str]:
    """Return status and type of the error that a sign-in ended with, at the app's own address."""
    assert answer.status == 301, answer.data
    assert answer.headers["Location"].startswith(AGAIN), answer.headers["Location"]
    found = json.loads(parameters(answer)["error"])
    assert found.keys() == {"message", "type", "code"}
    return found["code"], found["type"]
