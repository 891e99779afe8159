"""Signing in and out."""

from tests.conftest import Api, cookie_of


async def test_sign_in_opens_a_session(api: Api):
    """The right password opens a session; its cookie is the member's."""
    user = await api.sign_up()
    answer = await api.call(
        "POST", "/v1/account/sessions", json={"email": "Ann@Example.com", "password": "correct horse"}
    )
    assert answer.status == 201
    assert answer.data["userId"] == user["$id"]
    assert answer.data["current"] is True
    account = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})
    assert account.data == user
