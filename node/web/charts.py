"""Charts that the node draws itself, as SVG with classes that `style.css` colours: no script, no library.

Each says in words what it shows, and what can be clicked in it can be reached by keyboard.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from markupsafe import Markup

from node.api.history import HistoryInfo
from node.api.models import ModelInfo
from node.api.ratings import RatingInfo
from node.api.work import CandidateInfo
from node.text.formatting import age, count, plural, short
from node.web.svg import element, lines, points

COLOURS = 8
"""How many things of a chart have a colour of their own; the rest is one grey."""

# Sizes in the units of the drawings.
_WIDTH, _HEIGHT = 340.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 12.0, 12.0, 24.0
_BAR_WIDTH, _BAR_HEIGHT = 240.0, 14.0
_ERRORS = 2  # standard errors on each side of a rating: about 95% of the true ones
_MARK_SPACE = 10.0  # beside the first and the last mark
_MOST_MARKS = 30  # those of the newest promotions; the curve has all
_MARGIN_POINTS = 25.0
_STEPS_POINTS = (25, 50, 100, 200, 400, 800, 1600)
_MOST_GRID_LINES = 5


def rating_chart(configuration: str, ratings: Sequence[RatingInfo], models: Sequence[ModelInfo], up: str) -> Markup:
    """Return the ratings of a configuration's models by promotion, with the newest promotions as marks.

    `ratings` and `models` are of this configuration only; of ratings by several settings the first ones count. `up`
    leads to `/` from the page.
    """
    promotions = [model for model in models if model["candidate"] is not None]
    rated = _rated_models(ratings)
    places = {model["model"]: number for number, model in enumerate(promotions, 1)}
    shown = sorted((places[model], entry) for model, entry in rated.items() if model in places)
    low, high, step = _range([entry for _, entry in shown])
    most = max(2, len(promotions))

    def x(number: float) -> float:
        return _LEFT + _MARK_SPACE + (_WIDTH - _LEFT - _RIGHT - 2 * _MARK_SPACE) * (number - 1) / (most - 1)

    def y(rating: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (rating - low) / (high - low)

    band = [(x(number), y(entry["rating"] + _ERRORS * entry["error"])) for number, entry in shown]
    band += [(x(number), y(entry["rating"] - _ERRORS * entry["error"])) for number, entry in reversed(shown)]
    grid = [_level_line("reference", y(1500))]
    for rating in range(low, high + 1, step):
        label = element("text", {"x": _LEFT - 5, "y": y(rating) + 4, "class": "end"}, str(rating))
        grid += [_level_line("grid", y(rating)), label]
    marks = [
        _promotion_mark(number, model, rated.get(model["model"]), x(number), y, up)
        for number, model in list(enumerate(promotions, 1))[-_MOST_MARKS:]
    ]
    numbers = [
        element("text", {"x": x(number), "y": _HEIGHT - 6, "class": "middle"}, str(number))
        for number in sorted({1, len(promotions)})
    ]
    curve = points((x(number), y(entry["rating"])) for number, entry in shown)
    words = f"Ratings of {configuration} by promotion: {_in_words(shown)}"
    return element(
        "svg",
        {"viewBox": f"0 0 {_WIDTH:g} {_HEIGHT:g}", "class": "chart", "role": "group", "aria-label": words},
        lines(
            [
                *grid,
                element("polygon", {"class": "band", "points": points(band)}),
                element("polyline", {"class": "curve", "points": curve}),
                *numbers,
                *marks,
            ]
        ),
    )


def _level_line(kind: str, height: float) -> Markup:
    """Return a line across a chart at one height."""
    return element("line", {"class": kind, "x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": height, "y2": height})


def _rated_models(ratings: Sequence[RatingInfo]) -> Mapping[str, RatingInfo]:
    """Return the ratings of the players that search with a model, by model: those with the first settings."""
    simulations = ratings[0]["simulations"] if ratings else 0
    return {
        entry["model"]: entry
        for entry in ratings
        if entry["model"] is not None and entry["player"] == "search" and entry["simulations"] == simulations
    }


def _range(shown: Sequence[RatingInfo]) -> tuple[int, int, int]:
    """Return the lowest and the highest rating of a chart, and the step of its grid; 1500 is always on it."""
    lows = [entry["rating"] - _ERRORS * entry["error"] for entry in shown]
    highs = [entry["rating"] + _ERRORS * entry["error"] for entry in shown]
    low, high = min([1500 - _MARGIN_POINTS, *lows]), max([1500 + _MARGIN_POINTS, *highs])
    step = next((each for each in _STEPS_POINTS if (high - low) / each <= _MOST_GRID_LINES - 1), _STEPS_POINTS[-1])
    return int(low // step) * step, -int(-high // step) * step, step


def _promotion_mark(
    number: int,
    model: ModelInfo,
    rating: RatingInfo | None,
    x: float,
    y: Callable[[float], float],
    up: str,
) -> Markup:
    """Return the mark of a promotion, which leads to its page."""
    words = f"Promotion {number}, model {short(model['model'])}"
    place = _HEIGHT - _BOTTOM if rating is None else y(rating["rating"])
    words += ": not rated" if rating is None else f": {rating['rating']:.0f} ± {_ERRORS * rating['error']:.0f}"
    mark = element(
        "circle", {"cx": x, "cy": place, "r": 3 if rating is None else 4.5, "class": None if rating else "unrated"}
    )
    where = f"{up}candidates/{model['candidate']}"
    return element("a", {"href": where, "class": "mark"}, element("title", {}, words), _error_bar(rating, x, y), mark)


def _error_bar(rating: RatingInfo | None, x: float, y: Callable[[float], float]) -> Markup:
    """Return the band at one mark: where only one model is rated it has no width."""
    if rating is None:
        return Markup("")
    low, high = (y(rating["rating"] + sign * _ERRORS * rating["error"]) for sign in (-1, 1))
    return element("line", {"class": "error", "x1": x, "x2": x, "y1": low, "y2": high})


def _in_words(shown: Sequence[tuple[int, RatingInfo]]) -> str:
    if not shown:
        return "none is rated yet"
    number, last = shown[-1]
    return f"{plural(len(shown), 'model')} rated, the newest, number {number}, {last['rating']:.0f} points"


def bar_of_test(candidate: CandidateInfo) -> Markup:
    """Return the sequential test of a candidate: the ratio so far between the bounds at which it is decided."""
    low, high, ratio = candidate["rejects_at"], candidate["accepts_at"], candidate["llr"]

    def x(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return _BAR_WIDTH * share

    kind = "accept" if ratio >= high else "reject" if ratio <= low else "open"
    words = f"log-likelihood ratio {ratio:.2f}; rejected at {low:.2f}, accepted at {high:.2f}"
    start, end = sorted((x(0), x(ratio)))
    return element(
        "svg",
        {"viewBox": f"0 0 {_BAR_WIDTH:g} {_BAR_HEIGHT:g}", "class": "test", "role": "img", "aria-label": words},
        element("title", {}, words),
        element("rect", {"class": "ground", "width": _BAR_WIDTH, "height": _BAR_HEIGHT, "rx": 3}),
        element("rect", {"class": kind, "x": start, "width": max(2.0, end - start), "height": _BAR_HEIGHT}),
        element("line", {"class": "zero", "x1": x(0), "x2": x(0), "y1": 0, "y2": _BAR_HEIGHT}),
    )


def share_chart(history: HistoryInfo, what: str, rows: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Return the shares of `rows` in each interval as areas that lie on each other, with a legend.

    The first rows are at the bottom. Where nothing was delivered, nothing is drawn.
    """
    shown = [*rows[:COLOURS]]
    if len(rows) > COLOURS:
        rest = [sum(amounts) for amounts in zip(*(amounts for _, amounts in rows[COLOURS:]), strict=True)]
        shown.append((f"{len(rows) - COLOURS} others", rest))
    totals = [sum(amounts) for amounts in zip(*(amounts for _, amounts in shown), strict=True)]
    width, height = _WIDTH, _HEIGHT - _TOP - _BOTTOM
    stacks = [list(accumulate(amounts, initial=0)) for amounts in zip(*(amounts for _, amounts in shown), strict=True)]

    def place(interval: int, level: int) -> float:
        share: float = stacks[interval][level] / max(1, totals[interval])
        return _TOP + height - height * share

    areas = []
    for level in range(len(shown)):
        path = "".join(
            f"M{width * interval / len(totals):.1f} {place(interval, level):.1f}"
            f"V{place(interval, level + 1):.1f}h{width / len(totals):.1f}V{place(interval, level):.1f}z"
            for interval in range(len(totals))
            if stacks[interval][level + 1] > stacks[interval][level]
        )
        areas.append(element("path", {"class": f"c{level}", "d": path}))
    sums = [(name, sum(amounts)) for name, amounts in shown]
    whole = max(1, sum(totals))
    told = ", ".join(f"{name} {100 * amount / whole:.0f}%" for name, amount in sums)
    begin = f"{age(history['begin'])} ago" if history["axis"] == "clock" else f"round {count(history['begin'])}"
    end = "now" if history["axis"] == "clock" else f"round {count(history['end'])}"
    picture = element(
        "svg",
        {
            "viewBox": f"0 0 {_WIDTH:g} {_HEIGHT:g}",
            "class": "chart",
            "role": "img",
            "aria-label": f"Shares of self-play by {what}, from {begin} to {end}: {told}",
        },
        lines(
            [
                *areas,
                element("line", {"class": "grid", "x2": width, "y1": _HEIGHT - _BOTTOM, "y2": _HEIGHT - _BOTTOM}),
                element("text", {"y": _HEIGHT - 6}, begin),
                element("text", {"x": width, "y": _HEIGHT - 6, "class": "end"}, end),
            ]
        ),
    )
    return lines([picture, _legend([(name, f"{100 * amount / whole:.0f}%") for name, amount in sums])])


def _legend(entries: Sequence[tuple[str, str]]) -> Markup:
    return element(
        "ul",
        {"class": "legend"},
        lines(
            [
                element(
                    "li",
                    {},
                    element("svg", {"viewBox": "0 0 10 10", "aria-hidden": "true"}, _swatch(level)),
                    f" {name} ",
                    element("span", {"class": "quiet"}, figure),
                )
                for level, (name, figure) in enumerate(entries)
            ]
        ),
    )


def _swatch(level: int) -> Markup:
    return element("rect", {"class": f"c{level}", "width": 10, "height": 10, "rx": 2})
