"""The mailbox's Mailpit API: read status, tags, what runs, checks, and what it does not have."""

from email.message import EmailMessage

import pytest

from devstack.mailbox import Mailbox
from service.version import VERSION


async def take(box, *subjects, html="<p>Hi</p>", to="ada@example.com"):
    for subject in subjects:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "no-reply@example.com", to, subject
        mail.set_content("Hi")
        if html:
            mail.add_alternative(html, subtype="html")
        await box.take(mail.as_bytes(), sender="no-reply@example.com", to=[to])


async def put(http, path, body):
    answer = await http.put(path, json=body)
    return answer.status, await answer.text()


async def summary(http, query=""):
    path = f"/api/v1/search?query={query}" if query else "/api/v1/messages"
    return await (await http.get(path)).json()


async def read(http):
    """The ids of the mails that are read."""
    return [found["ID"] for found in (await summary(http))["messages"] if found["Read"]]


async def test_mails_are_marked_as_mailpit_does(mailbox, http):
    """By ids, by a search, or all at once; counts of unread mails are of the box and of what was found."""
    await take(mailbox, "one", "two", "three")
    assert await read(http) == []
    for body, marked in (
        ({"IDs": ["1", "3"], "Read": True}, ["3", "1"]),
        ({"IDs": ["3", "99"], "Read": False}, ["1"]),
        ({"Search": "subject:two", "Read": True}, ["2", "1"]),
        ({"IDs": ["2"]}, ["1"]),
        ({"Read": True}, ["3", "2", "1"]),
        ({"IDs": [], "Search": "", "Read": False}, []),
    ):
        assert await put(http, "/api/v1/messages", body) == (200, "ok"), body
        assert await read(http) == marked, body
    await put(http, "/api/v1/messages", {"IDs": ["1"], "Read": True})
    found = await summary(http, "subject:t")
    assert (found["total"], found["unread"], found["messages_count"], found["messages_unread"]) == (3, 2, 2, 2)
    assert (await summary(http, "is:read"))["messages_count"] == 1
    assert (await summary(http, "is:unread"))["messages_count"] == 2
    assert (await summary(http, "-is:unread"))["messages_count"] == 1


@pytest.mark.parametrize(
    "body",
    [{"IDs": ["1"], "Search": "x"}, {"IDs": "1"}, {"IDs": [1]}, {"Read": "yes"}, {"Search": 1}, ["1"], None],
    ids=str,
)
async def test_a_wrong_body_marks_nothing(mailbox, http, body):
    """It is refused with 400 and the reason as text."""
    await take(mailbox, "one")
    answer = await http.put("/api/v1/messages", json=body)
    assert (answer.status, answer.content_type) == (400, "text/plain")
    assert await read(http) == []


async def test_a_mail_that_is_opened_is_read(mailbox, http):
    """The message and its plain views mark it; headers, source, the list and our own JSON do not."""
    for path, marks in (
        ("/api/v1/message/1", True), ("/api/v1/message/latest", True), ("/view/latest.txt", True), ("/view/1", True),
        ("/api/v1/message/1/headers", False), ("/api/v1/message/1/raw", False), ("/api/mails/1", False),
        ("/api/wait", False), ("/mails/1/html", False),
    ):  # fmt: skip
        mailbox.marks.mark_unread([1])
        if not mailbox.find():
            await take(mailbox, "one")
        assert (await http.get(path)).status == 200
        assert (await read(http) == ["1"]) is marks, path
        (mail,) = await (await http.get("/api/mails")).json()
        assert mail["read"] is marks, path


async def test_tags_are_mailpits(mailbox, http):
    """Set by ids, listed, searched for, renamed and deleted; a tag goes with its last mail."""
    await take(mailbox, "one", "two")
    assert await put(http, "/api/v1/tags", {"IDs": ["1", "2"], "Tags": ["slow", "A/B <b>", " "]}) == (200, "ok")
    assert await (await http.get("/api/v1/tags")).json() == ["A B b", "slow"]
    assert (await put(http, "/api/v1/tags", {"IDs": ["2"], "Tags": ["slow"]}))[0] == 200
    assert [found["Tags"] for found in (await summary(http))["messages"]] == [["slow"], ["A B b", "slow"]]
    assert (await summary(http))["tags"] == ["A B b", "slow"]
    for query, count in (("tag:SLOW", 2), ('tag:"a b b"', 1), ("-tag:slow", 0), ("is:tagged", 2)):
        assert (await summary(http, query))["messages_count"] == count, query
    assert await put(http, "/api/v1/tags/slow", {"Name": "fast"}) == (200, "ok")
    assert (await (await http.get("/api/v1/message/1")).json())["Tags"] == ["A B b", "fast"]
    assert (await http.delete("/api/v1/tags/A%20B%20b")).status == 200
    assert await (await http.get("/api/v1/tags")).json() == ["fast"]
    assert (await put(http, "/api/v1/tags/fast", {"Name": " "}))[0] == 400
    assert (await put(http, "/api/v1/tags/gone", {"Name": "x"}))[0] == 400
    assert (await http.delete("/api/v1/tags/gone")).status == 400
    assert await put(http, "/api/v1/tags", {"IDs": ["1", "2"], "Tags": []}) == (200, "ok")
    assert await (await http.get("/api/v1/tags")).json() == []
    await put(http, "/api/v1/tags", {"IDs": ["1"], "Tags": ["last"]})
    await http.delete("/api/v1/messages", json={"IDs": ["1"]})
    assert await (await http.get("/api/v1/tags")).json() == []


