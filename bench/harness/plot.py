"""A bar for each share of the floor, as SVG: the floor is the line at 1."""
from xml.sax.saxutils import escape

ROW, BAR, LABEL, AXIS, RIGHT = 20, 12, 330, 420, 60
TOP = 1.25  # where the axis ends; longer bars are cut off, their number stands
OURS, PEERS, INK, LINE = "#2b6cb0", "#a0aec0", "#1a202c", "#718096"


def svg(rows, titles):
    """`rows`: of a report, in order; those without a floor are left out. `titles`: of the shapes."""
    parts, y, shape = [], 4, None
    for row in rows:
        if not row.subject.floors or row.subject.lower_is_better:
            continue
        if row.subject.shape != shape:
            shape = row.subject.shape
            y += ROW + 8
            parts.append(text(8, y, titles[shape.name], "font-weight='bold'"))
        y += ROW
        parts += bar(row, y)
    width, height = LABEL + AXIS + RIGHT, y + 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12" role="img">\n'
            "<title>Share of the raw floor: medians and quartiles</title>\n"
            '<rect width="100%" height="100%" fill="white"/>\n' +
            "\n".join([*scale(y), *parts]) + "\n</svg>\n")


def place(ratio):
    return LABEL + min(ratio, TOP) / TOP * AXIS


def scale(bottom):
    """Lines for every quarter, and the floor's."""
    for quarter in range(1, 5):
        x = place(quarter / 4)
        dash = "" if quarter == 4 else ' stroke-dasharray="2 4"'
        yield f'<line x1="{x:.1f}" y1="18" x2="{x:.1f}" y2="{bottom + 8}" stroke="{LINE}"{dash}/>'
        yield text(x, 14, "the floor" if quarter == 4 else f"{quarter / 4:g}", "text-anchor='middle'")


def bar(row, y):
    lower, median, upper = row.ratios(row.subject.floors[0])
    colour = OURS if row.subject.is_ours else PEERS
    middle, end = y - 4, max(place(median), place(upper))
    digits = 2 if median >= 0.1 else 3
    yield text(LABEL - 8, y, row.subject.title, "text-anchor='end'")
    yield (f'<rect x="{LABEL}" y="{middle - BAR / 2:g}" width="{max(place(median) - LABEL, 0.5):.1f}" '
           f'height="{BAR}" fill="{colour}"/>')
    yield (f'<line x1="{place(lower):.1f}" y1="{middle}" x2="{place(upper):.1f}" y2="{middle}" '
           f'stroke="{INK}" stroke-width="2"/>')
    yield text(end + 5, y, f"{median:.{digits}f}")


def text(x, y, content, more=""):
    return f'<text x="{x:.1f}" y="{y}" fill="{INK}" {more}>{escape(content)}</text>'
