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


@dataclasses.dataclass
class Row:
    """The samples of one subject, or of one floor. Disturbed ones count only where there are no others."""
    subject: object
    samples: list
    syscalls: object = None  # per call; None: not counted

    def __post_init__(self):
        self.calm = [sample for sample in self.samples if not sample.is_disturbed]
        self.used = self.calm or self.samples

    def quartiles(self):
        return quartiles([sample.value for sample in self.used])

    def median(self, field):
        return statistics.median(getattr(sample, field) for sample in self.used)

    def ratios(self, floor):
        return quartiles([sample.ratio(floor) for sample in self.used])

    def cpu_ratio(self, floor):
        ratios = [sample.server_cpu_ns / sample.floors[floor].server_cpu_ns for sample in self.used
                  if sample.floors[floor].server_cpu_ns > 0]
        return statistics.median(ratios) if ratios else None

    def aims(self):
        """(text, reached) of each."""
        for aim in self.subject.aims:
            if aim.share is not None:
                yield f"≥ {aim.share:.2f} of {aim.floor}", self.ratios(aim.floor)[1] >= aim.share
            if aim.value is not None:
                value = self.quartiles()[1]
                is_less = self.subject.lower_is_better
                unit = self.subject.shape.unit
                yield (f"{'≤' if is_less else '≥'} {number(aim.value)} {unit}",
                       value <= aim.value if is_less else value >= aim.value)
            ratio = self.cpu_ratio(aim.floor) if aim.cpu is not None else None
            if ratio is not None:
                yield f"server CPU ≤ {aim.cpu:.2f}x of {aim.floor}", ratio <= aim.cpu


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
    for name in row.subject.floors:
        lower, median, upper = row.ratios(name)
        spread = f" [{lower:.2f}–{upper:.2f}]" if len(row.used) > 1 else ""
        parts.append(f"{median:.{2 if median >= 0.1 else 3}f}{spread}" +
                     ("" if name == row.subject.floors[0] else f" of {name}"))
    return "; ".join(parts)


def cell_cpu(row, field):
    value = row.median(field)
    return f"{value / 1000:.3g}" if value > 0 else "–"


def cell_server_cpu(row):
    text = cell_cpu(row, "server_cpu_ns")
    ratio = row.cpu_ratio(row.subject.floors[0]) if row.subject.floors else None
    return f"{text} ({ratio:.2f}x)" if ratio is not None and text != "–" else text


def cell_aims(row):
    return "; ".join(f"{text}: {'yes' if reached else '**no**'}" for text, reached in row.aims())


def table(shape, title, rows):
    has_cpu = any(row.median("server_cpu_ns") > 0 or row.median("client_cpu_ns") > 0 for row in rows)
    head = ["", shape.unit, "of the floor [quartiles]"]
    if has_cpu:
        head += [f"server µs per {shape.counted}", f"client µs per {shape.counted}",
                 "server's system calls"]
    head += ["aim"]
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [f"{row.subject.title} `{row.subject.name}`", cell_value(row), cell_ratio(row)]
        if has_cpu:
            cells += [cell_server_cpu(row), cell_cpu(row, "client_cpu_ns"),
                      "" if row.syscalls is None else f"{row.syscalls:.3f}"]
        lines.append("| " + " | ".join([*cells, cell_aims(row)]) + " |")
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
            lines += table(rows[0].subject.shape, self.titles[name], rows)
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
            f"Rounds: {s.rounds}, {s.seconds:g} s each after {s.warm_up:g} s of warm-up, each subject right "
            f"after its floors; {self.repeated} runs repeated because others used over 20 % of a core, "
            f"{self.disturbed} stayed disturbed: they count only where there are no others (†).",
            f"Stripped: {', '.join(self._files())}.",
            f"Bytes on the wire: {sizes}." if sizes else "",
            ""]

    def _files(self):
        for name, (kib, most) in self.files.items():
            yield f"{name} {kib:.0f} KiB (at most {most}: {'yes' if kib <= most else '**no**'})"

    def _troubles(self):
        lines = [f"* Not measured: {title} is not installed (Debian: {' '.join(packages)}; "
                 "`./bench/run --install-peers` installs all of them)"
                 for title, packages in self.missing]
        lines += [f"* Failed: {name}: {text}" for name, text in self.problems.items()]
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
                       for name in row.subject.floors},
            "syscalls_per_call": row.syscalls,
            "aims": [{"aim": text, "reached": reached} for text, reached in row.aims()],
            "is_calm": bool(row.calm),
            "samples": [dataclasses.asdict(sample) for sample in row.samples],
        }
