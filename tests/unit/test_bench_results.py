"""Plots and tables of docs/performance.md are those of the results that are kept."""

import re
from xml.etree import ElementTree as ET

import pytest

from bench import plots, results
from bench.peers.rounds import OURS
from bench.peers.rounds import rows as peer_rows
from bench.rounds import Tally, rows
from bench.table import Row

HEAD = ("accounts bench, 2026-11-30 02:00 UTC, 2 interleaved rounds", "machine: quiet <&>")
BARE = rows("GET /v1/account", {"ours": [Tally(300, 1, 1), Tally(100, 1, 1)], "bare": [Tally(400, 1, 1)] * 2},
            unit="req/s", goal=0.75)  # fmt: skip
PEERS = peer_rows("read", {OURS: [Tally(900, 1, 1)] * 2, "another": [Tally(300, 1, 1)] * 2}, of_cost=4)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", results.names())
def test_what_is_shown_is_what_was_measured(name: str):
    """Plot and table are made from the JSON: `python -m bench.results` makes them anew."""
    found = results.load(name)
    assert (results.FOLDER / f"{name}.svg").read_text() == plots.draw(name, found.head, found.rows)
    page = results.PAGE.read_text()
    assert page == results.with_table(page, name, found)


def test_results_are_kept_and_put_into_the_page(tmp_path, monkeypatch):
    """Saving writes JSON that is read back, the plot, and the table in place of the last one."""
    monkeypatch.setattr(results, "FOLDER", tmp_path / "performance")
    monkeypatch.setattr(results, "PAGE", tmp_path / "performance.md")
    results.PAGE.write_text("# Page\n\n<!-- results: bare -->\nold\n<!-- end of the results -->\n\nmore\n")
    found = results.Results(list(HEAD), BARE)
    results.save("bare", found)
    assert results.load("bare") == found
    page = results.PAGE.read_text()
    assert page.startswith("# Page\n\n<!-- results: bare -->\n\n![")
    assert page.endswith("results -->\n\nmore\n")
    assert "old" not in page
    assert str(found) in page
    with pytest.raises(ValueError, match="0 places for the results peers"):
        results.save("peers", results.Results(list(HEAD), PEERS))


@pytest.mark.parametrize(("name", "found", "told"), [
    ("bare", BARE, ("ours/bare by the clock: GET /v1/account 0.50 (goal 0.75). "
                   "ours/bare by processor time alone: GET /v1/account 0.50.")),
    ("peers", PEERS, ("read: req/s on one core: ours 900, another 300. "
                     "read: work for the same processor time: ours/another 3.00 (goal 4).")),
])  # fmt: skip
def test_a_plot_can_be_read_by_all(name: str, found: list[Row], told: str):
    """It has a title and says its figures in words, follows light and dark, and loads nothing."""
    text = plots.draw(name, HEAD, found)
    picture = ET.fromstring(text)  # noqa: S314 - drawn above
    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == "title desc"
    assert picture.find(f"{SVG}title").text == plots.TITLES[name]
    assert picture.find(f"{SVG}desc").text == told
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"<script|<image|href|url\(|@import", text)
    written = [each.text for each in picture.iter(f"{SVG}text")]
    assert "2026-11-30 02:00 UTC, 2 interleaved rounds; machine: quiet <&>" in written
