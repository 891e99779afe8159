"""The mailbox's Mailpit API, its shapes and its mails that survive a restart."""

from email.message import EmailMessage

from devstack import mailbox as module
from devstack.mailbox import Mailbox

_SUMMARY = {
    "ID", "MessageID", "Read", "From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "Created", "Username", "Tags", "Size",
    "Attachments", "Snippet",
}  # fmt: skip
_MESSAGE = (_SUMMARY - {"Read", "Created", "Snippet"}) | {
    "ReturnPath", "ListUnsubscribe", "Date", "Text", "HTML", "Inline",
}  # fmt: skip


async def take(box, subject="Hello", *, to="ada@example.com", text="Hi Ada", html="<p>Hi <b>Ada</b></p>", **headers):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Grüße vom Laden <no-reply@example.com>", to, subject
    mail["Message-ID"], mail["Date"] = "<1@example.com>", "Sun, 29 Nov 2026 08:00:00 +0100"
    for name, value in headers.items():
        mail[name] = value
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    logo = mail.get_payload()[1]
    logo.add_related(b"<svg/>", "image", "svg+xml", cid="<logo>")
    await box.take(mail.as_bytes(), sender="no-reply@example.com", to=[to, "hidden@example.com"])


async def ids(http, path, **query):
    answer = await http.get(path, params=query)
    return [found["ID"] for found in (await answer.json())["messages"]]


async def test_the_list_is_mailpits(mailbox, http):
    """Newest first, by pages, with the fields that Mailpit documents."""
    for subject in ("one", "two", "three"):
        await take(mailbox, subject)
    answer = await (await http.get("/api/v1/messages", params={"start": 1, "limit": 1})).json()
    (summary,) = answer.pop("messages")
    assert answer == {
        "total": 3, "unread": 3, "count": 1, "messages_count": 3, "messages_unread": 3, "start": 1, "tags": [],
    }  # fmt: skip
    assert set(summary) == _SUMMARY
    assert (summary["ID"], summary["Subject"], summary["Snippet"]) == ("2", "two", "Hi Ada")
    assert summary["From"] == {"Name": "Grüße vom Laden", "Address": "no-reply@example.com"}
    assert summary["To"] == [{"Name": "", "Address": "ada@example.com"}]
    assert summary["Bcc"] == [{"Name": "", "Address": "hidden@example.com"}]


async def test_a_message_is_mailpits(mailbox, http):
    """One mail by id, or the latest, with both bodies; its headers are lists; its source is what came."""
    await take(mailbox, html='<img src="cid:logo" alt="">')
    for name in ("1", "latest"):
        message = await (await http.get(f"/api/v1/message/{name}")).json()
        assert set(message) == _MESSAGE
        assert (message["MessageID"], message["Date"]) == ("1@example.com", "2026-11-29T07:00:00.000Z")
        assert message["Text"] == "Hi Ada\n"
        assert [(each["ContentID"], each["ContentType"]) for each in message["Inline"]] == [("logo", "image/svg+xml")]
        assert message["Attachments"] == []
    headers = await (await http.get("/api/v1/message/latest/headers")).json()
    assert headers["From"] == ["Grüße vom Laden <no-reply@example.com>"]
    part = await http.get("/api/v1/message/1/part/1")
    assert (await part.read(), part.content_type) == (b"<svg/>", "image/svg+xml")
    assert (part.headers["Content-Disposition"], (await http.get("/api/v1/message/1/part/2")).status) == (
        "attachment",
        404,
    )
    raw = await (await http.get("/api/v1/message/1/raw")).read()
    assert raw == mailbox.find()[0].content
    assert await (await http.get("/view/latest.txt")).text() == "Hi Ada\n"
    for path in ("/view/latest", "/view/1.html"):
        page = await http.get(path)
        assert "data:image/svg+xml;base64," in await page.text()
        assert page.headers["Content-Security-Policy"].startswith("sandbox ")
    assert (await http.get("/api/v1/message/9")).status == 404


