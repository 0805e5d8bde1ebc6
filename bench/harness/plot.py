"""A bar for each ratio, as SVG: the floor is the line at 1."""
from xml.sax.saxutils import escape

ROW, BAR, LABEL, AXIS, RIGHT = 20, 12, 330, 420, 90
OURS, PEERS, INK, LINE = "#2b6cb0", "#a0aec0", "#1a202c", "#718096"
STYLE = "font: 12px system-ui, sans-serif"


def svg(rows, titles):
    """`rows`: report rows that have a floor, in order."""
    shown = [row for row in rows if row.subject.floors and not row.subject.lower_is_better]
    if not shown:
        return ""
    top = max(1.0, max(row.ratios(row.subject.floors[0])[2] for row in shown)) * 1.05
    parts, y, shape = [], 10, None
    for row in shown:
        if row.subject.shape != shape:
            shape = row.subject.shape
            y += ROW
            parts.append(text(8, y, titles[shape.name], bold=True))
        y += ROW
        parts += bar(row, y, AXIS / top)
    one = LABEL + AXIS / top
    parts.insert(0, f'<line x1="{one:.1f}" y1="16" x2="{one:.1f}" y2="{y + 8}" stroke="{LINE}" '
                    'stroke-dasharray="3 3"/>')
    parts.insert(0, text(one + 3, 14, "floor"))
    width, height = LABEL + AXIS + RIGHT, y + 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" style="{STYLE}" role="img">\n'
            f"<title>Share of the raw floor, medians and quartiles</title>\n"
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def bar(row, y, scale):
    lower, median, upper = row.ratios(row.subject.floors[0])
    colour = OURS if "Netron" in row.subject.title else PEERS
    middle = y - 4
    yield text(LABEL - 8, y, row.subject.title, end=True)
    yield (f'<rect x="{LABEL}" y="{middle - BAR / 2}" width="{max(median * scale, 0.5):.1f}" '
           f'height="{BAR}" fill="{colour}"/>')
    yield (f'<line x1="{LABEL + lower * scale:.1f}" y1="{middle}" x2="{LABEL + upper * scale:.1f}" '
           f'y2="{middle}" stroke="{INK}"/>')
    yield text(LABEL + max(median, upper) * scale + 5, y, f"{median:.{2 if median >= 0.1 else 3}f}")


def text(x, y, content, bold=False, end=False):
    more = (' font-weight="bold"' if bold else "") + (' text-anchor="end"' if end else "")
    return f'<text x="{x:.1f}" y="{y}" fill="{INK}"{more}>{escape(content)}</text>'
