"""The pieces of a picture: markers, and stacks of rings seen from above and in front."""

from __future__ import annotations

from engine.picture.colours import INK, WHITE, colour, edge, mix, on, sign
from engine.picture.svg import Attributes, element, group, move_to, number, text, title
from engine.position import cap_of

# A ring, in cell widths.
_RADIUS, _DEPTH = 0.3, 0.125  # the two radii of the ellipse that shows a circle
_WALL = 0.13  # height
_HOLE = 0.52  # radius of the hole, in radii
_PILE = 0.5  # the highest that the lowest ring's foot can be below the top ring's


def definitions(unit: float, players: int) -> list[str]:
    """Return the shapes that other elements refer to: a ring and a marker of each player."""
    return [made for player in range(1, players + 1) for made in (_ring(unit, player), _marker(unit, player))]


def _ring(unit: float, player: int) -> str:
    rx, ry, wall = _RADIUS * unit, _DEPTH * unit, _WALL * unit
    around = f"{number(rx)} {number(ry)} 0 0"
    side = (
        f"M{number(-rx)} {number(-wall)}V0A{around} 0 {number(rx)} 0V{number(-wall)}"
        f"A{around} 1 {number(-rx)} {number(-wall)}Z"
    )
    pen: Attributes = {"stroke": edge(player), "stroke_width": 0.018 * unit}
    face = element("ellipse", cy=-wall, rx=rx, ry=ry, fill=mix(colour(player), WHITE, 0.8), **pen)
    hole = element("ellipse", cy=-wall, rx=_HOLE * rx, ry=_HOLE * ry, fill=edge(player))
    return group([element("path", d=side, fill=colour(player), **pen), face, hole], id=f"ring{player}")


def _marker(unit: float, player: int) -> str:
    disc = element("circle", r=0.2 * unit, fill=colour(player), stroke=edge(player), stroke_width=0.025 * unit)
    return group([disc, sign(player, 0.18 * unit, fill=on(player))], id=f"marker{player}")


def draw_marker(player: int) -> str:
    """Return a marker around the origin."""
    return element("use", href=f"#marker{player}")


def draw_stack(rings: tuple[int, ...], unit: float) -> str:
    """Return a stack around the origin, with every ring from the bottom up.

    A stack of several rings has their number beside it; if they belong to several players, also a bracket along the
    cap with the cap's number of rings.
    """
    rise = min(_WALL, _PILE / max(1, len(rings) - 1)) * unit
    foot = ((len(rings) - 1) * rise + _WALL * unit) / 2
    feet = [foot - place * rise for place in range(len(rings))]
    pile = [element("use", href=f"#ring{owner}", y=at) for owner, at in zip(rings, feet, strict=True)]
    if len(rings) == 1:
        return group(pile)
    cap = cap_of(rings)
    count = _number(len(rings), 0.21 * unit, 0.28 * unit, unit, font_weight="bold")
    parts = [group(pile, transform=move_to((-0.13 * unit, 0))), count]
    if cap < len(rings):
        parts += _cap(cap, feet[-1] - _WALL * unit, feet[-cap], unit)
    return group(parts)


def _cap(cap: int, top: float, bottom: float, unit: float) -> list[str]:
    """Return a bracket along the cap, and its number of rings."""
    x, tick = 0.2 * unit, 0.035 * unit
    bracket = (
        f"M{number(x)} {number(top)}h{number(tick)}V{number(bottom)}h{number(-tick)}"
        f"M{number(x + tick)} {number((top + bottom) / 2)}h{number(tick)}"
    )
    return [
        element("path", d=bracket, fill="none", stroke=INK, stroke_width=0.02 * unit),
        _number(cap, min((top + bottom) / 2, -0.05 * unit), 0.22 * unit, unit),
    ]


def _number(count: int, y: float, size: float, unit: float, **attributes: str) -> str:
    right, letters = (0.43, size) if count < 10 else (0.485, 0.86 * size)
    return text(str(count), (right * unit, y), letters, fill=INK, text_anchor="end", **attributes)


def describe_stack(rings: tuple[int, ...]) -> str:
    """Return the title of a stack: a description that a browser shows under the pointer."""
    listed = "".join(str(owner) for owner in rings)
    return title(f"stack {listed} (bottom to top): height {len(rings)}, cap {cap_of(rings)}")
