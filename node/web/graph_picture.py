"""The picture of the event graph: a lane for each member, time to the right; an event stays where it is."""

from collections.abc import Iterator

from markupsafe import Markup

from node.api.graph import GraphEventInfo, GraphInfo
from node.text.formatting import count, plural
from node.web.svg import element, lines

# Sizes in the units of the drawing.
_LANE, _WIDTH = 24, 900
_LABELS = 96
_TOP = 18
_NAME_CHARS = 12
_EVENT_RADIUS, _WITNESS_RADIUS = 3.5, 6.5
_CROWDED_RADIUS = 5.5  # of a witness, where columns are narrow
_NARROW = 20  # a column that is not as wide as this


def lane_names(graph: GraphInfo) -> Markup:
    """Return the names of the members, each beside its lane."""
    names = [
        element("text", {"y": _y(place) + 4}, element("title", {}, member["name"]), _shortened(member["name"]))
        for place, member in enumerate(graph["members"])
    ]
    return element("svg", {"width": _LABELS, "height": _height(graph), "class": "graph names"}, lines(names))


def graph_picture(graph: GraphInfo) -> Markup:
    """Return the picture as SVG. What does not change stays the same line, so that little has to be sent."""
    newest = max((event["level"] for event in graph["events"]), default=0)
    column = _WIDTH // graph["levels"]
    shift = column * (graph["levels"] - newest) - column // 2
    kind = "graph crowded" if column < _NARROW else "graph"
    decided = f"rounds up to {count(graph['decided'])} are decided" if graph["decided"] else "no round is decided yet"
    label = (
        f"{plural(len(graph['events']), 'event')} of {plural(len(graph['members']), 'member')}, each in the member's "
        f"lane, the newest on the right; {decided}"
    )
    lanes = [
        element("line", {"class": "lane", "x2": _WIDTH, "y1": _y(place), "y2": _y(place)})
        for place in range(len(graph["members"]))
    ]
    moving = element(
        "g",
        {"class": "moving", "transform": f"translate({shift} 0)"},
        lines([*_edges(graph, column), *(_event(event, graph, column) for event in graph["events"])]),
    )
    return element(
        "svg",
        {"width": _WIDTH, "height": _height(graph), "class": kind, "role": "img", "aria-label": label},
        lines([*lanes, moving]),
    )


def _shortened(name: str) -> str:
    """Return a name that fits beside its lane: of a long one the beginning and the end."""
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS // 2 - 1]}…{name[-_NAME_CHARS // 2 :]}"


def _height(graph: GraphInfo) -> int:
    return _TOP + _LANE * len(graph["members"])


def _y(member: int) -> int:
    return _TOP + _LANE * member + _LANE // 2


def _edges(graph: GraphInfo, column: int) -> Iterator[Markup]:
    """Yield the lines from each event to its parents; they are below all events."""
    events = {event["row"]: event for event in graph["events"]}
    for event in graph["events"]:
        for parent in (events[row] for row in event["parents"]):
            own = parent["member"] == event["member"]
            begin, end = column * event["level"], column * parent["level"]
            path = f"M{begin} {_y(event['member'])}L{end} {_y(parent['member'])}"
            key = f"{event['row']}-{parent['row']}"
            yield element("path", {"data-key": key, "class": "own" if own else None, "d": path})


def _event(event: GraphEventInfo, graph: GraphInfo, column: int) -> Markup:
    name = graph["members"][event["member"]]["name"]
    fame = {True: "famous", False: "not famous", None: "not decided"}[event["famous"]]
    words = f"{name}, event {count(event['seq'])}, round {count(event['round'])}"
    words += f", witness, {fame}" if event["witness"] else ""
    words += f", {plural(event['transactions'], 'transaction')}" if event["transactions"] else ""
    is_decided = event["round"] <= graph["decided"]
    kind = f"witness {fame.replace(' ', '-')}" if event["witness"] else "decided" if is_decided else None
    x, y = column * event["level"], _y(event["member"])
    witness_radius = _CROWDED_RADIUS if column < _NARROW else _WITNESS_RADIUS
    radius = witness_radius if event["witness"] else _EVENT_RADIUS
    dot = element("circle", {"cx": x, "cy": y, "r": radius, "class": kind}, element("title", {}, words))
    number = element("text", {"x": x, "y": y - 9}, str(event["round"])) if event["witness"] else Markup("")
    return element("g", {"data-key": f"e{event['row']}"}, dot, number)
