"""Runs: one of a subject, one beside its floors, and rounds of all."""
import collections
import contextlib
import dataclasses
import json
import math
import resource
import socket
import time

from .machine import Watch
from .process import SERVER_CORE, Failed, Holder, Server, run_client

DISTURBED = 0.20  # of a core, used by others
SETTLE_SECONDS = 0.2
LATENCY = ("alone_p50_ns", "alone_p99_ns", "p50_ns", "p99_ns", "stream_bytes", "client_peak", "server_peak")
SPARE_FILES = 64  # of a process, for all that is no connection


@dataclasses.dataclass(frozen=True)
class Settings:
    """What placeholders in commands may name, and how runs are repeated."""
    seconds: float = 0.4
    warm_up: float = 0.1
    rounds: int = 9
    peer_rounds: int = 5      # of them, in which fast peers are measured, too
    few_rounds: int = 3       # of them, for slow peers, for what grows, and for events
    repeats: int = 4          # of a run that others disturbed
    repeating: float = 120.0  # seconds that all repeats may take
    enough: float = 1300.0    # seconds after which nothing is measured a second time
    patience: float = 60.0    # seconds beyond its time after which a client hangs
    items: int = 1000000
    bytes: int = 1 << 30
    bytes_later: int = 1 << 29  # in rounds after the first
    stream_bytes: int = 1 << 30
    stream_rate: int = 100 << 20  # bytes of it in a second
    lost: int = 100           # calls in flight when the server is killed
    idle: int = 10000
    subscribers: int = 10000
    memory_calls: int = 2000000
    many: int = 50000         # connections, as far as the limit of open files allows
    active: int = 1000        # of them, that call


QUICK = Settings(seconds=0.2, warm_up=0.1, rounds=2, peer_rounds=1, few_rounds=1, repeats=1, repeating=15.0,
                 enough=110.0, patience=40.0, items=300000, bytes=1 << 27, bytes_later=1 << 27,
                 stream_bytes=1 << 27, idle=2000, subscribers=1000, memory_calls=500000)


@dataclasses.dataclass
class Sample:
    """One run."""
    value: float              # in the unit of the shape
    calls: int = 0
    seconds: float = 0.0
    client_cpu_ns: float = 0  # per call; of a server likewise
    server_cpu_ns: float = 0
    others: float = 0.0       # cores that other programs used meanwhile
    took: float = 0.0         # seconds from the start of its server to its end
    extra: dict = dataclasses.field(default_factory=dict)
    floors: dict = dataclasses.field(default_factory=dict)  # of the same round: name -> Sample

    @property
    def is_disturbed(self):
        return self.others > DISTURBED or any(floor.is_disturbed for floor in self.floors.values())

    def ratio(self, floor):
        beneath = self.floors[floor].value
        return self.value / beneath if beneath > 0 else math.inf


