"""What came out: medians and spreads, as Markdown for people and as JSON for programs."""
import dataclasses
import statistics

THIN = "\N{NARROW NO-BREAK SPACE}"


def quartiles(values):
    """(lower, median, upper); of few values the extremes stand for the quartiles."""
    if len(values) < 4:
        return min(values), statistics.median(values), max(values)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, median, upper


def number(value):
    """Three digits that matter, thousands apart: 1 234 567 → 1.23 M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            scaled = value / (1e3 if unit == "k" else limit)
            return f"{scaled:.{max(0, 3 - len(str(int(scaled))))}f} {unit}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value):
    """Two digits that matter, at least two after the point: 12.34, 0.56, 0.0012."""
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


@dataclasses.dataclass
class Row:
    """The samples of one subject, or of one floor. Disturbed ones count only where there are no others."""
    subject: object
    samples: list
    syscalls: object = None  # per call; None: not counted

    def __post_init__(self):
        self.calm = [sample for sample in self.samples if not sample.is_disturbed]
        self.used = self.calm or self.samples

    @property
    def floors(self):
        """Names of those that were measured beside it: none when it was itself only run as a floor."""
        return [name for name in self.subject.floors if all(name in sample.floors for sample in self.used)]

    def quartiles(self):
        return quartiles([sample.value for sample in self.used])

    def median(self, field):
        return statistics.median(getattr(sample, field) for sample in self.used)

    def ratios(self, floor):
        return quartiles([sample.ratio(floor) for sample in self.used])

    def cpu_ratio(self, floor, field="server_cpu_ns"):
        ratios = [getattr(sample, field) / getattr(sample.floors[floor], field) for sample in self.used
                  if getattr(sample.floors[floor], field) > 0]
        return statistics.median(ratios) if ratios else None

    def aims(self):
        """(text, reached) of each."""
        for aim in self.subject.aims:
            if aim.floor and aim.floor not in self.floors:
                continue
            if aim.share is not None:
                yield f"≥ {aim.share:.2f} of {aim.floor}", self.ratios(aim.floor)[1] >= aim.share
            if aim.value is not None:
                value = self.quartiles()[1]
                is_less = self.subject.lower_is_better
                unit = self.subject.shape.unit
                yield (f"{'≤' if is_less else '≥'} {number(aim.value)} {unit}",
                       value <= aim.value if is_less else value >= aim.value)
            cpu = self.cpu_ratio(aim.floor) if aim.cpu is not None else None
            if cpu is not None:
                yield f"server CPU ≤ {aim.cpu:.2f}x of {aim.floor}", cpu <= aim.cpu


# ---- Markdown ----

def cell_value(row):
    lower, median, upper = row.quartiles()
    spread = (upper - lower) / median * 100 if median else 0
    text = f"{number(median)} ±{spread / 2:.0f} %" if len(row.used) > 1 else number(median)
    if not row.calm:
        text += " †"
    if "allocated" in row.samples[0].extra:
        text += f" (malloc: {row.samples[0].extra['allocated'] / 1024:.3g})"
    return text


def cell_ratio(row):
    parts = []
    for name in row.floors:
        lower, median, upper = row.ratios(name)
        spread = f" [{ratio(lower)}–{ratio(upper)}]" if len(row.used) > 1 else ""
        parts.append(f"{ratio(median)}{spread}" +
                     ("" if name == row.floors[0] else f" of {name}"))
    return "; ".join(parts)


def cell_cpu(row, field):
    value = row.median(field)
    return f"{value / 1000:.3g}" if value > 0 else "–"


def cell_server_cpu(row):
    text = cell_cpu(row, "server_cpu_ns")
    return text + times(row.cpu_ratio(row.floors[0]) if row.floors and text != "–" else None)


def cell_runs(row):
    """How many the figures are of."""
    left_out = len(row.samples) - len(row.used)
    return f"{len(row.used)} of {len(row.samples)}" if left_out else str(len(row.used))


def cell_aims(row):
    return "; ".join(f"{text}: {'yes' if reached else '**no**'}" for text, reached in row.aims())


def table(shape, title, rows):
    has_cpu = any(row.median("server_cpu_ns") > 0 or row.median("client_cpu_ns") > 0 for row in rows)
    head = ["", shape.unit, "of the floor [quartiles]"]
    if has_cpu:
        head += [f"server µs per {shape.counted}", f"client µs per {shape.counted}",
                 "server's system calls"]
    head += ["runs", "aim"]
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [f"{row.subject.title} `{row.subject.name}`", cell_value(row), cell_ratio(row)]
        if has_cpu:
            cells += [cell_server_cpu(row), cell_cpu(row, "client_cpu_ns"),
                      "" if row.syscalls is None else f"{row.syscalls:.3f}"]
        lines.append("| " + " | ".join([*cells, cell_runs(row), cell_aims(row)]) + " |")
    return lines + [""]


def times(value):
    return "" if value is None else f" ({ratio(value)}x)"


def growth_table(shape, title, rows):
    """Each size beside the smallest of its kind."""
    lines = [f"### {title}", "",
             f"| {shape.grows} | calls/s | of the first [quartiles] | server µs per call | client µs per call | runs |",
             "|---:|---|---|---|---|---|"]
    for row in rows:
        first = row.floors[0] if row.floors else None
        server, client = (cell_cpu(row, field) + times(row.cpu_ratio(first, field) if first else None)
                          for field in ("server_cpu_ns", "client_cpu_ns"))
        size = f"{row.subject.size:,}".replace(",", THIN)
        lines.append(f"| {size} `{row.subject.name}` | {cell_value(row)} | {cell_ratio(row)} | {server} | "
                     f"{client} | {cell_runs(row)} |")
    return lines + [""]


LATENCY_COLUMNS = ("", "p50 alone, µs", "p50 beside, µs", "times", "p99 alone, µs", "p99 beside, µs", "stream, MiB/s",
                   "server's peak above idle, MiB", "client's peak above idle, MiB", "runs")


def latency_table(_, title, rows):
    """Calls alone and beside a stream; half of them take less than p50, all but a hundredth less than p99."""
    lines = [f"### {title}", "", "| " + " | ".join(LATENCY_COLUMNS) + " |", "|" + "---|" * len(LATENCY_COLUMNS)]
    for row in rows:
        extra = {name: statistics.median(sample.extra[name] for sample in row.used) for name in row.used[0].extra}
        rate = statistics.median(sample.extra["stream_bytes"] / sample.seconds for sample in row.used)
        cells = [f"{row.subject.title} `{row.subject.name}`",
                 number(extra["alone_p50_ns"] / 1000), number(extra["p50_ns"] / 1000), cell_value(row),
                 number(extra["alone_p99_ns"] / 1000), number(extra["p99_ns"] / 1000), number(rate / 2**20),
                 number(extra["server_peak"] / 2**20), number(extra["client_peak"] / 2**20), cell_runs(row)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines + [""]


def many_remark(row):
    """What a run with as many connections as possible met."""
    extra = row.samples[-1].extra
    return (f"`{row.subject.name}`: {extra['connections']} connections ({extra['limit']}), "
            f"{extra['bytes_each'] / 1024:.2f} KiB of the server each")


def table_of(row):
    """The function that draws the table of this row and its like."""
    if row.subject.shape.grows:
        return growth_table
    return latency_table if row.subject.how == "latency" else table


# ---- peers side by side ----

COMPARED = ("1", "64", "1024", "100x64", "stream", "download", "upload", "events", "idle")


def best_of_ours(rows):
    ours = [row for row in rows if row.subject.is_ours and row.subject.name.startswith("ws-")
            and not row.subject.beside]
    pick = min if rows[0].subject.lower_is_better else max
    return pick(ours, key=lambda row: row.quartiles()[1]) if ours else None


def times_of_peer(ours, row):
    """How many times ours is better: by shares of the floor where both have them."""
    if row.subject.lower_is_better:
        return row.quartiles()[1] / ours.quartiles()[1] if ours.quartiles()[1] > 0 else None
    floor = row.floors[0] if row.floors else None
    if floor not in ours.floors:
        return None
    theirs = row.ratios(floor)[1]
    return ours.ratios(floor)[1] / theirs if theirs > 0 else None


def peers_table(groups):
    """Ours beside each peer: how many times as fast, or how many times less memory."""
    shapes = [name for name in COMPARED if name in groups and best_of_ours(groups[name])]
    peers = {}
    for name in shapes:
        ours = best_of_ours(groups[name])
        for row in groups[name]:
            if not row.subject.is_ours and not row.subject.is_floor:
                peers.setdefault(row.subject.title, {})[name] = times_of_peer(ours, row)
    if not peers:
        return []
    lines = ["### Netron over ws beside each peer", "",
             "How many times its rate, or for `idle` how many times less memory: quotients of shares of the "
             "floor, the best of Netron's subjects over ws in each column.", "",
             "| | " + " | ".join(shapes) + " |", "|---|" + "---:|" * len(shapes)]
    for title, found in peers.items():
        cells = [f"{number(found[name])}x" if found.get(name) else "" for name in shapes]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines + [""]


@dataclasses.dataclass
class Report:
    """Everything there is to tell about one campaign."""
    rows: list              # in the order of the table; floors first within a shape
    machine: dict
    versions: dict
    settings: object
    sizes: dict
    files: dict             # name -> (KiB stripped, KiB at most)
    missing: list           # (peer, packages)
    problems: dict          # subject -> text
    remarks: list
    repeated: int
    disturbed: int
    pinned: bool
    titles: dict            # shape name -> title with its numbers

    def by_shape(self):
        groups = {}
        for row in self.rows:
            groups.setdefault(row.subject.shape.name, []).append(row)
        return groups

    def missed(self):
        return [f"{row.subject.name}: {text}" for row in self.rows for text, reached in row.aims()
                if not reached]

    def markdown(self):
        lines = []
        for name, rows in self.by_shape().items():
            lines += table_of(rows[0])(rows[0].subject.shape, self.titles[name], rows)
        lines += peers_table(self.by_shape())
        return "\n".join(lines + self._about() + self._troubles())

    def _about(self):
        s, m = self.settings, self.machine
        virtual = ", virtual" if m["is_virtual"] else ""
        pins = "servers on core 0, clients on core 1" if self.pinned else "nothing pinned to a core"
        versions = ", ".join(f"{name} {text}" for name, text in self.versions.items() if text)
        sizes = ", ".join(f"{name} {size}" for name, size in self.sizes.items())
        return [
            f"Machine: {m['processor']}, {m['cores']} cores{virtual}, {m['memory']}, {m['distribution']}, "
            f"{m['system']}; {pins}.",
            f"Versions: {versions}.",
            f"Rounds: {self._rounds()}, {s.seconds:g} s each after {s.warm_up:g} s of warm-up, each subject right "
            f"after its floors; {self.repeated} runs repeated because others used over 20 % of a core, "
            f"{self.disturbed} stayed disturbed: they count only where there are no others (†).",
            f"Stripped: {', '.join(self._files())}.",
            f"Bytes on the wire: {sizes}." if sizes else "",
            ""]

    def _rounds(self):
        s = self.settings
        kinds = (("peers", s.peer_rounds), ("slow peers, growth and events", s.few_rounds))
        fewer = [f"{what}: {count}" for what, count in kinds if count < s.rounds]
        return f"{s.rounds} ({', '.join(fewer)})" if fewer else str(s.rounds)

    def _files(self):
        for name, (kib, most) in self.files.items():
            yield f"{name} {kib:.0f} KiB (at most {most}: {'yes' if kib <= most else '**no**'})"

    def _troubles(self):
        lines = [f"* Not measured: {title} is not installed (Debian: {' '.join(packages)}; "
                 "`./bench/run --install-peers` installs all of them)"
                 for title, packages in self.missing]
        lines += [f"* Failed: {name}: {text}" for name, text in self.problems.items()]
        lines += [f"* {many_remark(row)}." for row in self.rows
                  if row.subject.how == "many" and row.samples]
        lines += [f"* {text}" for text in self.remarks]
        return lines + [""] if lines else []

    # ---- JSON ----

    def json(self):
        return {
            "machine": self.machine, "versions": self.versions, "sizes": dict(self.sizes),
            "settings": dataclasses.asdict(self.settings), "files": self.files,
            "missing": [{"peer": title, "packages": packages} for title, packages in self.missing],
            "problems": self.problems, "remarks": self.remarks, "repeated": self.repeated,
            "subjects": [self._json_row(row) for row in self.rows],
        }

    @staticmethod
    def _json_row(row):
        lower, median, upper = row.quartiles()
        return {
            "name": row.subject.name, "title": row.subject.title, "shape": row.subject.shape.name,
            "unit": row.subject.shape.unit, "median": median, "quartiles": [lower, upper],
            "ratios": {name: dict(zip(("lower", "median", "upper"), row.ratios(name)))
                       for name in row.floors},
            "size": row.subject.size or None,
            "server_cpu_ns": row.median("server_cpu_ns"), "client_cpu_ns": row.median("client_cpu_ns"),
            "syscalls_per_call": row.syscalls,
            "aims": [{"aim": text, "reached": reached} for text, reached in row.aims()],
            "is_calm": bool(row.calm),
            "samples": [dataclasses.asdict(sample) for sample in row.samples],
        }
