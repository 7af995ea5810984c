"""The games that the worker slots play now, in the shape of `node.api.playing`."""

from __future__ import annotations

from collections.abc import Sequence

from engine.boards import board
from engine.config import CONFIGS
from node.api.playing import PlayingInfo
from node.work.context import WorkProgress
from node.work.slots import SlotState
from node.work.watched import WatchedGame


def playing(slots: Sequence[SlotState]) -> list[PlayingInfo]:
    """Return the game that each slot shows, if it shows one: of claims that it works on together one shows it."""
    shown = ((state.slot.number, work, work.game) for state in slots for work in state.works)
    return [_info(slot, work, game) for slot, work, game in shown if game is not None]


def _info(slot: int, work: WorkProgress, game: WatchedGame) -> PlayingInfo:
    settings = CONFIGS[game.configuration]
    return {
        "slot": slot,
        "kind": work.kind,
        "subject": work.subject,
        "configuration": settings.name,
        "board": settings.board,
        "cells": [f"{x},{y}" for x, y in board(settings.board).cells],
        "ring_threshold": settings.ring_threshold,
        "territory_minimum": settings.territory_minimum,
        "players": list(game.players),
        "move": game.move,
    }
