"""Mails of others: templates that ran, TLS that fell away, jobs that were code."""

import ast
import pickle

import jinja2
import pytest

from service.queue import deserialize
from testkit.sink import Sink
from testkit.sources import modules
from tests.security.installed import at_least
from worker.mail import templates
from worker.mail.branding import Branding
from worker.relays import RelayPool, SmtpUrl, TemporaryFailure

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
FACTS = {
    "era": "modern",
    "recipient": "ann@example.com",
    "link": "https://app.example.com/?secret=1",
    "lifetime_seconds": 3600,
}
FACTS |= {"expires": "2026-11-23T19:30:00+01:00"}


@pytest.mark.advisory("CVE-2024-56326")
def test_a_format_is_no_way_out():
    """Jinja's sandbox was left by an indirect `str.format`. Here no text is made a template, sandboxed or not."""
    at_least("jinja2", 3, 1, 6)
    text = "{{ ('{0.__init__.__globals__}'|format)(x) }}{0.__class__.__mro__}"
    written = templates.render("recovery", locale="en", branding=Branding(text), **FACTS)
    assert text in written.text
    assert text in written.subject


@pytest.mark.advisory("CVE-2025-27516")
def test_an_attribute_is_no_way_out():
    """Jinja's sandbox was left by the `attr` filter. Here nothing in the code makes a template of a string at all."""
    at_least("jinja2", 3, 1, 6)
    text = "{{ ''|attr('format')|attr('__globals__') }}"
    assert text in templates.render("otp", locale="en", branding=Branding(text), code="012345", **FACTS).text
    for module, tree in modules("service", "worker").items():
        names = {getattr(node, "attr", "") for node in ast.walk(tree)}
        assert not names & {"from_string", "render_template_string"}, module
    assert isinstance(jinja2.StrictUndefined(name="x"), jinja2.Undefined)


@pytest.mark.advisory("CVE-2026-107121")
@pytest.mark.parametrize("extensions", [(), ("SIZE 10000000",)])
async def test_no_tls_no_mail(extensions: tuple[str, ...]):
    """Keycloak went on in the clear where STARTTLS was taken out of the greeting. Here nothing is sent."""
    async with Sink(extensions=extensions) as sink:
        relay = RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="starttls"), connections=1)
        with pytest.raises(TemporaryFailure):
            await relay.send("a@example.com", "b@example.com", b"Subject: x\r\n\r\nsecret\r\n", before_data=None)
        await relay.close()
        assert sink.mails == []
        assert not [line for line in sink.commands if line.upper().startswith(("MAIL", "AUTH", "RCPT"))]


@pytest.mark.advisory("PYSEC-2021-858")
def test_a_job_is_no_code():
    """Celery ran what a broker's message was made of. Here a message that is not two known words is no job."""
    for raw in (pickle.dumps({"f": "send_mail"}), pickle.dumps(print), b'{"py/object": "os.system"}'):
        with pytest.raises(ValueError):  # noqa: PT011 - orjson's own is one too
            deserialize(raw)
    for module, tree in modules("service", "worker").items():
        imported = {name.name for node in ast.walk(tree) for name in getattr(node, "names", ())
                    if hasattr(name, "name")}  # fmt: skip
        assert not imported & {"pickle", "marshal", "shelve", "dill", "jsonpickle", "yaml"}, module
