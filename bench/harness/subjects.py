"""What can be measured: shapes of work, the floor, and our own programs. Peers are in bench/peers.

A command is a list of words with {placeholders}: {url} of the server, {bin} where our programs are,
and whatever Settings and Sizes know ({seconds}, {bytes}, {ws_request} …).
"""
from dataclasses import dataclass, field, replace
from typing import Optional

TIMED = ("--seconds", "{seconds}", "--warm-up", "{warm_up}")


@dataclass(frozen=True)
class Shape:
    """A kind of work, the same for all who do it."""
    name: str
    title: str
    words: tuple                 # what a client is told
    unit: str = "calls/s"
    scale: float = 1.0           # units per thing that the client counts
    counted: str = "call"
    floor: tuple = ("--request", "{%s_request}", "--reply", "{%s_reply}")
    grows: str = ""              # what there is more and more of, from subject to subject


SHAPES = {shape.name: shape for shape in (
    Shape("1", "Sequential", ("calls", *TIMED)),
    Shape("64", "64 in flight", ("calls", "--inflight", "64", *TIMED)),
    Shape("1024", "1024 in flight", ("calls", "--inflight", "1024", *TIMED)),
    Shape("100x64", "64 in flight on each of 100 connections",
          ("calls", "--connections", "100", "--inflight", "64", *TIMED)),
    Shape("burn", "Handlers that work for 20 µs, 32 in flight on each of 4 connections",
          ("calls", "--burn", "--connections", "4", "--inflight", "32", *TIMED)),
    Shape("stream", "Streams of integers", ("stream", "--items", "{items}", *TIMED),
          "items/s", 1.0, "item", ("--reply", "{%s_item}")),
    Shape("download", "Bulk from the server, chunks of 64 KiB", ("download", "--bytes", "{bytes}"),
          "MiB/s", 1 / 16, "chunk", ()),
    Shape("upload", "Bulk to the server, chunks of 64 KiB", ("upload", "--bytes", "{bytes}"),
          "MiB/s", 1 / 16, "chunk", ()),
    Shape("events", "One event to {subscribers} subscribers, each answers it",
          ("events", "--connections", "{subscribers}", "--items", "1", *TIMED),
          "answers/s", 1.0, "answer", ("--request", "{%s_event}", "--reply", "{%s_answer}")),
    Shape("idle", "Memory of an idle connection ({idle} of them)",
          ("idle", "--connections", "{idle}"), "KiB", 1 / 1024, "connection", ()),
    Shape("many", "As many connections as there can be, {active} of them call",
          ("many", "--connections", "{many}", "--active", "{active}", *TIMED)),
    Shape("services", "Growth: services of one node, called in turn, 64 in flight",
          ("services", "--inflight", "64", *TIMED), grows="services"),
    Shape("connections", "Growth: connections, one call in flight on each", ("calls", *TIMED),
          grows="connections"),
    Shape("inflight", "Growth: calls in flight on one connection, as futures",
          ("calls", "--futures", *TIMED), grows="calls in flight"),
    Shape("suspended", "Growth: handlers that have suspended",
          ("calls", "--futures", "--later", *TIMED), grows="handlers"),
    Shape("local", "Calls that stay in the process", ("calls", *TIMED)),
    Shape("start", "From start to listening", (), "starts/s", 1.0, "start"),
    Shape("death", "From kill -9 of the server until all of {lost} calls in flight have failed",
          ("death", "--inflight", "{lost}"), "ms", floor=()),
    Shape("stream-beside-calls", "Calls one at a time beside a stream of {stream_mib_s} MiB/s, "
          "{stream_mib} MiB in all, on the same connection",
          ("beside", "--bytes", "{stream_bytes}", "--rate", "{stream_rate}", *TIMED), "times"),
    Shape("bulk-beside-calls", "Calls one at a time beside a stream that goes as fast as it can, {stream_mib} MiB "
          "in all, on the same connection",
          ("beside", "--bytes", "{stream_bytes}", "--unlimited", *TIMED), "times"),
)}


@dataclass(frozen=True)
class ServerSpec:
    command: tuple
    url: str
    ready: str = r"listening on (\S+)"
    all_cores: bool = False      # not kept on one of its own


