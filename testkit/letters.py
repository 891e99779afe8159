"""A letter as its reader sees it: its text and the link in it."""

import email
import email.policy
import re
from urllib.parse import parse_qsl, urlsplit

from testkit.sink import Mail


def text_of(mail: Mail) -> str:
    """Return the plain-text part, as a mail program shows it."""
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return part.get_content()


def link_of(mail: Mail) -> str:
    """Return the one link in a letter."""
    links = re.findall(r"https?://\S+", text_of(mail))
    assert len(links) == 1, links
    return links[0]


def parameters_of(link: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(link).query, strict_parsing=True))
