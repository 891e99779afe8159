"""The language of a project's own templates: a small part of Jinja's, with no way out of it.

Jinja's sandbox stops attributes but bounds no cost: `{{ 'a' * 300000000 }}` takes a gigabyte. So Jinja only parses
here. What was parsed is refused unless it is text, a value of the letter, `if` or one of a few filters, and is then
evaluated by this module, which has nothing else: no attribute, no call, no loop. The cost of a letter is bounded by
the size of its source, the number of its values and the size of its output (docs/templates.md).

Longer than other files: what is allowed, and its evaluation, are to be read side by side.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jinja2 import Environment, TemplateSyntaxError, nodes
from markupsafe import escape

from service import email_addresses
from service.template_overrides.values import OUTPUT_SIZES, SOURCE_SIZES, VALUES, Part, of_part, purpose_of

FILTERS: Mapping[str, Callable[[str], str]] = {"capitalize": str.capitalize, "lower": str.lower, "upper": str.upper}
# Values, conditions and filters of one source: a worker keeps them parsed.
MOST_NODES = 500
_DEEPEST = 20
_LONGEST_FAULT = 200
_TEXTS: tuple[type[nodes.Node], ...] = (nodes.TemplateData, nodes.Name, nodes.Filter)
_TESTS: tuple[type[nodes.Node], ...] = (nodes.Name, nodes.Filter, nodes.Not, nodes.And, nodes.Or)
_BODIES: tuple[type[nodes.Node], ...] = (nodes.Output, nodes.If)
# What may stand in what; all else is refused.
_CHILDREN: Mapping[type[nodes.Node], tuple[type[nodes.Node], ...]] = {
    nodes.Template: _BODIES, nodes.If: (*_BODIES, *_TESTS), nodes.Output: _TEXTS, nodes.Filter: _TEXTS[1:],
    nodes.Not: _TESTS, nodes.And: _TESTS, nodes.Or: _TESTS, nodes.TemplateData: (), nodes.Name: (),
}  # fmt: skip
# What people try; all else has Jinja's own name.
_WORDS: Mapping[type[nodes.Node], str] = {
    nodes.Getattr: "a dot after a value", nodes.Getitem: "square brackets", nodes.Call: "a call", nodes.For: "a loop",
    nodes.Const: "a constant", nodes.Assign: "`set`", nodes.Compare: "a comparison",
}  # fmt: skip
# Control characters but for tab and line breaks, and halves of characters.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE, _TAG_OR_SPACE = re.compile(r"\s"), re.compile(r"<[^<>]*>|\s")
_ENVIRONMENT = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - it parses only


class OverrideFault(Exception):
    """A template that can't be used; `line` is 0 where the fault is the whole's. Its text holds no value."""

    def __init__(self, text: str, line: int = 0) -> None:
        text = "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST_FAULT])
        super().__init__(f"line {line}: {text}" if line else text)
        self.line = line


@dataclass(frozen=True, slots=True, eq=False)
class OverrideTemplate:
    """A template that was parsed, for one part of one letter."""

    letter: str
    part: Part
    body: tuple[nodes.Node, ...] = field(repr=False)

    def render(self, values: Mapping[str, str]) -> str:
        """Fill in the values; those of HTML are escaped. Raises OverrideFault for an output that can't be sent."""
        html = self.part == "html"
        output = _Output(values, OUTPUT_SIZES[self.part], html=html)
        output.add(self.body)
        text = "".join(output.pieces).strip()
        if not text:
            raise OverrideFault("the output is empty")
        if self.part == "subject":
            if not email_addresses.is_header_text(text):
                raise OverrideFault("the subject holds a line break or another control character")
            return text
        purpose = purpose_of(self.letter)
        secret = values.get(purpose, "")
        if secret and not _shows(text, purpose, str(escape(secret)) if html else secret, html=html):
            raise OverrideFault(f"the letter lacks its {purpose}: {{{{ {purpose} }}}}")
        return f"{text}\n"


def _shows(text: str, purpose: str, secret: str, *, html: bool) -> bool:
    """Tell whether a part shows its link, or its digits in their order whatever stands between the groups."""
    shown = _without_comments(text) if html else text
    if purpose == "code":
        shown = (_TAG_OR_SPACE if html else _SPACE).sub("", shown)
    return secret in shown


def _without_comments(html: str) -> str:
    """Drop comments, an open one to the end. `<!-->` is a whole one, as in Outlook's `<!--[if !mso]><!-->`."""
    kept, start = [], 0
    while (opened := html.find("<!--", start)) >= 0:
        kept.append(html[start:opened])
        closed = html.find("-->", opened + 2)
        if closed < 0:
            return "".join(kept)
        start = closed + 3
    return "".join(kept) + html[start:]


