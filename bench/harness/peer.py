"""Peers: what a user would pick instead. Each is a folder bench/peers/NAME with a peer.py that makes
one Peer named PEER. A peer whose packages are not installed is reported, with their names."""
import contextlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import threading
from dataclasses import dataclass, field

from .process import Failed
from .subjects import SHAPES, ServerSpec, Subject

PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
BENCH = PEERS.parent


@dataclass(frozen=True, eq=False)
class Peer:
    """One of them. Its client takes the options of measure.h and prints what bench_print() does; its
    server prints "listening on URL". Words of commands may hold {here}, its folder; {out}, where it
    is built; {bench}, the folder bench/; those of server and client also {url}; PORT is a free port."""
    name: str
    title: str
    packages: tuple         # Debian packages
    client: tuple
    server: tuple
    url: str
    ready: str = r"listening on (\S+)"
    programs: tuple = ()    # that must be there
    headers: tuple = ()     # that must be there
    build: tuple = ()       # commands
    shapes: tuple = ("1", "64", "1024", "100x64")
    minor: tuple = ()       # shapes that are not in a quick run
    more: dict = field(default_factory=dict)  # shape -> words that its client takes besides
    most: dict = field(default_factory=dict)  # placeholder -> at most so many of them, where it would be
                                              # slow, or fail, otherwise: items, bytes, idle, subscribers
    least: dict = field(default_factory=dict)  # placeholder -> at least so much of it: warm_up
    is_slow: bool = False   # few rounds are enough: it takes long, and is far from the floor
    version: tuple = ()     # a command that prints it
    note: str = ""          # what it does differently

    def missing(self):
        """What is not installed, or nothing."""
        absent = [name for name in self.programs if shutil.which(name) is None]
        return absent + [name for name in self.headers if not _has_header(name)]

    def make(self, out):
        """Build it, unless that was done after the last change."""
        folder = PEERS_BY_NAME[self.name]
        done = out / self.name / "built"
        if not self.build:
            return
        sources = [*folder.rglob("*"), *folder.parent.glob("*.*"), *BENCH.glob("*.[ch]")]
        newest = max(path.stat().st_mtime for path in sources if "__pycache__" not in path.parts)
        if done.exists() and done.stat().st_mtime > newest:
            return
        done.parent.mkdir(parents=True, exist_ok=True)
        for command in self.build:
            words = [self.fill(word, out) for word in command]
            built = subprocess.run(words, capture_output=True, text=True, cwd=done.parent, check=False)
            if built.returncode != 0:
                raise Failed(f"{self.title} cannot be built:\n{built.stderr[-2000:]}")
        done.touch()

    def fill(self, word, out):
        places = {"here": PEERS_BY_NAME[self.name], "out": out / self.name, "bench": BENCH}
        for name, path in places.items():
            word = word.replace("{" + name + "}", str(path))
        return word

    def subjects(self, out):
        def fill(words):
            return tuple(self.fill(word, out) for word in words)
        for name in self.shapes:
            shape = SHAPES[name]
            words = fill((*self.client, *shape.words, *self.more.get(name, ()), "{url}"))
            yield Subject(f"{self.name}-{name}", self.title, shape, words,
                          ServerSpec(fill(self.server), self.url, self.ready), (f"floor-ws-{name}",),
                          how="idle" if name == "idle" else "rate", once=name == "idle",
                          is_minor=name in self.minor, is_seldom=self.is_slow, most=self.most,
                          least=self.least)


PEERS_BY_NAME = {}


def _has_header(name):
    test = f"#if !__has_include(<{name}>)\n#error\n#endif\n"
    return subprocess.run(["cc", "-E", "-x", "c", "-"], input=test, text=True, capture_output=True,
                          check=False).returncode == 0


BUILT_AT_A_TIME = 2


def make_all(peers, out):
    """Build them; (peer, why it cannot be had or nothing) of each.

    By plain threads: concurrent.futures brings logging along, whose hooks around fork() swallow the
    interrupt that is to end a run."""
    waiting, made = list(reversed(peers)), {}

    def make_some():
        while waiting:
            with contextlib.suppress(IndexError):  # the other one was faster
                one = waiting.pop()
                made[one.name] = _make(one, out)
    builders = [threading.Thread(target=make_some, daemon=True) for _ in range(BUILT_AT_A_TIME)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    return [(one, made[one.name]) for one in peers]


def _make(one, out):
    """Why it cannot be had, or nothing."""
    try:
        one.make(out)
    except (Failed, OSError) as error:
        return str(error)
    return ""


def versions(peers, out):
    """What each peer says its version is."""
    found = {}
    for peer in peers:
        command = [peer.fill(word, out) for word in peer.version or ("true",)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found[peer.name] = next(iter((done.stdout + done.stderr).strip().splitlines()), "")
    return found


def load(folders=(PEERS,)):
    """All peers, in the order of their names."""
    peers = []
    for path in sorted(path for folder in folders for path in pathlib.Path(folder).glob("*/peer.py")):
        spec = importlib.util.spec_from_file_location(f"peer_{path.parent.name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        PEERS_BY_NAME[module.PEER.name] = path.parent
        peers.append(module.PEER)
    return peers


def install(peers):
    """With apt, what the peers need."""
    packages = sorted({package for peer in peers if peer.missing() for package in peer.packages})
    if not packages:
        print("All peers are installed.")
        return
    if shutil.which("apt-get") is None:
        raise Failed("apt-get is not there; install what these packages hold: " + " ".join(packages))
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    print("Installing with apt:", *packages, flush=True)
    command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y",
               "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends", *packages]
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise Failed("apt-get failed; run `apt-get update` and try again")
