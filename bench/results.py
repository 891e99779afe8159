"""Results that docs/performance.md shows: each kept as JSON, drawn as a plot and put into the page as a table.

`python -m bench.results` draws and writes all anew from the JSON.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import plots
from bench.programs import ROOT
from bench.table import Row, lines

PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"


@dataclass(frozen=True, slots=True)
class Results:
    """Rows, and lines about the run."""

    head: Sequence[str]
    rows: Sequence[Row]

    def __str__(self) -> str:
        return "\n".join((*self.head, "", *lines(self.rows)))


def save(name: str, results: Results) -> None:
    """Keep results under that name in place of the last ones, and publish them."""
    FOLDER.mkdir(exist_ok=True)
    _file(name).write_text(to_json(results), encoding="utf-8")
    publish(name)


def publish(name: str) -> None:
    """Write the plot and the table of results that are kept."""
    results = load(name)
    (FOLDER / f"{name}.svg").write_text(plots.draw(name, results.head, results.rows), encoding="utf-8")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), name, results), encoding="utf-8")


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> Results:
    found = json.loads(_file(name).read_text(encoding="utf-8"))
    rows = [Row(**row | {"figures": tuple(row["figures"])}) for row in found["rows"]]
    return Results(found["head"], rows)


def to_json(results: Results) -> str:
    """Write a line for each row, with as many digits as were measured."""
    rounded = [asdict(row) | {"figures": [float(f"{figure:.4g}") for figure in row.figures]} for row in results.rows]
    rows = ",\n".join(f"  {json.dumps(row)}" for row in rounded)
    return f'{{\n"head": {json.dumps(results.head, indent=2)},\n"rows": [\n{rows}\n]\n}}\n'


def with_table(page: str, name: str, results: Results) -> str:
    """Put plot and table between their marks."""
    plot = f"![{plots.TITLES[name]}, plot of the table](performance/{name}.svg)"
    block = f"<!-- results: {name} -->\n\n{plot}\n\n```text\n{results}\n```\n\n<!-- end of the results -->"
    edges = re.compile(rf"<!-- results: {name} -->\n.*?<!-- end of the results -->", re.DOTALL)
    found, count = edges.subn(lambda _: block, page)
    if count != 1:
        raise ValueError(f"docs/performance.md has {count} places for the results {name}, and not one")
    return found


def _file(name: str) -> Path:
    return FOLDER / f"{name}.json"


if __name__ == "__main__":
    for each in names():
        publish(each)
