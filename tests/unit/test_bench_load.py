"""The load generator of the bench knows where an answer ends, whoever wrote it."""

import pytest

from bench.load import is_whole

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "whole",
    [
        OK + b"Content-Length: 2\r\nA: b\r\n\r\n{}",
        OK + b"a: b\r\ncontent-length: 2\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_an_answer_is_whole_at_its_last_byte(whole: bytes):
    """A length in either spelling or the last chunk ends it, and nothing shorter does."""
    assert is_whole(whole)
    assert not any(is_whole(whole[:end]) for end in range(len(whole)))
