"""The side panel of a picture: the player to move, the standing of each player, the last move, the legend."""

from __future__ import annotations

from textwrap import wrap

from engine.picture.colours import CELL, FAINT, INK, LINE, WHITE, colour, edge, mix, on, sign, tint
from engine.picture.pieces import draw_marker, draw_stack
from engine.picture.svg import Attributes, element, group, move_to, text
from engine.position import Position, situation

WIDTH = 268.0
_HEAD, _CARD, _GAP, _MOVE, _LEGEND = 80.0, 94.0, 10.0, 64.0, 84.0
_INNER = WIDTH - 24.0
_COLUMNS = (16.0, 92.0, 172.0)


def panel_height(players: int) -> float:
    """Return the panel's least height in pixels."""
    return _HEAD + players * (_CARD + _GAP) + _MOVE + _LEGEND


def draw_panel(position: Position, last: tuple[int, str] | None, height: float, unit: float) -> str:
    """Return the panel with its upper left corner at the origin.

    Args:
        last: the player of the last move, and the move's text.
        height: height of the picture; the legend stands at its lower end.
        unit: width of a cell of the board; the legend scales its pieces from it.
    """
    parts = _head(position)
    for seat in range(position.config.players):
        at = 0.0, _HEAD + seat * (_CARD + _GAP)
        parts.append(group(_card(position, seat + 1), transform=move_to(at)))
    if last is not None:
        at = 0.0, _HEAD + position.config.players * (_CARD + _GAP)
        parts.append(group(_move(*last), transform=move_to(at)))
    parts.append(group(_legend(unit), transform=move_to((0.0, height - _LEGEND))))
    return group(parts)


def _head(position: Position) -> list[str]:
    config = position.config
    over = position.phase == "game_over"
    state = f"Player {position.winner} won" if over else f"Player {position.player} to move"
    game = f"{config.board}, {config.players} players, after move {position.ply}"
    return [
        text(game, (0, 18), 13, fill=FAINT),
        text(state, (0, 40), 18, fill=INK, font_weight="bold"),
        text(situation(position), (0, 60), 14, fill=INK),
    ]


def _card(position: Position, player: int) -> list[str]:
    config, seat = position.config, player - 1
    chosen = player == (position.winner or position.player)
    frame = element(
        "rect",
        width=_INNER,
        height=_CARD,
        rx=8,
        fill=WHITE if chosen else "none",
        stroke=edge(player) if chosen else LINE,
        stroke_width=3 if chosen else 1,
    )
    note = ("won" if position.winner else "to move") if chosen else ""
    parts = [
        frame,
        group([_token(player)], transform=move_to((26, 22))),
        text(f"Player {player}", (46, 22), 16, fill=INK, font_weight="bold"),
        text(note, (_INNER - 14, 22), 13, fill=edge(player), font_weight="bold", text_anchor="end"),
    ]
    goals = (
        ("in hand", position.hand[seat], config.rings),
        ("eliminated", position.eliminated[seat], config.ring_threshold),
        ("territory", position.territory[seat], config.territory_minimum),
    )
    for x, (name, count, whole) in zip(_COLUMNS, goals, strict=True):
        parts += _count(x, name, count, whole, player)
    return parts


def _token(player: int) -> str:
    disc = element("circle", r=11, fill=colour(player), stroke=edge(player), stroke_width=1.5)
    return disc + sign(player, 10, fill=on(player))


def _count(x: float, name: str, count: int, whole: int, player: int) -> list[str]:
    """Return a count out of a whole, with a bar below it."""
    wide = 60.0
    bar: Attributes = {"x": x, "y": 80.0, "height": 5.0, "rx": 2.5}
    figure = element("tspan", str(count), font_size=18, font_weight="bold", fill=INK)
    return [
        element("text", f"{figure} / {whole}", x=x, y=58, font_size=12, fill=FAINT),
        text(name, (x, 68), 11, fill=FAINT),
        element("rect", width=wide, fill=CELL, **bar),
        element("rect", width=wide * min(1.0, count / whole), fill=colour(player), **bar) if count else "",
    ]


def _move(player: int, move: str) -> list[str]:
    lines = wrap(move.replace(";", "; "), 32, max_lines=2, placeholder=" \u2026")
    return [text(f"Last move, by player {player}", (0, 14), 12, fill=FAINT)] + [
        text(line, (0, 32 + 18 * i), 14, fill=edge(player), font_weight="bold") for i, line in enumerate(lines)
    ]


def _legend(unit: float) -> list[str]:
    size = 46.0
    scale = f"scale({size / unit:.4f})"
    territory = element("rect", x=-16, y=-16, width=32, height=32, fill=tint(1), stroke=mix(colour(1), CELL, 0.7))

    def entry(x: float, drawn: str, words: str) -> str:
        below = element("text", words, y=42, font_size=12, fill=FAINT, text_anchor="middle")
        return group([drawn, below], transform=move_to((x, 30)))

    stack = group([draw_stack((2, 1, 1), unit)], transform=scale)
    marker = group([draw_marker(1)], transform=scale)
    held = territory + group([sign(1, 9, fill=edge(1), fill_opacity=0.55)])
    return [
        element("path", d=f"M0 0h{_INNER}", stroke=LINE),
        entry(44, stack, "cap, " + element("tspan", "height", font_weight="bold")),
        entry(132, marker, "marker"),
        entry(208, held, "territory"),
    ]