async def test_search_is_mailpits(mailbox, http):
    """to:, from:, subject: and words of the bodies, all of them at once, each in any case; - negates."""
    await take(mailbox, "Reset your password")
    await take(mailbox, "Welcome", to="bob@example.com", text="Your code is 123456", html="<i>nothing</i>")
    for query, found in (
        ("to:ada@example.com", ["1"]), ("from:laden", ["2", "1"]), ('subject:"RESET your"', ["1"]),
        ("123456", ["2"]), ("to:bob@example.com subject:reset", []), ("-subject:welcome", ["1"]),
        ("to:hidden", ["2", "1"]),
    ):  # fmt: skip
        assert await ids(http, "/api/v1/search", query=query) == found, query
    assert (await http.get("/api/v1/search")).status == 400


async def test_deleting_is_mailpits(mailbox, http):
    """Mails are deleted by ids or by a search, and all of them without ids."""
    for subject in ("one", "two", "three", "four"):
        await take(mailbox, subject)
    assert await (await http.delete("/api/v1/messages", json={"IDs": ["1"]})).text() == "ok"
    assert await ids(http, "/api/v1/messages") == ["4", "3", "2"]
    assert (await http.delete("/api/v1/search", params={"query": "subject:two"})).status == 200
    assert await ids(http, "/api/v1/messages") == ["4", "3"]
    assert (await http.delete("/api/v1/messages", data="{")).status == 400
    assert (await http.delete("/api/v1/messages")).status == 200
    assert await ids(http, "/api/v1/messages") == []
    assert [(await http.get(path)).status for path in ("/livez", "/readyz")] == [200, 200]


async def test_headers_are_decoded(mailbox):
    """Encoded words over folded lines (RFC 2047) and bare UTF-8 (RFC 6532) are read as they were meant."""
    lines = [
        "From: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?_vom_Laden?= <a@example.com>",
        "Subject: =?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?b?w59l?=", "X-Bare: schön", "", "text",
    ]  # fmt: skip
    await mailbox.take("\r\n".join(lines).encode(), sender="x@example.com", to=["ada@example.com"])
    (mail,) = mailbox.find()
    assert (mail.subject, mail.author.name, mail.header("x-bare")) == ("Grüße", "Grüße vom Laden", "schön")


async def test_mails_survive_a_restart(tmp_path):
    """A file a mail that nobody else reads; numbers go on, also where all were deleted."""
    box = Mailbox(tmp_path / "mails")
    await take(box, "one")
    await take(box, "two")
    files = sorted((tmp_path / "mails").glob("*.mail"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 2
    files[0].with_name("000000009.mail").write_bytes(b"no mail")
    again = Mailbox(tmp_path / "mails")
    assert again.find() == box.find()
    again.clear()
    third = Mailbox(tmp_path / "mails")
    assert third.find() == []
    await take(third)
    assert [mail.n for mail in third.find()] == [3]


async def test_kept_mails_are_bounded(tmp_path, monkeypatch):
    """Count and bytes have a bound, in the folder too: the oldest go."""
    monkeypatch.setattr(module, "KEPT", 2)
    box = Mailbox(tmp_path)
    for _ in range(3):
        await take(box)
    assert [path.name for path in sorted(tmp_path.glob("*.mail"))] == ["000000002.mail", "000000003.mail"]
    monkeypatch.setattr(module, "KEPT_BYTES", 5000)
    await box.take(b"Subject: big\r\n\r\n" + b"x" * 4900, sender="a@example.com", to=["b@example.com"])
    assert [mail.n for mail in box.find()] == [4]


async def test_the_html_check_names_what_clients_drop(mailbox, http):
    """Each thing that mail clients drop is named; a plain letter has none."""
    await take(mailbox, html="<form></form><div style='display: flex'></div><img src=https://a.example/x>")
    found = await (await http.get("/api/mails/1/check")).json()
    assert [fault["what"] for fault in found] == [
        "forms", "flexbox or grid", "an image without alt text", "an image from outside",
    ]  # fmt: skip
    await take(mailbox)
    assert await (await http.get("/api/mails/2/check")).json() == []
