"""Bars with their spread, and growth curves."""

from __future__ import annotations

from math import ceil, floor, log10

from . import words
from .peers import title
from .results import Result
from .rows import BYTES, OURS
from .spread import Spread
from .svg import MARGIN, WIDTH, Picture, colour

LABEL = 234  # where the bars begin
VALUE = 168  # what is kept free for the values after them
BAR, STEP = 13, 18
HEAD, GAP = 22, 12
LONGEST = 1.3


def bars(heading: str, results: list[Result]) -> str:
    """Draw each row's peers; the longest bar of a row is as long as there is room."""
    picture = Picture(heading)
    y = _heading(picture, heading, _what(results))
    for result in results:
        picture.text(MARGIN, y + 14, _headline(result), bold=True)
        y += HEAD
        scale = _Scale(result)
        for peer in result.measured:
            _bar(picture, y, result, peer, scale)
            y += STEP
        y += GAP
    return picture.drawn(y)


def _what(results: list[Result]) -> str:
    if all(result.row["by"] == BYTES for result in results):
        return "memory; shorter is better"
    return "operations in a second of CPU time, or in a second (“time”); longer is better"


def _headline(result: Result) -> str:
    by = " (time)" if result.row["by"] == "wall" else ""
    return f"{result.row['face'].capitalize()}: {result.row['title']}{by}".replace(
        "Asyncio:", "asyncio:"
    ).replace("Together:", "Tasks that may await Deferreds:")


def _heading(picture: Picture, heading: str, what: str) -> float:
    picture.text(MARGIN, 28, heading, size=17, bold=True)
    picture.text(MARGIN, 48, f"{what}. Whiskers: quartiles.", "faint", 12)
    return 62.0


class _Scale:
    """How long a bar is."""

    def __init__(self, result: Result) -> None:
        self._of_memory = result.row["by"] == BYTES
        spreads = [spread for peer in result.measured if (spread := result.cost(peer))]
        longest = max((self.value(spread.median) for spread in spreads), default=1.0)
        ends = [self.value(cost) for spread in spreads for cost in (spread.low, spread.high)]
        # A whisker that is far longer than any bar is cut off.
        self._most = min(max([longest, *ends]), LONGEST * longest) or 1.0

    def value(self, cost: float) -> float:
        """Tell what a cost is drawn as."""
        return max(cost, 0.0) if self._of_memory else 1 / cost if cost > 0 else 0.0

    def at(self, cost: float) -> float:
        """Tell where a bar of that ends."""
        room = WIDTH - LABEL - VALUE - MARGIN
        return LABEL + min(self.value(cost) / self._most, 1.0) * room


def _bar(picture: Picture, y: float, result: Result, peer: str, scale: _Scale) -> None:
    cost = result.cost(peer)
    if cost is None:
        return
    ours = peer == result.ours
    picture.text(LABEL - 8, y + 11, title(result.row["face"], peer), anchor="end", bold=ours)
    end = scale.at(cost.median)
    picture.box(LABEL, y, end - LABEL, BAR, colour(peer))
    whisker = sorted((scale.at(cost.low), scale.at(cost.high)))
    if whisker[1] - whisker[0] > 2:
        picture.whisker(whisker[0], whisker[1], y + BAR / 2, 3)
    value = words.cost(result, peer)
    x = max(end, whisker[1]) + 7
    picture.text(x, y + 11, value, size=12, bold=ours)
    ratio = result.ratio(peer)
    if ratio is not None:
        said = "too close" if result.doubt(peer) else f"ours {words.times(ratio)}"
        if result.doubt(peer) not in (None, "too close to call"):
            said = "too noisy"
        picture.text(WIDTH - MARGIN, y + 11, said, "faint", 12, "end")


# The front page's picture: which rows, under which words, and whose bars.
FRONT = (
    ("echo-50x1000", "Twisted, TCP echo", ("epoll", "tornado4")),
    ("tls-50x1000", "Twisted, TLS echo", ("epoll", "tornado4")),
    ("web", "Twisted, a web page", ("epoll", "tornado4")),
    ("aio-echo-50x1000", "asyncio, TCP echo", ("asyncio", "uvloop", "tornado4")),
    ("aio-tls-50x1000", "asyncio, TLS echo", ("asyncio", "uvloop", "tornado4")),
    ("tornado-web", "Tornado, a web page", ("asyncio", "uvloop", "tornado4")),
    ("scrapy-https", "Scrapy over HTTPS", ("asyncio-reactor", "uvloop-reactor", "tornado4")),
)


FRONT_LABEL = 310


