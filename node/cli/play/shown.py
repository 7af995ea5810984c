"""What the terminal shows of a game: the position, a thought as a table with bars, and the list of moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from engine.choices import Choice
from engine.picture.colours import PLAYERS
from engine.search import chance_of
from node.cli.board import STACKS, board_lines, legend_line, stack_lines, standing_lines, touched_cells
from node.play.game import PlayedGame
from node.play.thinking import Thought
from node.text.formatting import plural

WIDTH = 80
"""Columns of text that everything fits into."""

_BEST = 8  # moves in the table of a thought
_BAR = 24  # columns of text of a whole bar
_NUMBERED = 30  # moves in a list


def position_lines(game: PlayedGame) -> Iterator[Text]:
    """Yield the board, the players and the stacks, with empty lines between them."""
    position, last = game.position(), game.last_on_board()
    yield Text()
    yield from board_lines(position, touched_cells(last.move) if last else ())
    yield Text()
    yield from standing_lines(position)
    if position.stacks:
        yield Text()
        yield from stack_lines(position, WIDTH)
    yield Text()
    yield legend_line(position)


def thought_lines(game: PlayedGame, thought: Thought) -> Iterator[Text]:
    """Yield the best moves of a thought with their shares and visits, and each player's chance as a bar."""
    words = {choice.move: choice.words for choice in game.choices}
    best = sorted(thought.opinions, key=lambda each: (-each.visits, -each.policy))[:_BEST]
    yield Text("policy  visits  move", style="dim")
    for each in best:
        line = Text(f"{100 * each.policy:5.1f}%  {each.visits or '–':>6}  {words[each.move]}")
        line.stylize("bold" if each.move == thought.move else "")
        yield line
    if len(thought.opinions) > _BEST:
        yield Text(f"and {plural(len(thought.opinions) - _BEST, 'more move')}", style="dim")
    for seat, value in enumerate(thought.values):
        chance = chance_of(value, len(thought.values))
        filled = round(_BAR * chance)
        line = Text.assemble((f"{STACKS[seat]} player {seat + 1}  ", PLAYERS[seat]))
        line.append("█" * filled, style=PLAYERS[seat])
        line.append(f"{'░' * (_BAR - filled)}  {100 * chance:.0f}%")
        yield line


def choice_lines(choices: Sequence[Choice]) -> Iterator[Text]:
    """Yield the first moves of a list with their numbers."""
    wide = len(str(min(len(choices), _NUMBERED)))
    for number, choice in enumerate(choices[:_NUMBERED], 1):
        yield Text(f"{number:>{wide}}  {choice.words}")
    if len(choices) > _NUMBERED:
        yield Text(f"and {len(choices) - _NUMBERED} more; name one by its cells", style="dim")
