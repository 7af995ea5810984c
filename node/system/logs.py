"""The node's log on stderr: short lines for people, or one JSON object a line for programs.

Nothing that happens to stderr ends the node or holds it up, and nobody can fill the log by doing the same again and
again: `LogOutput` counts the lines that could not be written, and `RepetitionFilter` those that were left out.
"""

import io
import logging
import os
import select
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from node.system.streams import SPELL
from node.text.harmless import harmless, harmless_lines

_WIDTH_CHARS = 24  # of the event, so that what follows stands in a column
_MAX_WAITING_BYTES = 256 * 1024  # for a reader that is slow; what comes then is lost
_AT_ONCE_BYTES = select.PIPE_BUF  # a pipe to which anything can be written takes so many without waiting
_LAST_WAIT_S = 0.5  # for a slow reader, when the process ends
_LOOK_S = 0.02
_PERIOD_S = 60.0
_MAX_EQUAL = 5  # lines that differ in the time only, in a period
_MAX_TITLED = 120  # lines with one title, in a period
_MAX_TRACEBACKS = 10  # of them, if they have a traceback
_WITHOUT_TRACEBACK = ("trio.serve_listeners",)  # too many connections: what strangers do, and no fault of the program

_log = structlog.get_logger(__name__)


class LogOutput:
    """Where the lines of the log go. Writing never raises and never waits; the lines that nobody took are counted.

    What a slow reader does not take waits for the next line. Lines are written and lost whole, unless a reader leaves
    in the middle of one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._waiting = bytearray()
        self._lock = threading.Lock()
        self._claimed = self._told = 0  # losses that a line tells, and that a line which was written told
        self.lost = 0
        """Lines that could not be written since the start."""

    def write(self, text: str) -> int:
        """Write lines, each with its end; return the number of characters."""
        with self._lock:
            if len(self._waiting) + len(text) > _MAX_WAITING_BYTES:
                self.lost += text.count("\n")
            else:
                self._waiting += text.encode(self._encoding, SPELL)
            try:
                self._drain()
            except (OSError, ValueError, AttributeError):  # no reader, a full device, a closed stream, None
                self.lost += self._waiting.count(b"\n")
                self._waiting.clear()
        return len(text)

    def flush(self) -> None:
        """Write what is waiting, as far as the reader takes it."""
        self.write("")

    def claim_losses(self) -> int:
        """Return how many lines were lost of which no line has told that was written; the next line tells of them."""
        self._claimed = self.lost
        return self._claimed - self._told

    def finish(self, timeout_s: float) -> None:
        """Write what is waiting, for which a slow reader has so long."""
        end = time.monotonic() + timeout_s
        while self._waiting and time.monotonic() < end:
            time.sleep(_LOOK_S)
            self.flush()

    def _drain(self) -> None:
        while self._waiting:
            taken = self._write_some()
            if not taken:
                return
            del self._waiting[:taken]
            if not self._waiting:
                self._told = self._claimed

    def _write_some(self) -> int:
        """Write what the stream takes at once; return the number of bytes, 0 if it takes none now."""
        stream: TextIO = self._stream  # type: ignore[assignment]  # None has no `fileno`: an AttributeError
        try:
            descriptor = stream.fileno()  # each time: a closed stream has none, and its number may be another file's
        except io.UnsupportedOperation:  # a stream in memory
            stream.write(self._waiting.decode(self._encoding))
            return len(self._waiting)
        if not _is_writable(descriptor):
            return 0
        try:
            return os.write(descriptor, self._waiting[:_AT_ONCE_BYTES])
        except BlockingIOError:
            return 0


def _is_writable(descriptor: int) -> bool:
    """Return whether writing takes no time, which a failure does not either."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))


@dataclass
class _Group:
    """The lines with one level and title in the present period."""

    began_at: float
    passed: int = 0
    left_out: int = 0
    equal: Counter[str] = field(default_factory=Counter)  # by all that the line says but the time