@dataclass(frozen=True)
class Aim:
    """How far a subject should get: a share of this floor's figure, a figure, a multiple of the
    floor's processor time."""
    floor: str = ""
    share: Optional[float] = None
    value: Optional[float] = None
    cpu: Optional[float] = None


@dataclass(frozen=True)
class Subject:
    name: str
    title: str
    shape: Shape
    client: tuple
    server: Optional[ServerSpec] = None
    floors: tuple = ()             # names; the first one is what the table compares with
    aims: tuple = ()
    how: str = "rate"              # a function of measure.py
    beside: tuple = ()             # a client that holds idle connections meanwhile
    once: bool = False             # too slow, or too steady, for every round
    is_seldom: bool = False        # in few rounds: it is slow, or is one of many sizes
    is_minor: bool = False         # not in a quick run, unless it is asked for
    is_ours: bool = False
    size: int = 0                  # how much there is of what grows
    most: dict = field(default_factory=dict, compare=False)   # what of Settings is less for it
    least: dict = field(default_factory=dict, compare=False)  # what is more

    @property
    def takes_long(self):
        """Connecting thousands of subscribers does, longer than what is measured then."""
        return self.shape.name == "events"

    @property
    def counts_syscalls(self):
        """Whether its server makes calls enough that those at its start do not matter."""
        return (self.server is not None and self.shape.words[:1] == ("calls",) and not self.beside
                and not self.shape.grows)

    @property
    def is_floor(self):
        return self.name.startswith("floor-")

    @property
    def lower_is_better(self):
        return self.shape.unit in ("KiB", "ms", "times")


# ---- the floor: over TCP with as many bytes as ours over ws or tcp, and over a Unix socket ----

FLOOR_URLS = {"ws": "tcp://127.0.0.1:0", "tcp": "tcp://127.0.0.1:0", "unix": "unix:{folder}/PORT"}


def _floor(scheme, shape, epoll=False):
    name = f"floor-{scheme}-{shape.name}" + ("-epoll" if epoll else "")
    sizes = "tcp" if scheme == "unix" else scheme
    words = [word % sizes if "%s" in word else word for word in shape.floor]
    about = "Raw " + ("Unix socket" if scheme == "unix" else "TCP")
    if scheme == "tcp":
        about += ", the bytes of tcp"
    if epoll:
        about += ", client in epoll"
    client = ("{bin}/floor_client", *shape.words, "{url}", *words, *(("--epoll",) if epoll else ()))
    return Subject(name, about, shape, client,
                   ServerSpec(("{bin}/floor_server", "{url}"), FLOOR_URLS[scheme]),
                   how=HOW.get(shape.name, "rate"), once=shape.name == "idle")


HOW = {"idle": "idle", "death": "death"}
WITHOUT_FLOOR = ("burn", "local", "start", "many", "stream-beside-calls", "bulk-beside-calls")


def _floors():
    for scheme in FLOOR_URLS:
        for shape in SHAPES.values():
            if shape.name in WITHOUT_FLOOR or shape.grows:
                continue
            yield _floor(scheme, shape)
            if shape.name in ("1", "64"):
                yield _floor(scheme, shape, epoll=True)
    yield Subject("floor-fiber", "Entering a pooled fiber", SHAPES["local"],
                  ("{bin}/local", "fibers", "-", *TIMED))
    yield Subject("floor-start", "An empty program", SHAPES["start"],
                  ("{bin}/start_time", "{bin}/empty"), once=True)


# ---- ours ----

NODE_URLS = {"ws": "ws://127.0.0.1:0", "tcp": "tcp://127.0.0.1:0", "unix": "unix:{folder}/PORT"}


def _node(scheme):
    return ServerSpec(("{bin}/node", "{url}"), NODE_URLS[scheme])


def _ours(name, title, scheme, shape, *more, floors=None, aims=(), program="client", **others):
    shape = SHAPES[shape]
    if floors is None:
        floors = (f"floor-{scheme}-{shape.name}",)
    aims = tuple(Aim(**{"floor": floors[0] if floors else "", **aim}) for aim in aims)
    return Subject(name, title, shape, ("{bin}/" + program, *shape.words, "{url}", *more),
                   _node(scheme), floors, aims, is_ours=True, **others)