async def test_the_latest_may_be_of_a_search(mailbox, http):
    """`latest` with a query is the newest mail that it finds."""
    await take(mailbox, "one", "two")
    found = await (await http.get("/api/v1/message/latest", params={"query": "subject:one"})).json()
    assert found["ID"] == "1"
    assert (await http.get("/api/v1/message/latest", params={"query": "subject:three"})).status == 404


async def test_marks_survive_a_restart(tmp_path):
    """Read mails and tags are in a private file; a broken one counts as none."""
    box = Mailbox(tmp_path / "mails")
    await take(box, "one", "two")
    box.marks.mark_read([1, 2])
    box.marks.tag([2], ["slow"])
    box.remove(box.find(after=0)[:1])
    file = tmp_path / "mails" / "marks.json"
    assert file.stat().st_mode & 0o777 == 0o600
    again = Mailbox(tmp_path / "mails")
    assert [(again.marks.is_read(number), again.marks.tags(number)) for number in (1, 2)] == [
        (False, ()), (True, ("slow",)),
    ]  # fmt: skip
    file.write_text('{"read": 1}')
    assert not Mailbox(tmp_path / "mails").marks.is_read(2)


async def test_info_says_what_runs(mailbox, http):
    """With Mailpit's fields: counts of the box, and what has happened since the start."""
    await take(mailbox, "one", "two", "three")
    mailbox.remove(mailbox.find()[:1])
    mailbox.marks.mark_read([2])
    mailbox.marks.tag([2, 3], ["slow"])
    info = await (await http.get("/api/v1/info")).json()
    stats = info.pop("RuntimeStats")
    size = sum(len(mail.content) for mail in mailbox.find())
    assert info == {
        "Version": f"accounts-{VERSION}", "LatestVersion": "disabled", "Database": "", "DatabaseSize": size,
        "Messages": 2, "Unread": 1, "Tags": {"slow": 2},
    }  # fmt: skip
    assert stats.pop("Uptime") >= 0
    assert stats.pop("Memory") > 1_000_000
    assert stats.pop("SMTPAcceptedSize") > size
    assert stats == {"MessagesDeleted": 1, "SMTPAccepted": 3, "SMTPRejected": 0, "SMTPIgnored": 0}
    ui = await (await http.get("/api/v1/webui")).json()
    assert (ui["SpamAssassin"], ui["ChaosEnabled"], ui["MessageRelay"]["Enabled"]) == (False, False, False)


async def test_what_is_not_here_says_so(mailbox, http):
    """501 with a reason for what Mailpit has and this mailbox does not, 404 for what neither has; both as text."""
    await take(mailbox, "one")
    for method, path in (
        ("GET", "/api/v1/message/1/link-check"), ("GET", "/api/v1/message/latest/sa-check"),
        ("GET", "/api/v1/message/1/part/1/thumb"), ("POST", "/api/v1/message/1/release"), ("POST", "/api/v1/send"),
        ("GET", "/api/v1/chaos"), ("PUT", "/api/v1/chaos"), ("GET", "/api/events"),
    ):  # fmt: skip
        answer = await http.request(method, path, json={})
        assert (answer.status, answer.content_type) == (501, "text/plain"), path
        assert (await answer.text()).endswith("."), path
    for method, path in (("GET", "/api/v1/nothing"), ("POST", "/api/v1/message/1/nothing")):
        answer = await http.request(method, path)
        assert (answer.status, answer.content_type, await answer.text()) == (404, "text/plain", "404 page not found")


async def test_the_html_check_has_mailpits_shape(mailbox, http):
    """Each feature that some mail program lacks is a warning with the results of the programs, the worst first."""
    await take(mailbox, "one", html="<p>Hi</p><video></video><form></form><form></form>")
    found = await (await http.get("/api/v1/message/1/html-check")).json()
    assert set(found) == {"Warnings", "Platforms", "Total"}
    warning = next(each for each in found["Warnings"] if each["Slug"] == "html-form")
    assert set(warning) == {
        "Slug", "Title", "Description", "URL", "Category", "Tags", "Keywords", "Results", "NotesByNumber", "Score",
    }  # fmt: skip
    assert (warning["Category"], warning["Score"]["Found"]) == ("html", 2)
    assert warning["URL"] == "https://www.caniemail.com/features/html-form/"
    gmail = next(each for each in warning["Results"] if (each["Family"], each["Platform"]) == ("gmail", "ios"))
    assert set(gmail) == {"Name", "Platform", "Family", "Version", "Support", "NoteNumber"}
    assert gmail["Support"] == "partial"
    shares = [warning["Score"][share] for share in ("Supported", "Partial", "Unsupported")]
    assert sum(shares) == pytest.approx(100)
    worst = [each["Score"]["Unsupported"] + each["Score"]["Partial"] for each in found["Warnings"]]
    assert worst == sorted(worst, reverse=True)
    total = found["Total"]
    assert (total["Nodes"], total["Tests"] >= 60) == (4, True)
    assert total["Supported"] + total["Partial"] + total["Unsupported"] == pytest.approx(100)
    assert "ios" in found["Platforms"]["gmail"]
    await take(mailbox, "two", html=None)
    answer = await http.get("/api/v1/message/2/html-check")
    assert (answer.status, await answer.text()) == (400, "message does not contain HTML")
