"""Requests to the process that knows the rules and thinks: one after the other, each with a limit of time.

A request that takes longer than `ANSWER_S`, or `COMPILING_S` while kernels are compiled, is given up, and the process
with it. When nothing is asked for some minutes the process ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
import trio

from node.work.watchdog import COMPILING_S
from node.work.worker import JobRunner, WorkError

ANSWER_S = 120.0
_IDLE_S = 300.0  # without a request, after which the process ends

_log = structlog.get_logger(__name__)


class PlayError(Exception):
    """A request that cannot be done: the HTTP status, and one line that says why and what to do."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class RulesProcess:
    """The process `node.play.process`, which is started when first needed and shared by all who ask."""

    def __init__(self, runner: JobRunner) -> None:
        self._runner = runner
        self._turn = trio.Lock()  # one request after the other
        self._last_request = 0.0

    async def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer to a request. Raise PlayError."""
        async with self._turn:
            self._last_request = trio.current_time()
            answer = await self._perform(request)
            self._last_request = trio.current_time()
        if "refused" in answer:
            raise PlayError(409, str(answer["refused"]))
        if "unavailable" in answer:
            raise PlayError(503, str(answer["unavailable"]))
        return answer

    async def end_if_idle(self) -> None:
        """End the process if nothing was asked for long; the next request starts it again."""
        if trio.current_time() - self._last_request > _IDLE_S and not self._turn.locked():
            async with self._turn:
                await self._runner.aclose()

    async def aclose(self) -> None:
        """End the process."""
        await self._runner.aclose()

    async def _perform(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        limit, latest = trio.CancelScope(deadline=trio.current_time() + ANSWER_S), ""

        def observe(progress: Mapping[str, Any]) -> None:
            """Give more time while kernels are compiled, once for each module."""
            nonlocal latest
            if (compiling := str(progress.get("compiling", ""))) != latest:
                latest = compiling
                limit.deadline = trio.current_time() + (COMPILING_S if compiling else ANSWER_S)

        try:
            with limit:
                return await self._runner.perform(request, observe)
        except WorkError as error:
            _log.warning("game not answered", job=request["job"], reason=str(error))
            reason = f"the process that plays failed: {error}; play.log in the data folder may say more"
            raise PlayError(503, reason) from None
        raise PlayError(503, f"no answer within {ANSWER_S:.0f} s; undo, and choose a lower strength for a new game")