def front(find: dict[str, Result], on: str) -> str:
    """Draw how many times as much gets done as on the framework's own loop."""
    heading = "The same programs: how much gets done in a second of CPU time"
    picture = Picture(heading)
    picture.text(MARGIN, 28, heading, size=17, bold=True)
    picture.text(MARGIN, 48, "What the framework's own loop does is 1. Longer is better.", "faint")
    y = 64.0
    rows = [(find[name], said, peers) for name, said, peers in FRONT if name in find]
    speeds = {
        (result.name, peer): speed
        for result, _, peers in rows
        for peer in peers
        if (speed := _speed(result, peer, peers[0]))
    }
    if not speeds:
        return picture.drawn(y)
    most = max(speed.high for speed in speeds.values())

    def bar(speed: float) -> float:
        return FRONT_LABEL + speed / most * (WIDTH - MARGIN - 116 - FRONT_LABEL)

    for result, said, peers in rows:
        picture.text(MARGIN, y + 12, said, bold=True)
        for peer in peers:
            speed = speeds.get((result.name, peer))
            if speed is None:
                continue
            ours = peer == "tornado4"
            end = bar(speed.median)
            name = title(result.row["face"], peer).replace("AsyncioSelectorReactor, ", "")
            name = name.replace("AsyncioSelectorReactor", "asyncio")
            picture.text(FRONT_LABEL - 8, y + 12, name, anchor="end", bold=ours)
            picture.box(FRONT_LABEL, y, end - FRONT_LABEL, 15, colour(peer))
            x = end + 7
            if peer != peers[0]:
                low, high = (bar(it) for it in (speed.low, speed.high))
                picture.whisker(low, high, y + 7.5, 3)
                x = max(end, high) + 7
            unsure = None if peer == peers[0] else result.doubt_of(peer, peers[0])
            picture.text(x, y + 12, unsure or f"{speed.median:.1f}x", bold=ours)
            y += 19
        y += 9
    picture.text(MARGIN, y + 10, on, "faint", 11)
    return picture.drawn(y + 22)


def _speed(result: Result, peer: str, reference: str) -> Spread | None:
    ratios = result.ratios(peer, reference) if peer != reference else [1.0]
    return Spread.of(ratios) if ratios else None


TOP, BOTTOM, LEFT, RIGHT = 66, 46, 74, 176
PLOT = 300


def growth(heading: str, along: str, results: list[Result]) -> str:
    """Draw how many operations a second of CPU time is enough for, both axes logarithmic."""
    picture = Picture(heading)
    picture.text(MARGIN, 28, heading, size=17, bold=True)
    picture.text(MARGIN, 48, "operations in a second of CPU time; higher is better", "faint", 12)
    points: dict[str, list[tuple[int, Spread]]] = {}
    for result in results:
        for peer in result.measured:
            if cost := result.cost(peer):
                speed = Spread(*(1 / it for it in (cost.high, cost.median, cost.low)))
                points.setdefault(peer, []).append((result.row["curve"][1], speed))
    axes = _Axes(points)
    axes.draw(picture, along)
    ends = []
    # Ours above the others.
    for peer, its in sorted(points.items(), key=lambda it: it[0] == OURS):
        kind = colour(peer)
        at = [(axes.x(place), axes.y(speed.median)) for place, speed in its]
        picture.line(at, kind, 2.5 if peer == "tornado4" else 1.6)
        for (x, y), (_, speed) in zip(at, its, strict=True):
            picture.line([(x, axes.y(speed.low)), (x, axes.y(speed.high))], kind, 1)
            picture.dot(x, y, kind)
        ends.append((at[-1][1], peer))
    last = 0.0
    for y, peer in sorted(ends):
        last = max(y, last + 16)
        said = title(results[0].row["face"], peer).replace("C, epoll and nothing else", "C")
        picture.text(
            WIDTH - RIGHT + 12,
            last + 4,
            said.replace("AsyncioSelectorReactor", "Asyncio…Reactor"),
            "text",
            13,
            bold=peer == "tornado4",
        )
    return picture.drawn(TOP + PLOT + BOTTOM)


class _Axes:
    """Where things are."""

    def __init__(self, points: dict[str, list[tuple[int, Spread]]]) -> None:
        self._places = sorted({place for its in points.values() for place, _ in its})
        speeds = [it for its in points.values() for _, speed in its for it in speed]
        # From one of the numbers 1, 3, 10, 30 ... to another.
        powers = range(floor(log10(min(speeds))) - 1, ceil(log10(max(speeds))) + 2)
        self._ticks = [digit * 10.0**power for power in powers for digit in (1, 3)]
        below = [it for it in self._ticks if it <= min(speeds)]
        above = [it for it in self._ticks if it >= max(speeds)]
        self._low, self._high = log10(below[-1]), log10(above[0])

    def x(self, place: float) -> float:
        """Tell how far to the right."""
        first, last = log10(self._places[0]), log10(self._places[-1])
        return LEFT + (log10(place) - first) / max(last - first, 1e-9) * (WIDTH - LEFT - RIGHT)

    def y(self, speed: float) -> float:
        """Tell how far down."""
        return TOP + PLOT * (self._high - log10(speed)) / (self._high - self._low)

    def draw(self, picture: Picture, along: str) -> None:
        """Draw the lines behind."""
        for tick in self._ticks:
            if self._low <= log10(tick) <= self._high:
                y = self.y(tick)
                picture.line([(LEFT, y), (WIDTH - RIGHT, y)], "line")
                picture.text(LEFT - 8, y + 4, _short(tick), "faint", 12, "end")
        for place in self._places:
            x = self.x(place)
            picture.line([(x, TOP), (x, TOP + PLOT)], "line")
            picture.text(x, TOP + PLOT + 18, _short(place), "faint", 12, "middle")
        middle = (LEFT + WIDTH - RIGHT) / 2
        picture.text(middle, TOP + PLOT + 37, along, "text", 13, "middle")


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
