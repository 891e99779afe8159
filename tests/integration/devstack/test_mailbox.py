"""The mailbox of `./dev run`: what comes in by SMTP, its JSON, and a page that trusts no mail."""

import asyncio
import re
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from devstack import mailbox as module
from devstack.mailbox import open_mailbox

PAGES = Path(module.__file__).with_name("pages")


def a_mail(*, to="ada@example.com", subject="Hello", text="Hi Ada", html=None):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "no-reply@example.com", to, subject
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


async def send(mailbox, message, **envelope):
    await aiosmtplib.send(
        message, hostname="127.0.0.1", port=mailbox.smtp_port, start_tls=False, use_tls=False, **envelope
    )


async def raw_send(mailbox, content, *, to="ada@example.com"):
    await send(mailbox, content, sender="x@example.com", recipients=[to])


async def test_the_list_has_the_newest_mail_last(mailbox, http):
    """GET /api/mails answers what came in, oldest first, with the addresses of the envelope."""
    for subject in ("one", "two"):
        await send(mailbox, a_mail(subject=subject), recipients=["hidden@example.com"])
    mails = await (await http.get("/api/mails")).json()
    assert [(mail["n"], mail["subject"]) for mail in mails] == [(1, "one"), (2, "two")]
    assert mails[0]["to"] == ["hidden@example.com"]
    assert {"n", "at", "from", "name", "to", "subject", "text", "read", "tags"} == set(mails[0])


async def test_the_list_is_filtered(mailbox, http):
    """`to` is a whole address in any case, `subject` a part, `after` the number of a mail already seen."""
    for to, subject in (("ada@example.com", "Reset"), ("bob@example.com", "Reset"), ("ada@example.com", "Hi")):
        await send(mailbox, a_mail(to=to, subject=subject))

    async def numbers(query):
        return [mail["n"] for mail in await (await http.get("/api/mails", params=query)).json()]

    assert await numbers({"to": "ADA@example.com"}) == [1, 3]
    assert await numbers({"to": "da@example.com"}) == []
    assert await numbers({"to": "ada@example.com", "subject": "rese"}) == [1]
    assert await numbers({"after": "2"}) == [3]


async def test_one_mail_is_given_whole(mailbox, http):
    """GET /api/mails/{n} has both bodies, the headers in order and the source; letters outside ASCII survive."""
    await send(mailbox, a_mail(subject="Grüße", text="Schöne Grüße", html="<p>Grüße</p>"))
    mail = await (await http.get("/api/mails/1")).json()
    assert (mail["subject"], mail["text"], mail["html"]) == ("Grüße", "Schöne Grüße\n", "<p>Grüße</p>\n")
    assert mail["headers"][0] == ["From", "no-reply@example.com"]
    assert "Subject: =?utf-8?" in mail["raw"]
    assert (await http.get("/api/mails/2")).status == 404


async def test_waiting_answers_at_once_when_it_is_there_and_later_when_it_comes(mailbox, http):
    """GET /api/wait holds the answer back until a mail fits all of its filters, and gives the newest."""
    await send(mailbox, a_mail(subject="Reset"))
    query = {"to": "ada@example.com", "subject": "reset", "timeout": "60"}
    assert (await (await http.get("/api/wait", params=query)).json())["n"] == 1

    waiting = asyncio.create_task(http.get("/api/wait", params={**query, "after": "1"}))
    await send(mailbox, a_mail(to="bob@example.com", subject="Reset"))
    await send(mailbox, a_mail(subject="Other"))
    assert not waiting.done()
    await send(mailbox, a_mail(subject="Reset"))
    assert (await (await waiting).json())["n"] == 4


async def test_waiting_ends(mailbox, http):
    """A wait without a mail ends with 404 and says so; in Python it is a TimeoutError."""
    answer = await http.get("/api/wait", params={"to": "nobody@example.com", "timeout": "0"})
    assert answer.status == 404
    assert await answer.json() == {"message": "no such mail within 0 s"}
    with pytest.raises(TimeoutError):
        await mailbox.wait(to="nobody@example.com", timeout=0)


@pytest.mark.parametrize("query", ["timeout=soon", "timeout=-1", "timeout=nan", "after=x", "after=-3"])
async def test_a_senseless_number_is_refused(http, query):
    """A filter that is no number answers 400, not an empty list that looks like no mail."""
    assert (await http.get(f"/api/wait?{query}")).status == 400


async def test_deleting_all_keeps_the_count(mailbox, http):
    """DELETE /api/mails empties the box; numbers go on, so that `after` never hides a new mail."""
    await send(mailbox, a_mail())
    assert (await http.delete("/api/mails")).status == 204
    assert await (await http.get("/api/mails")).json() == []
    await send(mailbox, a_mail())
    assert [mail["n"] for mail in await (await http.get("/api/mails")).json()] == [2]