class RepetitionFilter:
    """Lets the same line pass a few times in a period, and a few more that differ but have the same title.

    So neither a fault that lasts nor a stranger who makes us complain about something else each time fills a disk.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}  # few: level and title are words of the program
        self._lock = threading.Lock()

    def admits(self, level: str, title: str, text: str, *, has_traceback: bool) -> bool:
        """Return whether a line that says `text` passes, and count it."""
        most = _MAX_TRACEBACKS if has_traceback else _MAX_TITLED
        with self._lock:
            group = self._groups.setdefault((level, title), _Group(time.monotonic()))
            if group.passed >= most or group.equal[text] >= _MAX_EQUAL:
                group.left_out += 1
                return False
            group.passed += 1
            group.equal[text] += 1
            return True

    def end_periods(self, *, early: bool = False) -> dict[str, int]:
        """End the periods that are over (`early`: all); return how many lines of each title were left out in them."""
        now = time.monotonic()
        left_out: Counter[str] = Counter()
        with self._lock:
            for key, group in list(self._groups.items()):
                if early or now >= group.began_at + _PERIOD_S:
                    del self._groups[key]
                    left_out[key[1]] += group.left_out
        return dict(+left_out)


class _Log:
    """The log of this process: its lines pass the filter, get their form, and go out."""

    def __init__(self, output: LogOutput, *, details: bool) -> None:
        self.output, self.details = output, details
        self._filter = RepetitionFilter()

    def leave_out(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """Drop a line that was written often enough; a processor of structlog."""
        self.tell_left_out()
        if event["level"] == "debug":  # somebody wants them all
            return event
        has_traceback = bool(event.get("exc_info"))
        text = repr({**event, "exc_info": sys.exc_info()[1]} if event.get("exc_info") is True else event)
        if not self._filter.admits(event["level"], str(event["event"]), text, has_traceback=has_traceback):
            raise structlog.DropEvent
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line of a library is written; a filter of its handler."""
        self.tell_left_out()
        if record.name in _WITHOUT_TRACEBACK:
            record.exc_info = record.exc_text = None
        text = f"{record.msg} {record.args!r}"
        return self._filter.admits(record.levelname, record.name, text, has_traceback=bool(record.exc_info))

    def tell_left_out(self, *, early: bool = False) -> None:
        """Log how many lines were left out."""
        for title, count in self._filter.end_periods(early=early).items():
            _log.warning("lines left out", like=title, count=count)

    def tell_lost(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """Let a line say how many before it could not be written; a processor of structlog."""
        if lost := self.output.claim_losses():
            event["lost_lines"] = lost
        return event


_current: _Log | None = None


def configure_logs(*, as_json: bool, details: bool = False, file: TextIO | None = None) -> None:
    """Send our log lines and the libraries' warnings to `file` (stderr) in one form. Call before the first line.

    With `details` there are also lines of the level "debug", as many as come.
    """
    global _current
    log = _current = _Log(LogOutput(sys.stderr if file is None else file), details=details)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper("iso" if as_json else "%H:%M:%S", utc=as_json),
    ]
    last: list[Processor] = [log.tell_lost, structlog.processors.format_exc_info, _short_line]
    if as_json:
        last = [log.tell_lost, structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(default=str)]
    structlog.configure(
        processors=[*shared[:2], log.leave_out, *shared[2:], *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if details else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(log.output),  # type: ignore[arg-type]  # it writes and flushes only
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(log.output)
    handler.addFilter(log.filter)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def finish_logs() -> None:
    """Write what is left to tell and what is waiting, before the process ends; a slow reader gets half a second."""
    if _current is not None:
        _current.tell_left_out(early=True)
        _current.output.finish(_LAST_WAIT_S)


def tells_details() -> bool:
    """Return whether lines of the level "debug" are written: what is made only for them can be left out otherwise."""
    return _current is not None and _current.details


def lost_log_lines() -> int:
    """Return how many lines of the log could not be written since the start of the process."""
    return 0 if _current is None else _current.output.lost


def _short_line(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """Render "14:03:09 running                  page=http://127.0.0.1:8400", with the level only if it matters."""
    time_text, level, what = event.pop("timestamp"), event.pop("level"), harmless(str(event.pop("event")))
    trace = event.pop("exception", None)
    title = what if level == "info" else f"{level}: {what}"
    rest = " ".join(f"{key}={_shown(value)}" for key, value in event.items())
    line = f"{time_text} {title:<{_WIDTH_CHARS}} {rest}".rstrip()
    return line if trace is None else f"{line}\n{harmless_lines(trace)}"


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_shown(item) for item in value) or "none"
    text = str(value)
    return harmless(repr(text) if " " in text or harmless(text) != text else text)
