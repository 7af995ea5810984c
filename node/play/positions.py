"""Games, positions and thoughts in the shapes of `node.api.play`."""

from __future__ import annotations

from engine import notation
from engine.boards import board
from engine.choices import PASSES, Choice
from engine.position import situation
from engine.search import chance_of
from node.api.play import PlayChoiceInfo, PlayedInfo, PlayPositionInfo, PlaySeatInfo, PlayThoughtInfo
from node.play.explanation import explain
from node.play.game import PlayedGame
from node.play.thinking import Thought


def position_info(game: PlayedGame, number: int) -> PlayPositionInfo:
    """Return the position after `number` moves; only the newest one has choices."""
    position, names = game.position(number), notation.cell_names(game.config.board)
    choices = game.choices if number == len(game.moves) else []
    return PlayPositionInfo(
        number=number,
        player=position.player,
        phase=situation(position),
        explanation=explain(position, choices),
        winner=position.winner,
        seats=[
            PlaySeatInfo(hand=hand, eliminated=eliminated, territory=territory)
            for hand, eliminated, territory in zip(position.hand, position.eliminated, position.territory, strict=True)
        ],
        stacks={names[cell]: "".join(map(str, rings)) for cell, rings in position.stacks.items()},
        markers={names[cell]: owner for cell, owner in position.markers.items()},
        collapsed={names[cell]: owner for cell, owner in position.collapsed.items()},
        choices=[_choice_info(choice, names) for choice in choices],
    )


def _choice_info(choice: Choice, names: tuple[str, ...]) -> PlayChoiceInfo:
    steps = [[names[cell] for cell in step] for step in choice.steps]
    return PlayChoiceInfo(move=choice.text, words=choice.words, steps=steps)


def played_info(game: PlayedGame, number: int) -> PlayedInfo:
    """Return move `number`, from 1."""
    made, names = game.made(number), notation.cell_names(game.config.board)
    return PlayedInfo(
        number=number,
        player=game.mover(number),
        move=made.text,
        words=made.words,
        passes=made.kind in PASSES,
        cells=[names[cell] for step in made.steps for cell in step],
    )


def thought_info(game: PlayedGame, thought: Thought) -> PlayThoughtInfo:
    """Return what is thought of the newest position."""
    choices = {choice.move: choice for choice in game.choices}
    return PlayThoughtInfo(
        number=len(game.moves),
        move=choices[thought.move].text,
        words=choices[thought.move].words,
        chances=[round(chance_of(value, len(thought.values)), 4) for value in thought.values],
        opinions=[
            {"move": choices[each.move].text, "policy": round(each.policy, 5), "visits": each.visits}
            for each in thought.opinions
        ],
    )


def board_facts(game: PlayedGame) -> dict[str, object]:
    """Return the fields of `PlayInfo` that are the same in the whole game."""
    config = game.config
    return {
        "board": config.board,
        "cells": list(notation.cell_names(board(config.board).name)),
        "rings": config.rings,
        "ring_threshold": config.ring_threshold,
        "territory_minimum": config.territory_minimum,
    }