async def test_only_the_last_mails_are_kept(mailbox):
    """The box has a bound: the oldest mail goes when a new one would pass it."""
    for n in range(module.KEPT + 1):
        await mailbox.take(b"Subject: s\r\n\r\nb", sender="a@example.com", to=[f"{n}@example.com"])
    assert (len(mailbox.find()), mailbox.find()[0].n) == (module.KEPT, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe not a mail at all",
        b"Subject: =?utf-8?q?\xff?=\r\nContent-Type: text/plain; charset=no-such\r\n\r\nhello",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\nx",
        b"From: <<<>>>,,\r\nTo: (((\r\n\r\nhello",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
    ],
)
async def test_a_malformed_mail_is_shown_as_it_came(mailbox, http, content):
    """A letter that can't be parsed is still taken and listed; its source is whole."""
    await raw_send(mailbox, content)
    mail = await (await http.get("/api/mails/1")).json()
    assert content.decode(errors="replace").split("\r\n")[-1] in mail["raw"]


async def test_the_html_of_a_mail_is_caged(mailbox, http):
    """A letter's HTML runs no script, loads nothing from outside and sends no form."""
    await send(mailbox, a_mail(html="<script>alert(1)</script><img src=//outside.example/x>"))
    answer = await http.get("/mails/1/html")
    rules = [rule.split() for rule in answer.headers["Content-Security-Policy"].split(";")]
    assert {"sandbox", "default-src", "form-action"} <= {rule[0] for rule in rules}
    assert ["default-src", "'none'"] in rules
    assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & set(rules[0])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("doctype", ["", "<!DOCTYPE html>", "\n<!doctype html PUBLIC '-//W3C//DTD XHTML 1.0'>"])
async def test_links_of_a_letter_open_beside_it(mailbox, http, doctype):
    """The button of a letter works in the mailbox, and the letter keeps its mode and its language."""
    await send(mailbox, a_mail(html=doctype + '<html lang="de"><a href="https://shop.example/">Shop</a></html>'))
    html = await (await http.get("/mails/1/html")).text()
    assert html.strip() == doctype.strip() + (
        '<base target="_blank"><html lang="de"><a href="https://shop.example/">Shop</a></html>'
    )


async def test_a_mail_without_html_has_no_html_page(mailbox, http):
    """A text mail is never served as HTML."""
    await send(mailbox, a_mail(text="<script>alert(1)</script>"))
    assert (await http.get("/mails/1/html")).status == 404


@pytest.mark.parametrize("path", ["/", "/mailbox.js", "/mailbox.css"])
async def test_the_pages_load_nothing_from_outside(http, path):
    """The page, its script and its style come from here alone and name no other place."""
    answer = await http.get(path)
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert re.findall(r"""(?:src|href|url\(|import|fetch\()=?\s*["']?(?:https?:)?//""", await answer.text()) == []


def test_the_script_never_makes_markup_of_a_mail():
    """Mails reach the page as text: no innerHTML or its kin in the script."""
    script = (PAGES / "mailbox.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|srcdoc", script)


async def test_another_name_for_this_machine_is_refused(http):
    """A foreign site whose name points at 127.0.0.1 reads nothing, and may delete nothing from afar."""
    assert (await http.get("/api/mails", headers={"Host": "evil.example:8025"})).status == 403
    assert (await http.get("/api/mails", headers={"Host": "localhost:8025"})).status == 200
    asked = await http.options("/api/mails", headers={"Access-Control-Request-Method": "DELETE"})
    assert "Access-Control-Allow-Origin" not in asked.headers


async def test_an_open_smtp_connection_does_not_hold_up_the_end(http):
    """The mailbox closes at once, though senders keep their connections and pages keep waiting."""
    async with open_mailbox() as box:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=box.smtp_port, start_tls=False)
        await client.connect()
        reader, writer = await asyncio.open_connection("127.0.0.1", box.page_port)
        writer.write(b"GET /api/wait?timeout=300 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await writer.drain()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.noop()
    await reader.read()
    client.close()
    writer.close()
    await writer.wait_closed()


def luminance(color):
    """Relative luminance (WCAG 2.2)."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "faint", "mark"])
@pytest.mark.parametrize("ground", ["page", "soft"])
def test_the_page_is_read_in_light_and_dark(scheme, text, ground):
    """Every text colour has a contrast of 4.5 to 1 with both grounds (WCAG AA)."""
    style = (PAGES / "mailbox.css").read_text()
    colors = {name: pair for name, *pair in re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", style)}
    bright, dark = sorted((luminance(colors[name][scheme]) for name in (text, ground)), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_deleting_all_asks_first():
    """A click alone deletes nothing: the page asks first."""
    script = (PAGES / "mailbox.js").read_text()
    assert script.index("window.confirm(") < script.index('method: "DELETE"')
