"""A terminal at which an operator types commands of `python -m service`."""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest

from service.__main__ import main
from service.db import Pool


class Terminal:
    """Types words and remembers what came: exit code, standard output, standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        return await self.run(main, *words)

    async def run(self, program: Callable[[Sequence[str]], int], *words: str) -> tuple[int, str, str]:
        """The same of another program."""
        self._capsys.readouterr()
        try:
            code = await asyncio.to_thread(program, words)
        except SystemExit as end:  # argparse leaves this way
            code = int(end.code or 0)
        told = self._capsys.readouterr()
        return code, told.out, told.err

    async def json(self, *words: str):
        code, out, err = await self(*words, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
async def type_(environment, monkeypatch, capsys, pool: Pool) -> Terminal:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Terminal(capsys)
