"""Each block of code in our pages is run by a test, or says why not (see tests/sdk_compat/test_code_blocks.py)."""

from pathlib import Path

import pytest

from testkit.code_blocks import DATA, PAGES, RUN, blocks, run_blocks
from testkit.sources import ROOT


def unexplained(text: str) -> list[str]:
    """Blocks that no test runs and that give no reason."""
    return [
        f"{block.language or 'a block without a language'}: {block.code.splitlines()[0]}"
        for block in blocks(text)
        if block.language not in RUN | DATA and not block.reason
    ]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_a_block_that_is_not_run_says_why(page: Path):
    """`<!-- not run: the reason -->` stands above it. Data and pictures need no reason, and have none."""
    text = page.read_text()
    assert unexplained(text) == []
    assert [block.code for block in blocks(text) if block.language in DATA and block.reason] == []


def test_a_mark_stands_above_a_block():
    """No mark is lost between paragraphs."""
    for page in PAGES:
        text = page.read_text()
        assert text.count("\n<!-- not run:") == sum(bool(block.reason) for block in blocks(text)), page.name


def test_most_blocks_are_run():
    """Guides are run from the first line to the last; only what needs another machine is left out."""
    counted = [block for page in PAGES for block in blocks(page.read_text()) if block.language in RUN]
    run = [block for page in PAGES for block in run_blocks(page)]
    assert len(run) > 40
    assert len(run) > 2 * len([block for block in counted if block.reason])


def test_planted_faults_are_found():
    """The checker sees a block without a language and code in another language."""
    assert unexplained("```\nrm -rf\n```\n\n```ruby\nputs 1\n```\n") == [
        "a block without a language: rm -rf",
        "ruby: puts 1",
    ]
    assert blocks("<!-- not run: it would format the disk -->\n```sh\nmkfs\n```\n")[0].reason == (
        "it would format the disk"
    )
