"""The answers about recorded games: unlike what a node tells from memory they take their time, in another process."""

import structlog

from node.play.rules_process import PlayError
from node.play.sessions import PlaySessions
from node.play.viewing import RecordRequest, view
from node.web.routes import Answer, encoded_answer, error_answer

_log = structlog.get_logger(__name__)


async def show_record(sessions: PlaySessions | None, asked: RecordRequest) -> Answer:
    """Answer with a recorded game, or with what the canonical model thinks of a position in it; never raise."""
    if sessions is None:
        return error_answer(503, "this node does not play, so it cannot play games again")
    try:
        return encoded_answer(await view(sessions, asked))
    except PlayError as error:
        return error_answer(error.status, str(error))
    except Exception as error:
        _log.error("record not shown", digest=asked.file["digest"], exc_info=error)
        return error_answer(500, "the node failed to do this; its log says why")