class Bench:
    """Knows how to run a subject once."""

    def __init__(self, settings, programs, folder, sizes):
        self.settings = settings
        self.places = {**dataclasses.asdict(settings), "bin": str(programs), "folder": str(folder)}
        self.sizes = sizes

    def fill(self, words, **more):
        values = _Values(more, self.places, self.sizes)
        return [word.format_map(values) for word in words]

    def serve(self, subject):
        if subject.server is None:
            return contextlib.nullcontext()
        spec, port = subject.server, str(free_port())
        url = self.fill([spec.url])[0].replace("PORT", port)
        command = [word.replace("PORT", port) for word in self.fill(spec.command, url=url)]
        return Server(command, url, spec.ready, core=None if spec.all_cores else SERVER_CORE)

    def client(self, subject, server, number=0):
        """What is run in round `number`."""
        places = {**self.places, "bytes": self.settings.bytes_later if number else self.settings.bytes}
        less = {name: min(most, places[name]) for name, most in subject.most.items()}
        more = {name: max(least, places[name]) for name, least in subject.least.items()}
        words = self.fill(subject.client, url=server.url if server else "",
                          **{"bytes": places["bytes"], **less, **more})
        return [*words, "--server", str(server.pid)] if server else words

    def limit(self):
        """Seconds after which a client hangs."""
        return self.settings.patience + 3 * (self.settings.warm_up + self.settings.seconds)

    def run(self, subject, number=0):
        """One sample, of round `number`. Failed: it came to nothing."""
        how = {"rate": self._run_rate, "idle": self._run_idle, "many": self._run_many,
               "death": self._run_death, "latency": self._run_latency}
        began = time.monotonic()
        sample = how[subject.how](subject, number)
        sample.took = time.monotonic() - began
        return sample

    def _watched(self, subject, number):
        """(what the client said, cores that other programs used meanwhile)"""
        with self.serve(subject) as server, self._beside(subject, server):
            watch, before = Watch(), server.cpu_ns() if server else 0
            try:
                printed, client_cpu = run_client(self.client(subject, server, number), self.limit())
            except Failed as error:
                raise Failed(f"{error} {server.why() if server else ''}".strip()) from error
            # One that has died has none left.
            server_cpu = max(server.cpu_ns() - before, 0) if server else 0
            others = watch.others(client_cpu + server_cpu / 1e9)
        return read_result(printed), others

    def _run_rate(self, subject, number):
        said, others = self._watched(subject, number)
        return Sample(value=said["rate"] * subject.shape.scale, calls=said["calls"],
                      seconds=said["seconds"], client_cpu_ns=said["client_cpu_ns"],
                      server_cpu_ns=said["server_cpu_ns"], others=others)

    def _run_death(self, subject, number):
        """How long it takes until all calls of a killed server have failed."""
        said, _ = self._watched(subject, number)  # too short to tell what others did meanwhile
        return Sample(value=said["seconds"] * 1000, calls=said["calls"], seconds=said["seconds"])

    def _run_latency(self, subject, number):
        """How many times longer a call takes beside a stream than alone."""
        said, others = self._watched(subject, number)
        extra = {name: said[name] for name in LATENCY}
        return Sample(value=said["p50_ns"] / said["alone_p50_ns"], calls=said["calls"],
                      seconds=said["seconds"], others=others, extra=extra)

    @contextlib.contextmanager
    def _beside(self, subject, server):
        if not subject.beside:
            yield
            return
        with Holder(self.fill(subject.beside, url=server.url)) as holder:
            holder.wait()
            holder.go_on()
            holder.wait()
            yield

    def _run_idle(self, subject, _):
        """Bytes of the server for each connection between a few and many."""
        with self.serve(subject) as server:
            with Holder(self.client(subject, server)) as holder:
                steps = []
                for _ in range(2):
                    count = holder.wait()
                    time.sleep(SETTLE_SECONDS)
                    steps.append((count, server.resident_bytes()))
                    holder.go_on()
                said = [step["allocated"] for step in holder.told["steps"] if "allocated" in step]
        (few, small), (many, large) = steps
        extra = {"connections": many}
        if len(said) == 2:
            extra["allocated"] = (said[1] - said[0]) / (many - few)
        return Sample(value=(large - small) / (many - few) * subject.shape.scale, calls=many, extra=extra)

    def _run_many(self, subject, _):
        """The rate of some among as many connections as there can be, and what the others cost."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = min(self.settings.many, most - SPARE_FILES)
        words = dataclasses.replace(subject, most={"many": wanted})
        with self.serve(subject) as server, Holder(self.client(words, server)) as holder:
            resident = []
            for _ in range(2):
                count = holder.wait()
                time.sleep(SETTLE_SECONDS)
                resident.append(server.resident_bytes())
                holder.go_on()
            said, errors = read_result(holder.rest()), holder.said()
        why = f"the hard limit of open files is {most}" if wanted < self.settings.many else "as many as aimed at"
        extra = {"connections": count, "limit": errors or why,
                 "bytes_each": (resident[1] - resident[0]) / max(count - 1, 1)}
        return Sample(value=said["rate"], calls=said["calls"], seconds=said["seconds"],
                      client_cpu_ns=said["client_cpu_ns"], server_cpu_ns=said["server_cpu_ns"], extra=extra)


class _Values(dict):
    """Looks a placeholder up in several places, in order."""

    def __init__(self, *places):
        super().__init__()
        self.places = places

    def __missing__(self, name):
        for place in self.places:
            with contextlib.suppress(KeyError):
                return place[name]
        raise KeyError(name)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def read_result(printed):
    """What bench_print() of measure.h says."""
    try:
        said = json.loads(printed)
        if said["calls"] > 0 and said["seconds"] > 0 and said["total"] >= said["calls"]:
            return said
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"the client's result cannot be read ({error!r}): {printed[:200]!r}") from error
    raise Failed(f"the client's result makes no sense: {printed[:200]!r}")


# ---- rounds ----

class Campaign:
    """All subjects in turn, each right after its floors, so that both meet the same machine."""

    def __init__(self, bench, catalogue, tell):
        self.bench = bench
        self.catalogue = catalogue  # every subject and floor by name
        self.tell = tell
        self.samples = collections.defaultdict(list)        # of subjects
        self.floor_samples = collections.defaultdict(list)
        self.problems = {}          # subject -> why it failed
        self.repeated = 0
        self.repeating = 0.0        # seconds spent on repeats
        self.left_out = 0           # runs of later rounds for which there was no time

    def run(self, subjects):
        began, plan = time.monotonic(), self.plan(subjects)
        for at, (number, subject) in enumerate(plan):
            if subject.name in self.problems:
                continue
            if number > 0 and time.monotonic() - began > self.bench.settings.enough:
                self.left_out += 1
                continue
            self.tell((at, len(plan)), number, subject)
            try:
                self._add(subject, self._undisturbed(subject, number))
            except Failed as error:
                self.problems[subject.name] = str(error)
                self.tell((at, len(plan)), number, subject, str(error))

    def plan(self, subjects):
        """(round, subject) in the order of the runs. What takes part in few rounds does so evenly."""
        rounds = self.bench.settings.rounds
        return [(number, subject) for number in range(rounds) for subject in subjects
                if takes_part(number, self.rounds_of(subject), rounds)]

    def rounds_of(self, subject):
        settings = self.bench.settings
        if subject.once:
            return 1
        most = settings.rounds if subject.is_ours else settings.peer_rounds
        return min(most, settings.few_rounds if subject.is_seldom or subject.takes_long else most, settings.rounds)

    def _undisturbed(self, subject, number):
        settings, best = self.bench.settings, self._beside_floors(subject, number)
        for _ in range(settings.repeats):
            # One that takes longer than what is left is not begun: the bound is one for all together.
            if not best.is_disturbed or self.repeating + took(best) > settings.repeating:
                break
            again = self._beside_floors(subject, number)
            best = min(best, again, key=disturbance)
            self.repeating += took(again)
            self.repeated += 1
        return best

    def _beside_floors(self, subject, number):
        floors = {name: self.bench.run(self.catalogue[name], number) for name in subject.floors}
        sample = self.bench.run(subject, number)
        sample.floors = floors
        return sample

    def _add(self, subject, sample):
        self.samples[subject.name].append(sample)
        for name, floor in sample.floors.items():
            self.floor_samples[name].append(floor)

    def subjects(self):
        """Those that have been measured, floors first."""
        return [self.catalogue[name] for name in dict.fromkeys([*self.floor_samples, *self.samples])]

    @property
    def disturbed(self):
        """Runs that stayed disturbed after all repeats."""
        return sum(sample.is_disturbed for samples in self.samples.values() for sample in samples)


def disturbance(sample):
    return max([sample.others, *(floor.others for floor in sample.floors.values())])


def took(sample):
    """Seconds, with its floors."""
    return sample.took + sum(floor.took for floor in sample.floors.values())


def takes_part(number, wanted, rounds):
    """Whether one that is to be measured in `wanted` of all rounds is so in this one: the first one, and
    then evenly."""
    return number * wanted // rounds != (number - 1) * wanted // rounds
