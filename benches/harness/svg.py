"""Pictures that follow the reader's colour scheme, drawn without any library.

They have a ground of their own, because a page may be light where the reader's system is dark.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

WIDTH = 760
MARGIN = 16

# Of a light ground, and of a dark one.
COLOURS = {
    "ground": ("#ffffff", "#0d1117"),
    "text": ("#1f2328", "#f0f6fc"),
    "faint": ("#59636e", "#9198a1"),
    "line": ("#d1d9e0", "#3d444d"),
    "ours": ("#0b7a55", "#3fb68b"),
    "ours2": ("#7fbfa6", "#2a6b54"),
    "epoll": ("#5a6b7f", "#8fa1b5"),
    "asyncio": ("#8c99a8", "#768498"),
    "uvloop": ("#3f7fbf", "#5ba3e8"),
    "aiofastnet": ("#c98a3c", "#d9a05b"),
    "rloop": ("#9b6bb3", "#b58bd0"),
    "other": ("#b5544d", "#e0837c"),
    "limit": ("#d6c7a6", "#6b5f43"),
}


def colour(peer: str) -> str:
    """Tell which of the colours a peer has."""
    if peer.startswith("tornado4"):
        return "ours" if peer in ("tornado4", "tornado4, awaiting") else "ours2"
    if peer == "C":
        return "limit"
    name = peer.removesuffix("-reactor")
    return name if name in COLOURS else "other"


class Picture:
    """Shapes, and the text that says what is on it."""

    def __init__(self, title: str, width: int = WIDTH) -> None:
        self.width = width
        self._title = title
        self._shapes: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Draw a bar."""
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" '
            f'rx="2" class="{kind}"/>'
        )

    def line(self, points: list[tuple[float, float]], kind: str, width: float = 1) -> None:
        """Draw a line through the points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(f'<polyline points="{path}" class="s {kind}" stroke-width="{width}"/>')

    def dot(self, x: float, y: float, kind: str) -> None:
        """Draw a point."""
        self._shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{kind}"/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        kind: str = "text",
        size: int = 13,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """Write something."""
        weight = ' font-weight="600"' if bold else ""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{place}{weight} '
            f'class="{kind}">{escape(words)}</text>'
        )

    def whisker(self, low: float, high: float, y: float, half: float, kind: str = "text") -> None:
        """Draw between where the quartiles are."""
        self.line([(low, y), (high, y)], kind)
        for x in (low, high):
            self.line([(x, y - half), (x, y + half)], kind)

    def drawn(self, height: float) -> str:
        """Make the file's text."""
        light, dark = (
            "".join(_style(name, pair[i]) for name, pair in COLOURS.items()) for i in (0, 1)
        )
        shapes = "\n".join(self._shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height:.0f}" '
            f'width="{self.width}" height="{height:.0f}" role="img" '
            'font-family="system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif">\n'
            f"<title>{escape(self._title)}</title>\n"
            f"<style>.s{{fill:none!important}}{light}@media (prefers-color-scheme:dark){{{dark}}}"
            "</style>\n"
            f'<rect width="{self.width}" height="{height:.0f}" rx="6" class="ground"/>\n'
            f"{shapes}\n</svg>\n"
        )


def _style(name: str, value: str) -> str:
    return f".{name}{{fill:{value};stroke:{value}}}text.{name}{{stroke:none}}"
