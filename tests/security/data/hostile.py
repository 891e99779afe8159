"""Texts that want to be more than text, for the tests of mails. Every one of them holds "evil" or does nothing."""

# What begins a header, a line or another direction of writing where it is taken as it is. No NUL: Postgres has none.
_GAPS = ("\r\n", "\n", "\r", "\v", "\f", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\u2066")
INJECTIONS = (
    *(f"Ann{gap}Bcc: eve@evil.test" for gap in _GAPS),
    "Ann\r\n\r\n<h1>evil</h1>",
    "Ann\r\n.\r\nMAIL FROM:<eve@evil.test>",
    "\r\nContent-Type: text/html\r\n\r\nevil",
)

RECIPIENTS = (
    "",
    "ann@example.com> SIZE=1",
    "ann@example.com\r\nRCPT TO:<eve@evil.test>",
    "ann@example.com\nBcc: eve@evil.test",
    "ann@example.com,eve@evil.test",
    "ann@example.com eve@evil.test",
    "ann@example.com;eve@evil.test",
    "<eve@evil.test>",
    "Ann <eve@evil.test>",
    '"eve@evil.test> "@example.com',
    "ann@example.com(eve@evil.test)",
    "@evil.test:ann@example.com",
    "ann%example.com@",
    "ann＠evil.test",
    "ann@evil。test",
    "ann@evil.test\u202e",
    "\ufeffann@evil.test",
    "ann@evil..test",
    "ann@-evil.test",
    "ann@" + "e" * 64 + ".evil.test",
    "a" * 65 + "@evil.test",
    "undisclosed:ann@example.com,eve@evil.test;",
)

TEMPLATES = (
    "{{7*7}}", "{{ 7 * 7 }}", "{% for a in b %}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{config}}",
    "{{ ''.__class__.__mro__ }}", "%(project)s %s %d", "{0.__class__}", "{project}", "@(7*7)", "[[${7*7}]]",
    "<b>&\"'</b>", "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "</a><a href=x>", "&lt;b&gt; &amp;",
)  # fmt: skip

# Advertising that a stranger has sent to somebody else in our name: 200 of them.
BAITS = tuple(
    f"{before}{bait}{after}"
    for before in ("", "WIN ", "<b>", "Dear Ann, ", "Firefox 1.0 ")
    for bait in (
        "http://evil.test/x", "https://evil.test", "www.evil.test", "evil.test", "//evil.test", "eve@evil.test",
        "<a href=https://evil.test>x</a>", "javascript://evil.test/%0aalert(1)", "evil.test:8080", "[evil](evil.test)",
    )
    for after in ("", " now", " {{7*7}}", "</b>")
)  # fmt: skip
