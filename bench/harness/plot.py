"""Plots as SVG: shares of the floor as bars, grouped by shape; what a call costs as its surroundings grow.

Colours are classes, with a second set for dark backgrounds; the background is drawn, so that either is
legible on any page.
"""
import math
from xml.sax.saxutils import escape

from .report import number, ratio

STYLE = """
text { paint-order: stroke; stroke: #fcfcfb; stroke-width: 3px; stroke-linejoin: round }
.page { fill: #fcfcfb } .ink { fill: #1a1a19 } .soft { fill: #5f5e59 } .title { font-weight: 600 }
.ours { fill: #2a78d6 } .peer { fill: #a9a79f } .floor { fill: #dcdad3 }
.grid { stroke: #e6e4dd } .one { stroke: #8a8880 } .spread { stroke: #1a1a19; stroke-width: 1.5 }
.server { stroke: #2a78d6; fill: none; stroke-width: 2 } .client { stroke: #c2571a; fill: none; stroke-width: 2 }
.dot-server { fill: #2a78d6 } .dot-client { fill: #c2571a }
@media (prefers-color-scheme: dark) {
text { stroke: #1a1a19 }
.page { fill: #1a1a19 } .ink { fill: #f2f1ed } .soft { fill: #b5b3aa }
.ours { fill: #3987e5 } .peer { fill: #77756d } .floor { fill: #45443f }
.grid { stroke: #35342f } .one { stroke: #9b9990 } .spread { stroke: #f2f1ed }
.server { stroke: #3987e5 } .client { stroke: #e08043 } .dot-server { fill: #3987e5 } .dot-client { fill: #e08043 }
}
"""