def parse(source: str, *, letter: str, part: Part) -> OverrideTemplate:
    """Parse a source. Raises OverrideFault with the line of the first thing that is not allowed."""
    if letter not in VALUES:
        raise OverrideFault(f"there are no own templates of {letter}")
    if len(source.encode(errors="surrogatepass")) > SOURCE_SIZES[part]:
        raise OverrideFault(f"the source has more than {SOURCE_SIZES[part]} bytes")
    if control := _CONTROL.search(source):
        raise OverrideFault("a control character", source.count("\n", 0, control.start()) + 1)
    try:
        tree = _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as fault:
        raise OverrideFault(fault.message or "not a template", fault.lineno) from None
    except (RecursionError, ValueError, OverflowError, MemoryError):
        raise OverrideFault("nested too deep, or a number too long") from None
    _check(tree, of_part(letter, part))
    return OverrideTemplate(letter, part, tuple(tree.body))


def _check(tree: nodes.Template, values: frozenset[str]) -> None:
    """Walk all nodes without recursion; the first in the source that is not allowed is the fault."""
    faults: list[tuple[int, str]] = []
    ahead: list[tuple[nodes.Node, int]] = [(tree, 0)]
    count = 0
    while ahead:
        parent, depth = ahead.pop()
        for node in parent.iter_child_nodes():
            count += not isinstance(node, nodes.TemplateData)
            if fault := _fault(parent, node, depth, values):
                faults.append((_line(node), fault))
            else:
                ahead.append((node, depth + 1))
    if faults:
        line, fault = min(faults)
        raise OverrideFault(fault, line)
    if count > MOST_NODES:
        raise OverrideFault(f"more than {MOST_NODES} values, conditions and filters")


def _line(node: nodes.Node) -> int:
    """Return a node's line; Jinja gives none to the frame that it puts around some blocks."""
    lines = (each.lineno for each in (node, *node.iter_child_nodes()) if each.lineno)
    return next(lines, 0)


def _fault(parent: nodes.Node, node: nodes.Node, depth: int, values: frozenset[str]) -> str:
    if depth > _DEEPEST:
        return f"nested more than {_DEEPEST} deep"
    if type(node) not in _CHILDREN[type(parent)]:
        where = "" if type(node) not in _CHILDREN else " here"
        what = _WORDS.get(type(node), f"Jinja's {type(node).__name__}")
        return f"{what} is not allowed{where}; there are text, values, if, not, and, or, and filters"
    if isinstance(node, nodes.Name) and (node.name not in values or node.ctx != "load"):
        return f"no value {node.name[:40]} here; see `templates show`"
    if isinstance(node, nodes.Filter):
        if node.name not in FILTERS or node.node is None:
            return f"no filter {node.name[:40]}; there are {', '.join(FILTERS)}"
        if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            return f"the filter {node.name} takes nothing in brackets"
    return ""


class _Output:
    """Evaluation of a checked template, which ends when its output grows too large."""

    def __init__(self, values: Mapping[str, str], room: int, *, html: bool) -> None:
        self.pieces: list[str] = []
        self._values, self._room, self._html = values, room, html

    def add(self, body: "list[nodes.Node] | tuple[nodes.Node, ...]") -> None:
        for node in body:
            match node:
                case nodes.Output():
                    for piece in node.nodes:
                        self._write(piece)
                case nodes.If():
                    self.add(self._branch(node))

    def _branch(self, node: nodes.If) -> list[nodes.Node]:
        chosen = next((each for each in (node, *node.elif_) if self._truth(each.test)), None)
        return node.else_ if chosen is None else chosen.body

    def _write(self, piece: nodes.Expr) -> None:
        if isinstance(piece, nodes.TemplateData):
            text = piece.data
        else:
            text = str(escape(self._text(piece))) if self._html else self._text(piece)
        self._room -= len(text.encode())
        if self._room < 0:
            raise OverrideFault("the output is too large", piece.lineno)
        self.pieces.append(text)

    def _text(self, node: nodes.Node | None) -> str:
        match node:
            case nodes.Name():
                return self._values.get(node.name, "")
            case nodes.Filter():
                return FILTERS[node.name](self._text(node.node))
        raise OverrideFault(f"{type(node).__name__} is no text")

    def _truth(self, node: nodes.Node) -> bool:
        if isinstance(node, nodes.Not):
            return not self._truth(node.node)
        if isinstance(node, nodes.And | nodes.Or):
            left = self._truth(node.left)
            return self._truth(node.right) if left is isinstance(node, nodes.And) else left
        return bool(self._text(node))
