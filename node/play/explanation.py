"""The rules in one line: what the player to move may do now."""

from collections.abc import Sequence

from engine.choices import Choice
from engine.moves import Kind
from engine.position import Position, situation

_PHASES = {
    "ring_placement": "Place 1 to 3 rings on an empty cell, or 1 on any stack; it has to move next.",
    "movement": "Move a stack in a line, at least as far as it is high, or capture.",
    "capture": "The stack that moved may capture: jump a stack whose cap is not higher.",
    "chain_capture": "The same stack has to go on capturing as long as it can.",
    "line_processing": "A line of own markers becomes territory, and costs a ring.",
    "territory_processing": "Claim a region cut off: its rings count for you, and it costs a cap.",
    "forced_elimination": "Nothing could be done in this turn: give up the cap of a stack.",
}
_SPECIAL = {  # where a move of this kind can be chosen, it is what the phase is about
    Kind.RS_F: "No own stack: slide a marker one step, and a buried ring comes out.",
    Kind.RS_S: "No own stack: slide a marker one step, and a buried ring comes out.",
    Kind.RS_L1: "No own stack: slide a marker so that it makes a line.",
    Kind.RS_L2: "No own stack: slide a marker so that it makes a line.",
    Kind.EL: "The line costs a ring: choose the stack that loses its top ring.",
    Kind.ET: "The region costs a cap: choose the stack that loses it.",
    Kind.ER: "The region costs a ring: choose the stack that gives up a buried one.",
}


def explain(position: Position, choices: Sequence[Choice]) -> str:
    """Return what the player to move may do, or how the game ended, in one line of at most 79 characters."""
    if position.winner:
        return f"Player {position.winner} won {situation(position)}."
    for kind, line in _SPECIAL.items():
        if any(choice.kind == kind for choice in choices):
            return line
    return _PHASES[position.phase]
