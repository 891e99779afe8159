"""Plots of results as SVG: bars of the medians with a line from the least to the greatest round.

Plain SVG with a background of its own, so that it can be read in light and dark; no scripts, no fonts, nothing loaded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.table import Row, digits

_WIDTH, _LEFT, _RIGHT = 760, 250, 600
_BAR, _STEP, _HEAD, _GAP, _EDGE = 14, 22, 30, 16, 16
TITLES = {
    "bare": "This service beside the least code that does the same work",
    "peers": "This service beside other account services",
}
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 } .group { font-weight: 600 } .small { font-size: 11px; fill: #59636e }
.card { fill: #ffffff; stroke: #d1d9e0 } .ours { fill: #0969da } .theirs { fill: #8c959f }
.spread, .goal { stroke: #1f2328; stroke-width: 1.5 } .goal { stroke: #cf222e; stroke-width: 2 }
.equal { stroke: #59636e; stroke-dasharray: 3 3 } .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 } .card { fill: #0d1117; stroke: #3d444d }
  .ours { fill: #4493f8 } .theirs { fill: #6e7681 } .spread { stroke: #f0f6fc } .goal { stroke: #ff7b72 }
  .equal { stroke: #9198a1 } .value { stroke: #0d1117 }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    row: Row
    is_ours: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """Bars with one scale."""

    title: str
    bars: Sequence[Bar]

    @property
    def most(self) -> float:
        least = 1.0 if self.is_ratio else 0.0
        return max(max(*bar.row.figures, bar.row.goal or 0.0, least) for bar in self.bars)

    @property
    def is_ratio(self) -> bool:
        return self.bars[0].row.unit == "ratio"

    @property
    def height(self) -> int:
        return _HEAD + _STEP * len(self.bars) + _GAP


def draw(name: str, head: Sequence[str], rows: Sequence[Row]) -> str:
    """Draw the results of that name; the first and the last line of the head say when it was, and on what machine."""
    groups = of_peers(rows) if name == "peers" else of_bare(rows)
    about = f"{head[0].removeprefix('accounts bench, ')}; {head[-1]}"
    lines = _wrapped(about, 110)
    top = _EDGE + 26 + 15 * len(lines)
    height = top + sum(group.height for group in groups) + _EDGE
    body = [f'<text class="title" x="{_EDGE}" y="{_EDGE + 14}">{escape(TITLES[name])}</text>']
    body += [
        f'<text class="small" x="{_EDGE}" y="{_EDGE + 34 + 15 * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    for group in groups:
        body += _group(group, top)
        top += group.height
    told = ". ".join(f"{group.title}: {', '.join(_told(bar) for bar in group.bars)}" for group in groups)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-labelledby="title desc">\n<title id="title">{escape(TITLES[name])}</title>\n'
        f'<desc id="desc">{escape(told)}.</desc>\n<style>{_STYLE}</style>\n'
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="6"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def of_bare(rows: Sequence[Row]) -> list[Group]:
    """Ratios to the bare programs, by the clock and by processor time."""
    by_clock: list[Bar] = []
    by_cost: list[Bar] = []
    for row in rows:
        if row.name.endswith(", ours/bare"):
            by_clock.append(Bar(row.name.removesuffix(", ours/bare"), row))
        elif row.name == "  by processor time alone":
            by_cost.append(Bar(by_clock[-1].label, row))
    return [Group("ours/bare by the clock", by_clock), Group("ours/bare by processor time alone", by_cost)]


def of_peers(rows: Sequence[Row]) -> list[Group]:
    """Rates of all sides, and the ratios by processor time, for each act."""
    rates: dict[str, list[Bar]] = {}
    ratios: dict[str, list[Bar]] = {}
    peer = ""
    for row in rows:
        act, _, side = row.name.partition(", ")
        if row.name.startswith("  ours/"):
            peer = row.name.strip()
        elif row.name.strip() == "by processor time alone":
            ratios.setdefault(list(rates)[-1], []).append(Bar(peer, row))
        elif row.unit.endswith("/s"):
            rates.setdefault(act, []).append(Bar(side, row, is_ours=side == "ours"))
    return [
        group
        for act, bars in rates.items()
        for group in (
            Group(f"{act}: {bars[0].row.unit} on one core", bars),
            Group(f"{act}: work for the same processor time", ratios.get(act, [])),
        )
        if group.bars
    ]


def _group(group: Group, top: int) -> Iterator[str]:
    scale = (_RIGHT - _LEFT) / group.most
    ends = top + _HEAD + _STEP * len(group.bars)
    yield f'<text class="group" x="{_EDGE}" y="{top + 18}">{escape(group.title)}</text>'
    if group.is_ratio:
        equal = _LEFT + scale
        yield f'<line class="equal" x1="{equal:.1f}" y1="{top + _HEAD - 4}" x2="{equal:.1f}" y2="{ends - 4}"/>'
        yield f'<text class="small" x="{equal:.1f}" y="{ends + 6}" text-anchor="middle">equal</text>'
    for number, bar in enumerate(group.bars):
        yield from _bar(bar, top + _HEAD + _STEP * number, scale)


def _bar(bar: Bar, top: int, scale: float) -> Iterator[str]:
    row, middle = bar.row, top + _BAR / 2
    at = [_LEFT + scale * figure for figure in (min(row.figures), row.median, max(row.figures))]
    kind = "ours" if bar.is_ours else "theirs"
    yield f'<text x="{_LEFT - 10}" y="{top + 12}" text-anchor="end">{escape(bar.label)}</text>'
    yield f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{at[1] - _LEFT:.1f}" height="{_BAR}"/>'
    yield f'<line class="spread" x1="{at[0]:.1f}" y1="{middle}" x2="{at[2]:.1f}" y2="{middle}"/>'
    end = at[2]
    if row.goal is not None:
        goal = _LEFT + scale * row.goal
        end = max(end, goal)
        yield f'<line class="goal" x1="{goal:.1f}" y1="{top - 2}" x2="{goal:.1f}" y2="{top + _BAR + 2}"/>'
    yield f'<text class="value" x="{end + 8:.1f}" y="{top + 12}">{_value(row)}</text>'


def _value(row: Row) -> str:
    return digits(row.median) + (f" (goal {row.goal:g})" if row.goal is not None else "")


def _told(bar: Bar) -> str:
    return f"{bar.label} {_value(bar.row)}"


def _wrapped(text: str, most: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
