"""SMS in the mailbox of `./dev run`."""

import pytest

SMS = {
    "id": "a",
    "to": "+4915123456789",
    "text": "012345 is your Shop code.\n@shop.example #012345",
    "kind": "x",
    "project": "p",
}


async def test_an_sms_is_kept_once(mailbox, http):
    """An SMS is a mail to its number; the webhook may get it twice."""
    for _ in range(2):
        assert (await http.post("/sms", json=SMS)).status == 204
    [kept] = mailbox.find(to=SMS["to"])
    assert (kept.author.name, kept.subject) == ("SMS", "SMS: 012345 is your Shop code. @shop.example #012345")
    assert kept.text == SMS["text"] + "\n"


@pytest.mark.parametrize("sms", [{}, [], SMS | {"to": "ann@example.com"}, SMS | {"to": "+49\r\nBcc: a@b.example"}])
async def test_what_is_no_sms_is_refused(mailbox, http, sms):
    """Anything else is refused, and nothing is kept."""
    assert (await http.post("/sms", json=sms)).status == 400
    assert mailbox.find() == []


async def test_a_form_of_another_site_sends_none(mailbox, http):
    """An SMS has a type that a browser sends to another site only after asking it."""
    assert (await http.post("/sms", data="{}", headers={"Content-Type": "text/plain"})).status == 415
    assert mailbox.find() == []
