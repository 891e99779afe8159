"""Runs of tests against one mutant after another, in a copy of the repository and on one Postgres and one Valkey.

Each run is a fork of this process, which has imported the libraries and nothing of the repository's own that a mutant
could change. It runs the tests that execute the changed line in their own process, the quickest first.
"""

import asyncio
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path

import coverage
import pytest

from devstack import servers
from testkit.sources import ROOT, tracked

_OWN = ("service", "worker", "devstack", "testkit", "tests", "bench")
_WORDS = ("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
_MEASURE = 1800.0  # seconds for all the tests without a mutation


class _Record:
    """Plugin of the run without a mutation: each test's seconds, and its lines of the module."""

    def __init__(self, module: Path) -> None:
        self.module, self.seconds = str(module), dict[str, float]()
        self.coverage = coverage.Coverage(data_file=None, include=[self.module], config_file=False)
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self.coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    def write(self, path: Path) -> None:
        self.coverage.stop()
        libraries = [name for name in sys.modules if name.partition(".")[0] not in (*_OWN, "__main__", "coverage")]
        lines = self.coverage.get_data().contexts_by_lineno(self.module)
        path.write_text(json.dumps({"seconds": self.seconds, "lines": lines, "libraries": libraries}))


@dataclass
class _Choice:
    """Plugin that keeps these tests, in this order."""

    tests: list[str]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        place = {test: number for number, test in enumerate(self.tests)}
        items[:] = sorted((item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid])


@dataclass
class MutationRuns:
    folder: Path
    module: Path
    log: Path
    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[int, list[str]] = field(default_factory=dict)

    def measure(self, tests: list[str]) -> bool:
        """Run the tests without a mutation and remember what they execute; False if they fail."""
        found = self.log.with_suffix(".json")

        def run() -> int:
            record = _Record(self.folder / self.module)
            code = pytest.main([*tests, *_WORDS], plugins=[record])
            record.write(found)
            return code

        if not self._fork(run, _MEASURE):
            return False
        record = json.loads(found.read_text())
        self.seconds, self.lines = record["seconds"], {int(line): on for line, on in record["lines"].items()}
        for name in record["libraries"]:
            with suppress(Exception):
                importlib.import_module(name)
        return True

    def kills(self, source: str, lines: frozenset[int]) -> bool:
        """Run the tests that execute these lines (all, if the import does) against that source of the module."""
        path = self.folder / self.module
        before = path.read_text()
        on = {test for line in lines for test in self.lines.get(line, ())}
        chosen = sorted(self.seconds if "" in on else on, key=lambda test: self.seconds[test])
        files = sorted({test.partition("::")[0] for test in chosen})
        patience = 20 + 10 * sum(self.seconds[test] for test in chosen)
        _write(path, source)
        try:
            return bool(chosen) and not self._fork(
                lambda: pytest.main([*files, *_WORDS], plugins=[_Choice(chosen)]), patience
            )
        finally:
            _write(path, before)

    def make_template(self) -> None:
        def run() -> int:
            conftest = importlib.import_module("tests.conftest")
            asyncio.run(conftest.make_template(os.environ["ACCOUNTS_TEST_POSTGRES"]))
            return 0

        assert self._fork(run, _MEASURE), self.log.read_text()

    def _fork(self, run: Callable[[], int], seconds: float) -> bool:
        """Run that in a child, with the copy's modules; False if it returns another code than 0, fails or hangs."""
        child = os.fork()
        if child == 0:
            _end(run, self.folder, self.log)
        watched = os.pidfd_open(child)
        try:
            if not select.select([watched], [], [], seconds)[0]:
                os.kill(child, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        finally:
            os.close(watched)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        return code == 0


def _end(run: Callable[[], int], folder: Path, log: Path) -> None:
    """Be the child; never returns."""
    code = 1
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1), os.dup2(output, 2)
        os.chdir(folder)
        sys.path[:] = [str(folder), *(path for path in sys.path if Path(path).resolve() != ROOT)]
        for name in [name for name in sys.modules if name.partition(".")[0] in _OWN]:
            del sys.modules[name]
        code = int(run())
        sys.stdout.flush()
    finally:
        os._exit(code)


def _write(path: Path, source: str) -> None:
    """Its cached bytecode goes: two mutants may have one size, and be written in one second."""
    path.write_text(source)
    Path(cache_from_source(str(path))).unlink(missing_ok=True)


@contextmanager
def mutation_runs(module: Path) -> Iterator[MutationRuns]:
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True)))
        for path in tracked():
            target = state / "copy" / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        starts = {"ACCOUNTS_TEST_POSTGRES": servers.start_postgres, "ACCOUNTS_TEST_VALKEY": servers.start_valkey}
        for variable, start in starts.items():
            server = start(state, throwaway=True)
            stack.callback(server.stop)
            os.environ |= {variable: server.url, f"{variable}_LOG": str(server.log)}
        runs = MutationRuns(state / "copy", module, state / "log.txt")
        runs.make_template()
        yield runs
