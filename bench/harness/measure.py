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
SPARE_FILES = 64  # of a process, for all that is no connection


@dataclasses.dataclass(frozen=True)
class Settings:
    """What placeholders in commands may name, and how runs are repeated."""
    seconds: float = 1.0
    warm_up: float = 0.2
    rounds: int = 9
    peer_rounds: int = 9      # of them, in which peers are measured, too
    repeats: int = 4          # of a run that others disturbed
    repeating: float = 1e6    # seconds that all repeats may take
    items: int = 1000000
    bytes: int = 1 << 30
    idle: int = 10000
    subscribers: int = 10000
    memory_calls: int = 4000000
    many: int = 50000         # connections, as far as the limit of open files allows
    active: int = 1000        # of them, that call


QUICK = Settings(seconds=0.3, warm_up=0.1, rounds=3, peer_rounds=1, repeats=1, repeating=30.0, bytes=1 << 28, idle=2000,
                 subscribers=1000, memory_calls=1000000)


@dataclasses.dataclass
class Sample:
    """One run."""
    value: float              # in the unit of the shape
    calls: int = 0
    seconds: float = 0.0
    client_cpu_ns: float = 0  # per call; of a server likewise
    server_cpu_ns: float = 0
    others: float = 0.0       # cores that other programs used meanwhile
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

    def client(self, subject, server):
        less = {name: min(most, self.places[name]) for name, most in subject.most.items()}
        words = self.fill(subject.client, url=server.url if server else "", **less)
        return [*words, "--server", str(server.pid)] if server else words

    def limit(self):
        """Seconds after which a client hangs."""
        return 60 + 3 * (self.settings.warm_up + self.settings.seconds)

    def run(self, subject):
        """One sample. Failed: it came to nothing."""
        how = {"rate": self._run_rate, "idle": self._run_idle, "many": self._run_many}
        return how[subject.how](subject)

    def _run_rate(self, subject):
        with self.serve(subject) as server, self._beside(subject, server):
            watch, before = Watch(), server.cpu_ns() if server else 0
            try:
                printed, client_cpu = run_client(self.client(subject, server), self.limit())
            except Failed as error:
                raise Failed(f"{error} {server.why() if server else ''}".strip()) from error
            server_cpu = server.cpu_ns() - before if server else 0
            others = watch.others(client_cpu + server_cpu / 1e9)
        said = read_result(printed)
        return Sample(value=said["rate"] * subject.shape.scale, calls=said["calls"],
                      seconds=said["seconds"], client_cpu_ns=said["client_cpu_ns"],
                      server_cpu_ns=said["server_cpu_ns"], others=others)

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

    def _run_idle(self, subject):
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


    def _run_many(self, subject):
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

    def run(self, subjects):
        for number in range(self.bench.settings.rounds):
            for subject in subjects:
                if subject.name in self.problems or number >= self._rounds(subject):
                    continue
                self.tell(number, subject)
                try:
                    self._add(subject, self._undisturbed(subject))
                except Failed as error:
                    self.problems[subject.name] = str(error)
                    self.tell(number, subject, str(error))

    def _rounds(self, subject):
        settings = self.bench.settings
        if subject.once:
            return 1
        return settings.rounds if subject.is_ours else min(settings.peer_rounds, settings.rounds)

    def _undisturbed(self, subject):
        settings, best = self.bench.settings, self._beside_floors(subject)
        for _ in range(settings.repeats):
            if not best.is_disturbed or self.repeating > settings.repeating:
                break
            began = time.monotonic()
            best = min(best, self._beside_floors(subject), key=disturbance)
            self.repeating += time.monotonic() - began
            self.repeated += 1
        return best

    def _beside_floors(self, subject):
        floors = {name: self.bench.run(self.catalogue[name]) for name in subject.floors}
        sample = self.bench.run(subject)
        sample.floors = floors
        return sample

    def _add(self, subject, sample):
        self.samples[subject.name].append(sample)
        for name, floor in sample.floors.items():
            self.floor_samples[name].append(floor)

    @property
    def disturbed(self):
        """Runs that stayed disturbed after all repeats."""
        return sum(sample.is_disturbed for samples in self.samples.values() for sample in samples)


def disturbance(sample):
    return max([sample.others, *(floor.others for floor in sample.floors.values())])