def _each_transport():
    for scheme in NODE_URLS:
        floor = f"floor-{scheme}-"
        about = f"Netron over {scheme}"
        yield _ours(f"{scheme}-1", about, scheme, "1", floors=(floor + "1", floor + "1-epoll"),
                    aims=({"share": 0.88}, {"floor": floor + "1-epoll", "share": 0.95}))
        yield _ours(f"{scheme}-64", f"{about}, 64 fibers", scheme, "64",
                    floors=(floor + "64", floor + "64-epoll"), aims=({"share": 0.95, "cpu": 1.5},))
        yield _ours(f"{scheme}-64-one-write", f"{about}, 64 fibers, one write per batch", scheme, "64",
                    "--one-write", aims=({"share": 0.80, "cpu": 1.35},), is_minor=scheme != "ws")
        yield _ours(f"{scheme}-64-futures", f"{about}, 64 futures", scheme, "64", "--futures",
                    aims=({"share": 0.83, "cpu": 1.5},), is_minor=scheme != "ws")
        yield _ours(f"{scheme}-1024", f"{about}, 1024 fibers", scheme, "1024",
                    floors=(floor + "1024", floor + "64"), is_minor=scheme != "ws",
                    aims=({"floor": floor + "64", "share": 3.5},))


def _busy_poll():
    """Both ends look for 30 µs before they sleep."""
    for name, shape, words in (("ws-1-busy", "1", ()), ("ws-64-busy", "64", ())):
        subject = _ours(name, "Netron over ws, polling busily for 30 µs", "ws", shape, "--busy-poll", "30",
                        *words, is_minor=True)
        command = (*subject.server.command, "--busy-poll", "30")
        yield replace(subject, server=replace(subject.server, command=command))


def _ws_only():
    yield from _busy_poll()
    yield _ours("ws-1024-futures", "Netron over ws, 1024 futures", "ws", "1024", "--futures",
                floors=("floor-ws-1024", "floor-ws-64"), aims=({"floor": "floor-ws-64", "share": 3.5},))
    yield _ours("ws-64-later", "Netron over ws, handlers that suspend", "ws", "64", "--later",
                aims=({"share": 0.70, "cpu": 1.5},))
    yield _ours("ws-100x64", "Netron over ws, 6400 fibers", "ws", "100x64")
    yield _ours("ws-100x64-futures", "Netron over ws, 6400 futures", "ws", "100x64", "--futures")
    yield _ours("server-1", "Netron's server under a raw client", "ws", "1", program="raw_client",
                aims=({"share": 0.97},))
    yield _ours("server-64", "Netron's server under a raw client", "ws", "64", program="raw_client",
                aims=({"share": 0.90, "cpu": 1.35},))
    yield _ours("server-1024", "Netron's server under a raw client", "ws", "1024",
                program="raw_client", is_minor=True)
    yield from _burn()
    yield _ours("ws-stream", "Netron over ws", "ws", "stream", aims=({"value": 40e6},))
    yield _ours("tcp-stream", "Netron over tcp", "tcp", "stream", is_minor=True)
    yield _ours("ws-download", "Netron over ws", "ws", "download", aims=({"share": 0.85},))
    yield _ours("ws-upload", "Netron over ws", "ws", "upload", "--inflight", "16",
                aims=({"share": 0.85},))
    yield from _baseline()
    yield _ours("ws-events", "Netron over ws, where subscribers need not answer", "ws", "events", aims=())
    yield _ours("server-events", "Netron's server under raw subscribers", "ws", "events",
                program="raw_client", aims=({"share": 1 / 1.5},))
    yield _ours("ws-idle", "Netron over ws", "ws", "idle", how="idle", once=True,
                aims=({"value": 0.75},))
    yield _ours("ws-64-beside-idle", "Netron over ws, 64 fibers beside idle connections", "ws",
                "64", floors=("ws-64",), aims=({"share": 0.95},), once=True,
                beside=("{bin}/client", "idle", "{url}", "--connections", "{idle}"))


    yield _ours("death", "Netron over ws", "ws", "death", how="death")
    yield _ours("stream-beside-calls", "Netron over ws", "ws", "stream-beside-calls", how="latency",
                floors=(), once=True)
    yield _ours("bulk-beside-calls", "Netron over ws", "ws", "bulk-beside-calls", how="latency", floors=(),
                once=True)
    yield _ours("bulk-beside-urgent-calls", "Netron over ws, urgent calls", "ws", "bulk-beside-calls",
                "--urgent", how="latency", floors=(), once=True)


