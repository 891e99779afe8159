"""Several processes of one program: forked, watched, started again when they die or hang, and stopped together.

They are forks of a process that has loaded everything already, so that they share that memory and start at once. The
supervisor runs no event loop and no thread: a fork copies neither.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from service import supervision
from service.supervision import READY, STOPPING, Supervision, by_line

log = logging.getLogger(__name__)
# Seconds: between two signs of life of a process, the first and the longest pause before it is started again, and the
# life after which a pause begins anew.
_BEAT, _PAUSE, _LONGEST_PAUSE, _STEADY = 5.0, 0.5, 30.0, 60.0
_ROUND = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass(slots=True)
class Child:
    """One place among the processes, and the process that holds it now; pid 0 for none."""

    index: int
    pid: int = 0
    line: socket.socket | None = None
    started: float = 0.0
    heard: float = 0.0
    due: float = 0.0
    pause: float = 0.0
    was_ready: bool = False


@dataclass(slots=True)
class Supervisor:
    """Supervisor of `count` processes; `run` is one's whole life, from its place to its exit code.

    `fatal` are exit codes after which a new start is of no use; `fatal_before_ready` those that are so until the place
    was ready once. `patience` is for a silent process, `drain` for the end of those that were told to stop, both in
    seconds.
    """

    count: int
    run: Callable[[int, Supervision], int]
    drain: float
    fatal: frozenset[int] = frozenset()
    fatal_before_ready: frozenset[int] = frozenset()
    patience: float = 30.0
    systemd: Supervision = field(default_factory=supervision.by_systemd)
    _children: list[Child] = field(init=False)
    _selector: selectors.BaseSelector = field(init=False, default_factory=selectors.DefaultSelector)
    _wake: tuple[socket.socket, socket.socket] = field(init=False, default_factory=socket.socketpair)
    _stop_requested: bool = False
    _stopping: float = 0.0
    _code: int = 0
    _reported_ready: bool = False

    def __post_init__(self) -> None:
        self._children = [Child(index) for index in range(self.count)]

    def supervise(self) -> int:
        """Run until SIGTERM, SIGINT or a fatal exit code; return the exit code. Call it from the main thread."""
        for end in self._wake:
            end.settimeout(0)
        self._selector.register(self._wake[0], selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake[1].fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._handle_signal)
        seen = beaten = time.monotonic()
        while not self._stopping or any(child.pid for child in self._children):
            if self._stop_requested:
                self._stop(0)
            self._start_due()
            self._listen()
            self._reap()
            now = time.monotonic()
            self._kill_silent(now, late=now - seen > _BEAT)
            seen = now
            if self.systemd.interval and now - beaten >= self.systemd.interval - _ROUND:
                self.systemd.report(supervision.ALIVE)
                beaten = now
        return self._code

    def _handle_signal(self, number: int, _frame: FrameType | None) -> None:
        """Leave all work to the round: a handler may run in the midst of a fork."""
        self._stop_requested |= number != signal.SIGCHLD

    def _stop(self, code: int) -> None:
        """Tell all processes to stop; those that still run at the end of `drain` are killed."""
        if self._stopping:
            return
        self._stopping, self._code = time.monotonic() + self.drain, code
        self.systemd.report(STOPPING)
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.pid:
                os.kill(child.pid, number)

    def _start_due(self) -> None:
        for child in self._children:
            if not child.pid and not self._stopping and time.monotonic() >= child.due:
                self._fork(child)

    def _fork(self, child: Child) -> None:
        ours, theirs = socket.socketpair()
        # A signal between the fork and the child's own handlers would be lost; it waits instead.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            child.pid = os.fork()
        except OSError as error:
            ours.close()
            log.error(  # noqa: TRY400 - the system's reason is all there is to say
                "A process could not be started; the supervisor tries again",
                extra={"event": "supervisor.fork_failed", "child": child.index, "fault": error.strerror},
            )
        else:
            if child.pid == 0:
                self._run_child(child.index, ours, theirs)
            ours.settimeout(0)
            child.line = ours
            self._selector.register(ours, selectors.EVENT_READ, child)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        theirs.close()
        child.started = child.heard = time.monotonic()
        if not child.pid:
            self._postpone(child)

    def _run_child(self, index: int, ours: socket.socket, theirs: socket.socket) -> NoReturn:
        """Be the child: without anything of the supervisor's but its own end of the line."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._selector.close()
            for each in (ours, *self._wake, *(child.line for child in self._children if child.line)):
                each.close()
            code = self.run(index, by_line(theirs, _BEAT))
        except Exception:
            log.exception("A process failed unexpectedly", extra={"event": "supervisor.process_failed", "child": index})
        finally:
            os._exit(code)

    def _listen(self) -> None:
        """Wait for messages, signals and ends, a round at most."""
        for key, _ in self._selector.select(_ROUND):
            child: Child | None = key.data
            if child is None:
                self._wake[0].recv(4096)
                continue
            assert child.line is not None  # noqa: S101 - registered with it
            try:
                message = child.line.recv(4096)
            except OSError:
                message = b""
            if message:
                child.heard = time.monotonic()
                child.was_ready |= READY.encode() in message
            else:
                self._close_line(child)
        if not self._reported_ready and all(child.was_ready for child in self._children):
            self._reported_ready = True
            self.systemd.report(READY)

    def _close_line(self, child: Child) -> None:
        if child.line:
            self._selector.unregister(child.line)
            child.line.close()
            child.line = None

    def _reap(self) -> None:
        for child in self._children:
            if child.pid and (status := os.waitpid(child.pid, os.WNOHANG))[0]:
                self._handle_exit(child, os.waitstatus_to_exitcode(status[1]))

    def _handle_exit(self, child: Child, code: int) -> None:
        """Close a dead process's line, and decide whether its place is filled again and when."""
        pid, child.pid = child.pid, 0
        self._close_line(child)
        if self._stopping:
            return
        if code in self.fatal or (code in self.fatal_before_ready and not child.was_ready):
            self._stop(code)
            return
        self._postpone(child)
        log.warning(
            "A process ended; the supervisor starts another one",
            extra={"event": "supervisor.process_ended", "child": child.index, "pid": pid, "code": code},
        )

    @staticmethod
    def _postpone(child: Child) -> None:
        """Set the time of the next start, after a longer pause each time."""
        now = time.monotonic()
        child.pause = _PAUSE if now - child.started >= _STEADY else min(_LONGEST_PAUSE, child.pause * 2 or _PAUSE)
        child.due = now + child.pause

    def _kill_silent(self, now: float, *, late: bool) -> None:
        """Kill processes whose event loop hangs, and all that don't stop in time.

        After a pause of the supervisor itself nobody counts as silent: the whole machine may have stood still.
        """
        if self._stopping:
            if now > self._stopping:
                self._send(signal.SIGKILL)
            return
        for child in self._children:
            if late:
                child.heard = now
            if child.pid and now - child.heard > self.patience:
                log.error(
                    "A process gave no sign of life; the supervisor kills it",
                    extra={"event": "supervisor.process_hung", "child": child.index, "pid": child.pid},
                )
                os.kill(child.pid, signal.SIGKILL)
                child.heard = now
