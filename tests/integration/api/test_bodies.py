"""Bodies that are no bodies: each counts as an empty object, so that the first missing parameter is named."""

import pytest

from testkit.api import Api

_PART = b'--x\r\nContent-Disposition: form-data; name="name"%s\r\n\r\nAnn\r\n--x--\r\n'
_MULTIPART = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (_MULTIPART, b'--x\r\nContent-Disposition: form-data; name="a\x08"\r\n\r\n1\r\n--x--\r\n'),
        (_MULTIPART, b'--x\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\n1\r\n--x--\r\n'),
        (_MULTIPART, b"--x\r\nNo header at all\r\n\r\n1\r\n--x--\r\n"),
        (_MULTIPART, b"--x\r\n: nameless\r\n\r\n1\r\n--x--\r\n"),
        (_MULTIPART, _PART % b"\r\nContent-Transfer-Encoding: nonsense"),
        (_MULTIPART, _PART % b"\r\nContent-Transfer-Encoding: base64"),
        (_MULTIPART, _PART % b"\r\nContent-Encoding: nonsense"),
        (_MULTIPART, _PART % b"\r\nContent-Encoding: gzip"),
        (_MULTIPART, _PART % b"\r\nContent-Encoding: deflate"),
        (_MULTIPART, _PART % b"\r\nContent-Length: 99999999999999999999"),
        (_MULTIPART, _PART % b"\r\nContent-Length: -1"),
        (_MULTIPART, _PART % b"\r\nContent-Length: many"),
        (_MULTIPART, _PART % b"\r\nContent-Type: text/plain; charset=nonsense"),
        (_MULTIPART, _PART % b"\r\nContent-Type: multipart/mixed; boundary=y"),
        (_MULTIPART, _PART % b"\r\nContent-Type: multipart/mixed"),
        (_MULTIPART, (_PART % b"")[:-9]),
        (_MULTIPART, b"--x\r\n" + b"A: b\r\n" * 9000 + b"\r\n1\r\n--x--\r\n"),
        (_MULTIPART, b"--x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n1\r\n--x--\r\n"),
        (_MULTIPART, b'--x\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\nnonsense\r\n--x--\r\n'),
        (_MULTIPART, b"no boundary anywhere"),
        (_MULTIPART, b""),
        (_MULTIPART, b"--x--"),
        (_MULTIPART, b"--x\r\n\r\n"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=" + "x" * 100, b"x"),
        ("multipart/mixed; boundary=x", _PART % b""),
        ("application/x-www-form-urlencoded; charset=nonsense", b"name=Ann"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"name=Ann\xff"),
        ("application/x-www-form-urlencoded; charset=punycode", b"name=\xff"),
        ("application/x-www-form-urlencoded; charset=hex", b"name=Ann"),
        ("application/x-www-form-urlencoded; charset=idna", b"name=\xff"),
        ("application/x-www-form-urlencoded", b"\xff=\xff&na=%ff"),
        ("application/x-www-form-urlencoded", b"a[b]=1&b=2&[]=3&a[c][b]=4&[=5&]=6"),
        ("application/x-www-form-urlencoded", b"&".join(b"a[%d]=1" % number for number in range(1000))),
        ("application/json; charset=nonsense", b"{"),
        ("application/json", b'{"na": 1e999}'),
        ("application/json", b"[" * 50_000),
        ("text/plain", b"name=Ann"),
        ("nonsense", b"name=Ann"),
        ("", b"name=Ann"),
    ],
)
async def test_junk_is_an_empty_object(api: Api, content_type: str, body: bytes):
    """A body that no reader understands is answered with the missing parameter, never with a fault of ours."""
    sent = {"Content-Type": content_type}
    answer = await api.call("POST", "/v1/account", data=body, headers=sent)
    assert (answer.status, answer.data["message"]) == (400, 'Param "email" is not optional.')
    answer = await api.call("POST", "/v1/account/sessions", data=body, headers=sent, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "nonsense"])
async def test_a_coding_is_refused(api: Api, encoding: str):
    """No SDK compresses a body, so nothing is unpacked here, small or a bomb."""
    sent = {"Content-Type": "application/json", "Content-Encoding": encoding}
    answer = await api.call("POST", "/v1/account", data=b"\x1f\x8bno", headers=sent)
    assert (answer.status, answer.data["message"]) == (415, "The request body must not be compressed.")


async def test_too_many_fields_are_too_much(api: Api):
    """A form has at most a thousand fields."""
    body = b"&".join(b"a[%d]=1" % number for number in range(1001))
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await api.call("POST", "/v1/account", data=body, headers=sent)
    assert answer.status == 413