def text(x, y, content, kind="ink", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def rule(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def page(width, height, title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="system-ui, \'DejaVu Sans\', sans-serif" '
            f'font-size="12" role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
            '<rect width="100%" height="100%" class="page"/>\n' + "\n".join(parts) + "\n</svg>\n")


# ---- bars ----

WIDTH, LABEL, AXIS = 920, 390, 370
ROW, BAR, HEAD, GAP, TOP_MARGIN = 20, 12, 42, 18, 34
MOST = 1.5  # shares of the floor; longer bars are cut off, their number stands


class Group:
    """The bars of one shape. Shares of the floor, or figures where less is better."""

    def __init__(self, rows, title):
        self.shape = rows[0].subject.shape
        self.is_less = rows[0].subject.lower_is_better
        self.title = title + (" – less is better" if self.is_less else "")
        floors = {row.subject.name: row for row in rows if row.subject.is_floor}
        shown = [row for row in rows if not row.subject.is_floor and (row.floors or self.is_less)]
        names = dict.fromkeys(row.floors[0] for row in shown if row.floors)
        ours = [row for row in shown if row.subject.is_ours]
        peers = [row for row in shown if not row.subject.is_ours]
        peers.sort(key=lambda row: self.quartiles(row)[1], reverse=not self.is_less)
        self.bars = [*(floors[name] for name in names if name in floors), *ours, *peers]
        self.is_empty = not shown
        if shown:
            widest = max(self.quartiles(row)[2] for row in self.bars)
            self.most = widest * 1.02 if self.is_less else min(max(1.1, widest * 1.02), MOST)

    def quartiles(self, row):
        if self.is_less:
            return row.quartiles()
        return (1, 1, 1) if row.subject.is_floor else row.ratios(row.floors[0])

    @property
    def height(self):
        return HEAD + ROW * len(self.bars) + GAP

    def place(self, value):
        return LABEL + min(value, self.most) / self.most * AXIS

    def draw(self, top):
        bottom = top + HEAD + ROW * len(self.bars)
        yield text(16, top + 15, self.title, "ink title")
        if not self.is_less:
            for quarter in range(1, int(self.most * 4) + 1):
                x = self.place(quarter / 4)
                yield rule(x, top + HEAD - 4, x, bottom, "one" if quarter == 4 else "grid")
                yield text(x, top + HEAD - 8, f"{quarter / 4:g}", "soft", "middle")
        for index, row in enumerate(self.bars):
            yield from self.draw_bar(row, top + HEAD + ROW * index + ROW / 2)

    def draw_bar(self, row, middle):
        lower, median, upper = self.quartiles(row)
        subject, end = row.subject, self.place(max(median, upper))
        kind = "floor" if subject.is_floor else "ours" if subject.is_ours else "peer"
        yield text(LABEL - 8, middle + 4, label(subject), "ink" if subject.is_ours else "soft", "end")
        yield (f'<rect x="{LABEL}" y="{middle - BAR / 2:.1f}" width="{max(self.place(median) - LABEL, 1):.1f}" '
               f'height="{BAR}" rx="1.5" class="{kind}"/>')
        if len(row.used) > 1 and upper > lower:
            yield rule(self.place(lower), middle, self.place(upper), middle, "spread")
        yield from self.draw_value(row, median, end + 6, middle + 4)

    def draw_value(self, row, median, x, y):
        figure = f"{number(row.quartiles()[1])} {row.subject.shape.unit}"
        if self.is_less or row.subject.is_floor:
            yield text(x, y, figure, "soft")
            return
        of_floor = ratio(median)
        yield text(x, y, of_floor)
        yield text(x + 7 * len(of_floor) + 6, y, figure, "soft")


def label(subject):
    """With what it is a share of, unless that is the raw floor."""
    if subject.is_floor:
        return subject.title + " (the floor)"
    of = next((name for name in subject.floors[:1] if not name.startswith("floor-")), "")
    return subject.title + (f" (of {of})" if of else "")


def groups_of(rows, titles):
    """Of the shapes that are drawn as bars, in order."""
    by_shape = {}
    for row in rows:
        if not row.subject.shape.grows:
            by_shape.setdefault(row.subject.shape.name, []).append(row)
    groups = [Group(some, titles[name]) for name, some in by_shape.items()]
    return [group for group in groups if not group.is_empty]


def svg(rows, titles):
    """`rows`: of a report, in order. `titles`: of the shapes."""
    parts, top = list(legend((("floor", "raw floor"), ("ours", "Netron"), ("peer", "others")))), TOP_MARGIN
    for group in groups_of(rows, titles):
        parts += group.draw(top)
        top += group.height
    return page(WIDTH, top, "Shares of the raw floor: medians and quartiles", parts)


def legend(entries):
    x = 16
    for kind, words in entries:
        yield f'<rect x="{x}" y="11" width="12" height="12" rx="1.5" class="{kind}"/>'
        yield text(x + 18, 21, words, "soft")
        x += 18 + 8 * len(words) + 14


# ---- growth ----

PANEL_WIDTH, PANEL_HEIGHT, PLOT_LEFT, PLOT_TOP, PLOT_WIDTH, PLOT_HEIGHT = 430, 264, 62, 56, 330, 154
FIELDS = (("server", "server_cpu_ns"), ("client", "client_cpu_ns"))


class Panel:
    """Processor time of a call on either side, over how much there is of something. Both axes are
    logarithmic, in whole decades upwards."""

    def __init__(self, rows, title, left, top):
        self.rows, self.title, self.left, self.top = rows, title, left, top
        values = [row.median(field) / 1000 for row in rows for _, field in FIELDS if row.median(field) > 0]
        sizes = [row.subject.size for row in rows]
        self.low, self.high = decades(values)
        self.first, self.last = decades(sizes)

    def x(self, size):
        return self.left + PLOT_LEFT + share(size, self.first, self.last) * PLOT_WIDTH

    def y(self, value):
        return self.top + PLOT_TOP + (1 - share(value, self.low, self.high)) * PLOT_HEIGHT

    def draw(self):
        yield text(self.left + 16, self.top + 20, self.title, "ink title")
        yield text(self.left + 16, self.top + 37, "processor time of a call, µs", "soft")
        for power in range(self.low, self.high + 1):
            y = self.y(10.0 ** power)
            yield rule(self.x(10.0 ** self.first), y, self.x(10.0 ** self.last), y, "grid")
            yield text(self.left + PLOT_LEFT - 8, y + 4, f"{10.0 ** power:g}", "soft", "end")
        for power in range(self.first, self.last + 1):
            yield text(self.x(10.0 ** power), self.top + PLOT_TOP + PLOT_HEIGHT + 18, f"{10 ** power:,}".replace(
                ",", "\N{NARROW NO-BREAK SPACE}"), "soft", "middle")
        middle = self.left + PLOT_LEFT + PLOT_WIDTH / 2
        yield text(middle, self.top + PLOT_TOP + PLOT_HEIGHT + 36, self.rows[0].subject.shape.grows, "soft", "middle")
        for kind, field in FIELDS:
            yield from self.draw_line(kind, field)

    def draw_line(self, kind, field):
        points = [(self.x(row.subject.size), self.y(row.median(field) / 1000)) for row in self.rows
                  if row.median(field) > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline points="{path}" class="{kind}"/>'
        for x, y in points:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot-{kind}"/>'


def decades(values):
    """The powers of ten around them, at least one apart."""
    low, high = math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)
    return low, max(high, low + 1)


def share(value, low, high):
    return (math.log10(value) - low) / (high - low)


def growth_svg(rows, titles):
    """A panel for each thing that grows; nothing where there is none with two sizes."""
    by_shape = {}
    for row in rows:
        if row.subject.shape.grows and row.median("server_cpu_ns") > 0:
            by_shape.setdefault(row.subject.shape.name, []).append(row)
    drawn = [(name, some) for name, some in by_shape.items() if len(some) > 1]
    if not drawn:
        return ""
    parts = list(legend((("dot-server", "server"), ("dot-client", "client"))))
    for index, (name, some) in enumerate(drawn):
        left, top = index % 2 * PANEL_WIDTH, TOP_MARGIN + index // 2 * PANEL_HEIGHT
        title = titles[name].removeprefix("Growth: ")
        parts += Panel(some, title[:1].upper() + title[1:], left, top).draw()
    height = TOP_MARGIN + (len(drawn) + 1) // 2 * PANEL_HEIGHT
    return page(2 * PANEL_WIDTH, height, "What a call costs as its surroundings grow", parts)
