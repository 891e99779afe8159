"""Secrets of what sends mails, and of what tells other systems: planted for the search of test_canary.py, and used."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from service.crypto import invitation_codes
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret
from service.db import Pool, transaction
from service.store import dkim_keys, invitations, project_relays, projects, test_accounts, webhooks
from testkit import bounce_webhooks as calls
from testkit.api import Api, cookie_of
from testkit.api_keys import key
from testkit.processes import lasting_port
from testkit.waiting import until
from testkit.webhook_receiver import Receiver
from tests.integration.conftest import Terminal

REVIEWER, CODE, TOKEN = "review@tests.example", "314159", "e9Zpx4vRt71kQw0bHs6m"
Note = Callable[[str, str], str]


@dataclass
class Pipeline:
    """A project with webhook, DKIM key, test account and relay; `note` takes down a secret by its name."""

    pool: Pool
    ring: KeyRing
    note: Note
    receiver: Receiver
    invitation: str = ""
    bounce_port: int = 0
    health_port: int = 0

    def settings(self) -> dict[str, str]:
        """Make settings of the worker, with a port for the webhooks of providers."""
        self.bounce_port, self.health_port = lasting_port(), lasting_port()
        known = {
            "BOUNCE_MAILGUN_KEY": calls.MAILGUN_KEY,
            "BOUNCE_POSTMARK_AUTH": calls.POSTMARK_AUTH,
            "BOUNCE_RESEND_SECRET": calls.RESEND_SECRET,
        }
        for name, value in known.items():
            self.note(name, value.rpartition(":")[2])
        return known | {
            "BOUNCE_WEBHOOK_PORT": str(self.bounce_port),
            "WORKER_HEALTH_PORT": str(self.health_port),
            "BOUNCE_ADDRESS": "bounces@bounces.accounts.test",
            "WEBHOOK_NETWORKS": "127.0.0.0/8",
        }

    async def plant(self) -> None:
        """Make a webhook with two secrets, a DKIM key, a test account, an invitation, and another project's relay."""
        async with transaction(self.pool, "shop") as tx:
            await webhooks.create(tx, self.ring, "shop", "crm", url=self.receiver.url, types=[])
            await webhooks.rotate(tx, self.ring, "shop", "crm", overlap=3600)
        for number, secret in enumerate(await webhooks.live_secrets(self.pool, self.ring, "shop", "crm")):
            text = secret.reveal().removeprefix("whsec_")
            self.note(f"secret {number} of a webhook", text)
            self.note(f"secret {number} of a webhook, its bytes", base64.b64decode(text).hex())
            self.receiver.secret = secret.reveal()
        made = await dkim_keys.create(
            self.pool, self.ring, "shop", selector="s1", domain="accounts.test", algorithm="ed25519"
        )
        await dkim_keys.activate(self.pool, "shop", "s1")
        pem = dkim_keys.private_key(self.ring, made).reveal().splitlines()[1]
        # In front of the key's 32 bytes stands what all keys of its kind have.
        self.note("a DKIM key", pem[-43:])
        self.note("a DKIM key, its bytes", base64.b64decode(pem)[-32:].hex())
        await projects.change(self.pool, "shop", test_domains=["tests.example"])
        await test_accounts.save(self.pool, self.ring, "shop", email=REVIEWER, code=Secret(CODE), days=1)
        self.note("the code of a test account", f'"{CODE}"')
        code = invitation_codes.generate()
        await invitations.create(self.pool, "shop", code=code, note="", seconds=3600)
        self.note("the code of an invitation", code.reveal())
        self.invitation = self.note("the code of an invitation, as it is shown", invitation_codes.shown(code))
        await projects.create(self.pool, project_id="other", name="Other")
        url = Secret(f"postmark+https://server:{TOKEN}@127.0.0.1:{lasting_port()}")
        await project_relays.save(self.pool, self.ring, "other", server="127.0.0.1:1", url=url)
        self.note("the token of a relay by HTTP", TOKEN)

    async def use(self, api: Api) -> dict[str, str]:
        """Sign in by the fixed code, call the port of bounces, read feed and export; return what was answered."""
        await projects.change(self.pool, "shop", sign_up="invitation")
        body = {"userId": "reviewer", "email": REVIEWER}
        asked = await api.call("POST", "/v1/account/tokens/email", json=body, headers={"X-Invitation": self.invitation})
        proof = {"userId": asked.data["userId"], "secret": CODE}
        signed_in = await api.call("POST", "/v1/account/sessions/token", json=proof, modern=True)
        assert signed_in.status == 201, signed_in.data
        member = {"Cookie": cookie_of(signed_in)}
        await until(lambda: self.receiver.received)
        server = await key(self.pool, "events.read")
        feed = await api.call("GET", "/v1/events?limit=1000", headers=server, modern=True)
        assert len(feed.data["events"]) >= 1
        export = await api.call("GET", "/v1/account/export", headers=member, modern=True)
        assert export.status == 200
        return {
            "the feed": json.dumps(feed.data),
            "an export": json.dumps(export.data),
            "a webhook's bodies": json.dumps(self.receiver.received),
            "a webhook's signatures": " ".join(self.receiver.signatures),
            "the answers to providers": await self._call_as_providers(),
            "the worker's metrics": await _read(f"http://127.0.0.1:{self.health_port}/metrics"),
        }

    async def _call_as_providers(self) -> str:
        """Call with the secrets, in the right place and in a wrong one."""
        genuine = {
            "mailgun": calls.mailgun(calls.mailgun_event(REVIEWER, "<x@y>")),
            "postmark": calls.postmark(calls.postmark_event(REVIEWER, "x")),
            "resend": calls.resend(calls.resend_event(REVIEWER, "<x@y>")),
        }
        answers = []
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.bounce_port}") as session:
            for provider, call in genuine.items():
                for body in (call.body, call.body[:-1], calls.MAILGUN_KEY.encode()):
                    async with session.post(f"/{provider}", data=body, headers=dict(call.headers)) as answer:
                        answers.append(await answer.text())
        return "\n".join(answers)


async def _read(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


async def commands(type_: Terminal) -> dict[str, str]:
    """Return what the commands print that show a project's set-up; a refusal counts as well."""
    found = {}
    for words in (
        "projects export", "--json projects export", "projects show shop", "projects show other", "webhooks list shop",
        "webhooks show shop crm", "webhooks deliveries shop crm", "dkim list shop", "test-accounts list shop",
        "log export shop", "users export shop -", "invitations list shop", "mails list --project shop",
    ):  # fmt: skip
        code, out, err = await type_(*words.split())
        found[f"the output of {words}"] = out + err
        assert code == 0, (words, err)
    return found
