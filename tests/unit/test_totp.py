"""One-time passwords by time: RFC 6238's numbers, the steps that count, and the address for apps."""

import pytest

from service.crypto import totp
from service.crypto.secret import Secret
from testkit import oathtool

SECRET = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
        (2_000_000_000, "279037"), (20_000_000_000, "353130"),
    ],
)  # fmt: skip
def test_codes_are_those_of_the_rfc(seconds: int, code: str):
    """RFC 6238, appendix B, its last six digits."""
    assert totp.code_at(SECRET, seconds // totp.STEP) == code


@pytest.mark.parametrize(("ahead", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_the_steps_beside_now_count(ahead: int, counts: bool):
    """An app's clock may be half a minute off, either way."""
    now = 41_152_263
    code = totp.code_at(SECRET, now + ahead)
    assert totp.matching_step(SECRET, code, now=now) == (now + ahead if counts else None)


def test_a_secret_has_160_bits():
    """32 characters of base32, another one each time."""
    one, two = totp.new_secret().reveal(), totp.new_secret().reveal()
    assert len(one) == len(two) == 32
    assert one != two
    assert set(one) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def test_the_address_names_project_and_account():
    """Percent-encoded; a colon of a name would part the label."""
    found = totp.uri(SECRET, issuer="Shop: North & Süd", label="ann@example.com").reveal()
    assert found == (
        "otpauth://totp/Shop%20North%20%26%20S%C3%BCd:ann@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=Shop%20North%20%26%20S%C3%BCd&algorithm=SHA1&digits=6&period=30"
    )


@pytest.mark.parametrize("seconds", [0, 29, 30, 59, 1_111_111_109, 1_785_542_399, 20_000_000_000])
def test_codes_are_those_of_another_implementation(seconds: int):
    """Debian's `oathtool` makes the same code of a secret of ours at any time."""
    secret = totp.new_secret()
    assert oathtool.code_at(secret.reveal(), seconds) == totp.code_at(secret, seconds // totp.STEP)
