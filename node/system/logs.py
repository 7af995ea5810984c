"""The node's log on stderr: short lines for people, or one JSON object a line for programs."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_WIDTH_CHARS = 24  # of the event, so that what follows stands in a column


def configure_logs(*, as_json: bool, file: TextIO | None = None) -> None:
    """Send our log lines and the libraries' warnings to `file` (stderr) in one form. Call before the first line."""
    target = sys.stderr if file is None else file
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper("iso" if as_json else "%H:%M:%S", utc=as_json),
    ]
    last: list[Processor] = [structlog.processors.format_exc_info, _short_line]
    if as_json:
        last = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(default=str)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _short_line(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """Render "14:03:09 running                  page=http://127.0.0.1:8400", with the level only if it matters."""
    time, level, what = event.pop("timestamp"), event.pop("level"), event.pop("event")
    trace = event.pop("exception", None)
    title = str(what) if level == "info" else f"{level}: {what}"
    rest = " ".join(f"{key}={_shown(value)}" for key, value in event.items())
    line = f"{time} {title:<{_WIDTH_CHARS}} {rest}".rstrip()
    return line if trace is None else f"{line}\n{trace}"


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value) or "none"
    text = str(value)
    return repr(text) if " " in text or not text.isprintable() else text
