"""Places of secrets in HTML: text and `href` are the reader's, every other attribute is read by servers too.

The tokenizer of browsers (HTML standard, 13.2.5) in one walk. Python's reads some letters otherwise, takes time by the
square of their length, and raises AssertionError at `<![`. What a browser would have to mend is a fault.
"""

import re
from collections.abc import Callable, Generator, Iterator
from html import unescape

_TAG = re.compile(r"<(/?)([A-Za-z][^ \t\n\r\f/>]*)")
_NEXT = re.compile(r"[ \t\n\r\f/]*(>|[^ \t\n\r\f/>][^ \t\n\r\f/>=]*)")
_EQUALS = re.compile(r"[ \t\n\r\f]*=[ \t\n\r\f]*")
_VALUE = re.compile(r""""([^"]*)"|'([^']*)'|([^ \t\n\r\f>"'][^ \t\n\r\f>]*)|(?=>)""")
# `<!-->` and `<!--->` are whole ones, as in Outlook's `<!--[if !mso]><!-->`.
_COMMENT = re.compile(r"<!--(?:-?>|(.*?)--!?>)", re.DOTALL)
# Elements of text that nobody reads, which ends at their own end tag alone.
_RAW = {
    name: re.compile(rf"</{name}(?=[ \t\n\r\f/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp")
}
Find = Callable[[str], str]


def faults(html: str, *, link: str, find: Find) -> Iterator[str]:
    """List what is wrong; `find` names the secret that a text holds, "" for none. A comment's content is HTML too."""
    ahead = [html]
    while ahead:
        text = ahead.pop()
        at = text.find("<")
        while at >= 0:
            at = yield from _markup(text, at, ahead, link, find)
            at = text.find("<", at)


def _markup(text: str, at: int, ahead: list[str], link: str, find: Find) -> Generator[str, None, int]:
    """Read what begins with `<`; return where it ends."""
    if tag := _TAG.match(text, at):
        return (yield from _tag(text, tag, link, find))
    if text.startswith("<!--", at):
        comment = _COMMENT.match(text, at)
        if comment is None:
            yield "a comment that does not end"
            return len(text)
        ahead.append(comment[1] or "")
        return comment.end()
    if text.startswith("<![CDATA[", at):
        yield "a CDATA section"
    if text[at + 1 : at + 2] not in ("!", "?", "/"):
        return at + 1
    end = text.find(">", at)
    declared = text[at:] if end < 0 else text[at:end]
    if found := find(unescape(declared)):
        yield f"{found} in a declaration"
    return at + len(declared)


def _tag(text: str, tag: re.Match[str], link: str, find: Find) -> Generator[str, None, int]:
    """Read a tag, and the text of an element that holds nothing else."""
    name, at = tag[2].lower(), tag.end()
    if found := find(unescape(name)):
        yield f"{found} in a tag's name"
    while (part := _NEXT.match(text, at)) and part[1] != ">":
        attribute, value, at = part[1].lower(), "", part.end()
        if equals := _EQUALS.match(text, at):
            given = _VALUE.match(text, equals.end())
            if given is None:
                part = None
                break
            value, at = unescape(given[1] or given[2] or given[3] or ""), given.end()
        found = find(value) or find(unescape(attribute))
        if found and not (attribute == "href" and value == link and not tag[1]):
            yield f"{found} in {attribute[:40]} of <{name[:40]}>; the link stands in href alone and whole"
    if part is None:
        yield f"<{name[:40]}> does not end"
        return len(text)
    return part.end() if tag[1] or name not in _RAW else (yield from _raw(text, part.end(), name, find))


def _raw(text: str, at: int, name: str, find: Find) -> Generator[str, None, int]:
    closed = _RAW[name].search(text, at)
    end = closed.start() if closed else len(text)
    if found := find(unescape(text[at:end])):
        yield f"{found} in <{name}>"
    if name == "script" and "<!--" in text[at:end]:
        yield "a comment in <script>"
    return end
