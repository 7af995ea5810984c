"""The games that people play at a node: who plays, the moves so far, what may be asked, and when a game ends.

The rules and the thinking are in a process of their own (`node.play.rules_process`), which gets all moves with each
request and has a low priority. At most `MAX_GAMES` games are kept, each for `IDLE_S` after its last request, and each
is asked one thing at a time.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
import trio

from engine.config import CONFIGS
from node.play.models import FoundModel
from node.play.rules_process import PlayError, RulesProcess
from node.play.strengths import STRENGTHS
from node.system.imports import python_command
from node.work.worker import JobRunner, WorkError

PROCESS = python_command("node.play.process", "--nice", "15")
"""The process is nicer than the workers: a person waits a little, the swarm does not."""

MAX_GAMES = 4
IDLE_S = 1800.0
_LOOK_S = 10.0
_MAX_SEED = 64  # characters
_MAX_MOVE = 4096  # characters; that of a line names all its cells

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class _Game:
    """One game: what was chosen at its beginning, and the moves so far."""

    id: str
    configuration: str
    persons: tuple[int, ...]
    strength: str
    seed: str
    model: FoundModel
    moves: list[int] = field(default_factory=list)
    asked: float = 0.0  # trio's time of the last request, in s
    is_busy: bool = False

    @property
    def head(self) -> dict[str, object]:
        """The fields of `node.api.play.PlayInfo` that the node knows."""
        return {
            "game": self.id,
            "configuration": self.configuration,
            "persons": list(self.persons),
            "strength": self.strength,
            "seed": self.seed,
            "model": self.model.name,
        }


class PlaySessions:
    """The games of a node. Every answer is the JSON that goes out, in the shapes of `node.api.play`."""

    def __init__(self, runner: JobRunner, find_model: Callable[[str], Awaitable[FoundModel]]) -> None:
        """Play with the model that `find_model` returns for a configuration; `runner` is `node.play.process`."""
        self.process = RulesProcess(runner)
        self._find_model = find_model
        self._games: dict[str, _Game] = {}

    def __len__(self) -> int:
        return len(self._games)

    async def run(self) -> None:
        """End the games that nobody has asked about for long, and the process when nothing is asked, for ever."""
        while True:
            await trio.sleep(_LOOK_S)
            self._end_idle_games()
            await self.process.end_if_idle()

    async def find_model(self, configuration: str) -> FoundModel:
        """Return the model that plays a configuration. Raise PlayError if its files are not here yet."""
        try:
            return await self._find_model(configuration)
        except WorkError as error:
            raise PlayError(503, f"the model is not here yet: {error}; try again later") from None

    async def begin(
        self, configuration: str, *, persons: tuple[int, ...], strength: str, seed: str | None, instead_of: str | None
    ) -> bytes:
        """Begin a game, and return it as a `PlayInfo`. Raise PlayError."""
        if configuration not in CONFIGS:
            raise PlayError(400, f"there is no configuration {configuration}; it is one of {', '.join(CONFIGS)}")
        if strength not in STRENGTHS:
            raise PlayError(400, f"there is no strength {strength}; it is one of {', '.join(STRENGTHS)}")
        if not all(1 <= seat <= CONFIGS[configuration].players for seat in persons):
            raise PlayError(400, f"the players of {configuration} are 1 to {CONFIGS[configuration].players}")
        if seed is not None and not (0 < len(seed) <= _MAX_SEED and seed.isprintable()):
            raise PlayError(400, f"a seed has 1 to {_MAX_SEED} characters that can be printed")
        self._games.pop(instead_of or "", None)
        self._end_idle_games()
        if len(self._games) >= MAX_GAMES:
            reason = f"{MAX_GAMES} games are being played at this node; end one, or wait: one that nobody plays ends"
            raise PlayError(409, f"{reason} after {IDLE_S / 60:.0f} minutes")
        game = _Game(
            id=secrets.token_hex(16),
            configuration=configuration,
            persons=tuple(sorted(set(persons))),
            strength=strength,
            seed=seed or secrets.token_hex(4),
            model=FoundModel("", None),
        )
        self._games[game.id] = game  # now, so that the bound holds while the model is fetched
        with self._asking(game):
            try:
                game.model = await self.find_model(configuration)
                _log.info("game begun", configuration=configuration, seed=game.seed, model=game.model.name,
                          strength=strength, persons=game.persons)  # fmt: skip
                return await self._ask(game, "look", number=None)
            except BaseException:
                self._games.pop(game.id, None)
                raise

    async def move(self, game: str, move: str) -> bytes:
        """Play a person's move, and return a `PlayInfo`. Raise PlayError."""
        if not (move.isascii() and move.isprintable() and len(move) <= _MAX_MOVE):
            raise PlayError(400, "a move is a text such as PR 0,0 2; the position lists those that are legal")
        with self._asking(self._find(game)) as found:
            return await self._ask(found, "move", text=move)

    async def answer(self, game: str) -> bytes:
        """Let the model play the next move, whoever's turn it is, and return a `PlayInfo`. Raise PlayError."""
        with self._asking(self._find(game)) as found:
            return await self._ask(found, "answer", **_mind(found))

    async def undo(self, game: str) -> bytes:
        """Take back the last choice of a person, and all after it; return a `PlayInfo`. Raise PlayError."""
        with self._asking(self._find(game)) as found:
            return await self._ask(found, "undo", persons=list(found.persons))

    async def look(self, game: str, number: int | None) -> bytes:
        """Return the position after `number` moves, or the newest one, as a `PlayInfo`. Raise PlayError."""
        with self._asking(self._find(game)) as found:
            return await self._ask(found, "look", number=number)

    async def think(self, game: str) -> bytes:
        """Return what the model thinks of the newest position, as a `PlayThoughtInfo`. Raise PlayError."""
        with self._asking(self._find(game)) as found:
            return await self._ask(found, "think", **_mind(found))

    async def save(self, game: str) -> bytes:
        """Return the game as a file, as a `PlayRecordInfo`. Raise PlayError."""
        with self._asking(self._find(game)) as found:
            about = {"seed": found.seed, "model": found.model.name, "strength": found.strength}
            about["persons"] = ",".join(map(str, found.persons))
            return await self._ask(found, "record", name=f"play-{found.id[:8]}", about=about)

    def end(self, game: str) -> int:
        """End a game, and return how many are left. Raise PlayError."""
        with self._asking(self._find(game)) as found:
            del self._games[found.id]
        return len(self._games)

    async def aclose(self) -> None:
        """End the process."""
        await self.process.aclose()

    def _find(self, beginning: str) -> _Game:
        if beginning not in self._games:
            raise PlayError(404, "there is no such game here: it has ended, or the node was started anew; begin one")
        return self._games[beginning]

    @contextmanager
    def _asking(self, game: _Game) -> Iterator[_Game]:
        if game.is_busy:
            raise PlayError(409, "the last request for this game is still being answered; wait for that")
        game.is_busy = True
        try:
            yield game
        finally:
            game.is_busy, game.asked = False, trio.current_time()

    async def _ask(self, game: _Game, job: str, **fields: object) -> bytes:
        """Ask the process, take over the moves it answers, and return what goes out. Raise PlayError."""
        request = {"job": job, "config": game.configuration, "moves": game.moves, "head": game.head, **fields}
        answer = await self.process.ask(request)
        game.moves = list(answer["moves"])
        return bytes(answer["body"])

    def _end_idle_games(self) -> None:
        now = trio.current_time()
        for game in list(self._games.values()):
            if not game.is_busy and now - game.asked >= IDLE_S:
                del self._games[game.id]


def _mind(game: _Game) -> dict[str, object]:
    """Return the fields of a request that needs a thought."""
    folder = game.model.directory
    return {
        "model": None if folder is None else str(folder),
        "simulations": STRENGTHS[game.strength],
        "seed": game.seed,
    }
