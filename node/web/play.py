"""The answers to POST requests below `/play`: games of people at this machine.

They need the token of the node, as all that acts does, or the one in the page `/play`, which plays and nothing else.
Whoever may read this node may read that page, and so may play; but no page of another site can do either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from node.api.play import PlayEndInfo
from node.play.rules_process import PlayError
from node.play.sessions import PlaySessions
from node.web.guard import NotAnObject, comes_from_another_site, json_object, refuse
from node.web.routes import Answer, encoded_answer, error_answer, json_answer
from node.web.targets import parse_target

_log = structlog.get_logger(__name__)

Request = Mapping[str, Any]


class PlayControl:
    """Checks the requests of players, and hands them to the sessions."""

    def __init__(self, sessions: PlaySessions, *, tokens: tuple[str, ...], host: str) -> None:
        """Accept requests with one of `tokens`; `host` is where the server listens."""
        self._sessions, self._tokens, self._host = sessions, tokens, host
        self.paths: Mapping[str, Callable[[Request], Awaitable[Answer]]] = {
            "/play": self._begin,
            "/play/move": self._move,
            "/play/answer": self._about(sessions.answer),
            "/play/undo": self._about(sessions.undo),
            "/play/look": self._look,
            "/play/think": self._about(sessions.think),
            "/play/save": self._about(sessions.save),
            "/play/end": self._end,
        }

    def acts_at(self, target: str) -> bool:
        """Return whether there is something to do at the path of a request."""
        return parse_target(target).path in self.paths

    async def answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request to one of `paths`; never raise. The names of `headers` are in lower case."""
        asked = parse_target(target, headers.get("host", ""))
        fault = "this node plays with its own page only; open /play there"
        is_foreign = comes_from_another_site(headers, asked.host)
        refusal = refuse(
            headers, asked.host, bound=self._host, tokens=self._tokens, page_fault=fault if is_foreign else ""
        )
        if refusal is not None:
            return refusal
        try:
            return await self.paths[asked.path](json_object(body))
        except NotAnObject as error:
            return error_answer(400, str(error))
        except PlayError as error:
            return error_answer(error.status, str(error))
        except Exception as error:
            _log.error("game failed", target=target, exc_info=error)
            return error_answer(500, "the node failed to do this; its log says why")

    async def _begin(self, request: Request) -> Answer:
        persons = request.get("persons")
        if not isinstance(persons, list) or not all(type(seat) is int for seat in persons):
            raise PlayError(400, "persons must be a list of the players that are persons, such as [1]")
        return encoded_answer(
            await self._sessions.begin(
                _text(request, "configuration"),
                persons=tuple(persons),
                strength=_text(request, "strength"),
                seed=_optional_text(request, "seed"),
                instead_of=_optional_text(request, "instead_of"),
            )
        )

    async def _move(self, request: Request) -> Answer:
        return encoded_answer(await self._sessions.move(_text(request, "game"), _text(request, "move")))

    async def _look(self, request: Request) -> Answer:
        number = request.get("number")
        if number is not None and type(number) is not int:
            raise PlayError(400, "number, if it is there, must be a whole number")
        return encoded_answer(await self._sessions.look(_text(request, "game"), number))

    async def _end(self, request: Request) -> Answer:
        return json_answer(PlayEndInfo(games=self._sessions.end(_text(request, "game"))))

    def _about(self, ask: Callable[[str], Awaitable[bytes]]) -> Callable[[Request], Awaitable[Answer]]:
        """Return what answers a request that names a game and nothing else."""

        async def answer(request: Request) -> Answer:
            return encoded_answer(await ask(_text(request, "game")))

        return answer


def _text(request: Request, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise PlayError(400, f"{key} is missing, or is not a text")
    return value


def _optional_text(request: Request, key: str) -> str | None:
    return None if request.get(key) is None else _text(request, key)
