"""The node's log on stderr: short lines for people, or one JSON object a line for programs."""

import logging
import sys

import structlog
from structlog.typing import Processor

_QUIET = ("httpx", "httpcore")  # one line a request is too much


def configure_logs(*, as_json: bool) -> None:
    """Send our log lines and those of the libraries to stderr in one form. Call once, before the first line."""
    stamp = structlog.processors.TimeStamper("iso" if as_json else "%H:%M:%S", utc=as_json)
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, stamp]
    last: list[Processor] = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    if not as_json:
        last = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