def _baseline():
    """Bulk between programs that mask without the vectors which a node looks for at run time."""
    node = ServerSpec(("{bin}/node_baseline", "{url}"), NODE_URLS["ws"])
    for shape, words, about in (("download", (), "nothing is masked this way"),
                                ("upload", ("--inflight", "16"), "no AVX2")):
        yield replace(_ours(f"baseline-{shape}", f"Netron over ws, baseline mask ({about})", "ws", shape,
                            *words, program="client_baseline", is_minor=True), server=node)


LOOPS = 2


def _burn():
    """One loop on one core; then two on both, for which the client competes. The second is compared with
    the first."""
    yield _ours("ws-burn", "Netron over ws, one loop", "ws", "burn", floors=())
    more = _ours(f"ws-burn-{LOOPS}", f"Netron over ws, {LOOPS} loops on all cores", "ws", "burn",
                 floors=("ws-burn",), aims=({"share": 1.85},))
    command = ("{bin}/node", "{url}", "--threads", str(LOOPS))
    yield replace(more, server=ServerSpec(command, NODE_URLS["ws"], all_cores=True))


# ---- growth: each size beside the smallest one of its kind ----

SIZES = {
    "services": (1, 100, 1000, 10000),
    "connections": (100, 1000, 10000),
    "inflight": (1, 10, 100, 1000, 10000, 100000),
    "suspended": (1, 10, 100, 1000, 8000),
}
HANDLERS_OF_A_PEER = 4000  # that may wait at a time


def _words_of_size(kind, size):
    """What the client is told."""
    if kind == "suspended":
        connections = -(-size // HANDLERS_OF_A_PEER)
        return ("--connections", str(connections), "--inflight", str(size // connections))
    return ("--" + kind, str(size))


def _growth():
    for kind, sizes in SIZES.items():
        for size in sizes:
            node = _node("ws")
            if kind == "services":
                node = replace(node, command=(*node.command, "--services", str(size)))
            is_first, is_last = size == sizes[0], size == sizes[-1]
            yield replace(_ours(f"ws-{kind}-{size}", "Netron over ws", "ws", kind, *_words_of_size(kind, size),
                                floors=() if is_first else (f"ws-{kind}-{sizes[0]}",),
                                is_minor=not is_last or kind == "connections", is_seldom=True),
                          size=size, server=node)


def _many():
    urls = tuple(f"ws://127.0.0.{number}:PORT" for number in range(1, 1 + ADDRESSES))
    one = _ours("many", "Netron over ws", "ws", "many", floors=("ws-connections-1000",), how="many",
                once=True, is_minor=True)
    yield replace(one, server=ServerSpec(("{bin}/node", *urls), urls[0]))


ADDRESSES = 5  # that `many` listens on: between two of them there are not ports enough


def _in_process():
    shape = SHAPES["64"]
    yield Subject("memory-64", "Netron over memory, one process, one core", shape,
                  ("{bin}/client", "calls", "--inflight", "64", "--calls", "{memory_calls}",
                   "memory://bench"), floors=("floor-ws-64",), is_ours=True)
    yield Subject("local", "Netron, a service of this node", SHAPES["local"],
                  ("{bin}/local", "calls", "-", *TIMED), floors=("floor-fiber",),
                  aims=(Aim("floor-fiber", share=0.2),), is_ours=True)
    yield Subject("start", "A Netron node", SHAPES["start"],
                  ("{bin}/start_time", "{bin}/node", "ws://127.0.0.1:0"), floors=("floor-start",),
                  aims=(Aim("floor-start", share=1 / 3),), once=True, is_ours=True)


def ours():
    return [*_each_transport(), *_ws_only(), *_many(), *_growth(), *_in_process()]


def floors():
    return {subject.name: subject for subject in _floors()}
