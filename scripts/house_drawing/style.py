"""The looks of the picture: fonts, colours by day and by night, and what a pointer on a room brings out."""

from __future__ import annotations

from scripts.house_drawing.facts import House

OTHERS = ("consensus", "training", "engine")
MARKERS = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="9" markerHeight="9" orient="auto" '
    'markerUnits="userSpaceOnUse"><path class="head" d="M0 0.5L8 4L0 7.5Z"/></marker>'
    + "".join(
        f'<marker id="head-{package}" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="12" markerHeight="12" '
        f'orient="auto" markerUnits="userSpaceOnUse"><path class="tap {package}" d="M0 0L8 4L0 8Z"/></marker>'
        for package in OTHERS
    )
    + "</defs>"
)
"""The heads of arrows."""

_SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif'
_MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
_LIGHT = {
    "paper": "#faf9f6", "wall": "#ffffff", "edge": "#cfcac0", "floor": "#f4f1ea", "card": "#ffffff",
    "ink": "#1f2328", "soft": "#57534e", "faint": "#8a847b", "direct": "#3f4753", "also": "#cdc8be",
    "consensus": "#2f6fb7", "training": "#3d8b57", "engine": "#b96a1b",
}  # fmt: skip
_DARK = {
    "paper": "#14171c", "wall": "#191d23", "edge": "#3a404a", "floor": "#1f242c", "card": "#262c35",
    "ink": "#eceff3", "soft": "#b8bec8", "faint": "#868e9a", "direct": "#c3cad5", "also": "#4a525e",
    "consensus": "#6aa8ec", "training": "#6cc08a", "engine": "#e39b55",
}  # fmt: skip


def style(house: House) -> str:
    """Return the style sheet."""
    rules = [
        f"text{{font-family:{_SANS}}}.name,.package{{font-family:{_MONO};font-weight:700}}",
        ".middle{text-anchor:middle}.end{text-anchor:end}",
        ".cable,.pipe,.riser{fill:none;stroke-linecap:round}.direct{marker-end:url(#head)}",
        ".riser{stroke-width:4}.pipe{opacity:.75}.cable,.pipe{transition:opacity .15s}",
        *_colours(_LIGHT),
        "@media (prefers-color-scheme:dark){" + "".join(_colours(_DARK)) + "}",
    ]
    for floor in house.floors:
        for name in floor:
            pointed, ends = f"svg:has(#node-{name}:hover)", f".from-node-{name},.to-node-{name}"
            rules.append(f"{pointed} :is(.cable,.pipe):not({ends}){{opacity:.07}}")
            rules.append(f"{pointed} .also:is({ends}){{stroke:#c2410c}}")
    return "".join(rules)


def _colours(colours: dict[str, str]) -> list[str]:
    rules = [
        ".paper{fill:%(paper)s}.wall{fill:%(wall)s;stroke:%(edge)s;stroke-width:1.5}.floor{fill:%(floor)s}",
        ".card{fill:%(card)s;stroke:%(edge)s}.name,.package{fill:%(ink)s}.says{fill:%(soft)s}.lines{fill:%(faint)s}",
        ".direct{stroke:%(direct)s}.head{fill:%(direct)s}.also{stroke:%(also)s}",
    ]
    rules = [rule % colours for rule in rules]
    for package in OTHERS:
        colour, panel = colours[package], f".panel.{package}"
        rules.append(f".ends-{package}{{marker-end:url(#head-{package})}}.tap.{package}{{fill:{colour}}}")
        rules.append(f"{panel}>.card{{stroke:{colour};stroke-width:1.5}}{panel}>.name{{fill:{colour}}}")
        rules.append(f".pipe.{package},.riser.{package}{{stroke:{colour}}}")
    return rules
