"""Servers and clients: start them where they belong, watch what they cost, end them in every case."""
import contextlib
import ctypes
import glob
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time

START_SECONDS = 20
STOP_SECONDS = 5
FILES = 65536
SERVER_CORE, CLIENT_CORE = 0, 1
PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """A run that came to nothing; the text says why."""


def cores():
    return len(os.sched_getaffinity(0))


def pinned(command, core):
    """The command, kept on one core where there are several."""
    if cores() < 2 or shutil.which("taskset") is None:
        return list(command)
    return ["taskset", "-c", str(core), *command]


def raise_files():
    """What starts from here may open as many files as the most connections need: peers do not ask for
    more themselves."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FILES) if most >= 0 else FILES, most))


def die_with_parent():
    """Nothing is left behind even when this program is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def tail(file, lines=5):
    file.seek(0)
    text = file.read().decode(errors="replace").strip()
    return "\n".join(text.splitlines()[-lines:])


def spawn(command, core, **pipes):
    """`core`: None for all of them."""
    words = list(command) if core is None else pinned(command, core)
    try:
        return subprocess.Popen(words, preexec_fn=die_with_parent, **pipes)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(pid):
    """The process and all that it has started, as far as they still run."""
    pids = [pid]
    for parent in pids:  # grows meanwhile
        for path in glob.glob(f"/proc/{parent}/task/*/children"):
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                pids += map(int, file.read().split())
    return pids


class Server:
    """A server that has said that it listens: `ready` is what it prints then, with its real address
    as the first group if that is not `url`."""

    def __init__(self, command, url, ready=r"listening on (\S+)", core=SERVER_CORE):
        self.command = command
        self.url = url
        self.core = core
        self.ready = re.compile(ready)

    def __enter__(self):
        self.errors = tempfile.TemporaryFile()
        self.process = spawn(self.command, self.core, stdout=subprocess.PIPE, stderr=self.errors)
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stdout.close()
        self.errors.close()

    def _wait_until_ready(self):
        text, deadline = "", time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                more = os.read(self.process.stdout.fileno(), 65536).decode(errors="replace")
                if more == "":
                    raise Failed(f"{self.command[0]} ended at its start: {tail(self.errors)}")
                text += more
            found = self.ready.search(text)
            if found and text.endswith("\n"):
                self.url = found.group(1) if found.groups() else self.url
                return
        raise Failed(f"{self.command[0]} does not listen after {START_SECONDS} s: {tail(self.errors)}")

    @property
    def pid(self):
        return self.process.pid

    def pids(self):
        """Of it and of the programs that it has started."""
        return family(self.pid)

    def cpu_ns(self):
        """Processor time of all their threads."""
        total = 0
        for path in (path for pid in self.pids() for path in glob.glob(f"/proc/{pid}/task/*/schedstat")):
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total

    def resident_bytes(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                total += int(file.read().split()[1])
        return total * os.sysconf("SC_PAGE_SIZE")

    def why(self):
        """What there is to say of a server when its client failed."""
        code = self.process.poll()
        said = tail(self.errors)
        if code is None:
            return said
        return f"the server has died ({describe_exit(code)}) {said}".strip()


def describe_exit(code):
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def run_client(command, timeout):
    """Run a client to its end: (what it printed, seconds of processor time)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = spawn(command, CLIENT_CORE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE)
    try:
        printed, errors = client.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} was not done after {timeout:.0f} s") from error
    finally:
        stop(client)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if client.returncode != 0:
        said = errors.decode(errors="replace").strip()
        raise Failed(f"{os.path.basename(command[0])}: {describe_exit(client.returncode)}: {said}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return printed.decode(errors="replace"), cpu


class Holder:
    """A client that holds connections: it tells how many on a line, and goes on when told so."""

    def __init__(self, command):
        self.command = command
        self.told = {}

    def __enter__(self):
        self.errors = tempfile.TemporaryFile()
        self.process = spawn(self.command, CLIENT_CORE, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=self.errors)
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

    def wait(self):
        """Wait until it holds; the number of connections. `told` has all it said so far."""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise Failed(f"{os.path.basename(self.command[0])}: {tail(self.errors)}")
            said = json.loads(line)
            self.told.setdefault("steps", []).append(said)
            if "connections" in said:
                return said["connections"]

    def go_on(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def rest(self):
        """What it prints from now to its end."""
        printed = self.process.stdout.read().decode(errors="replace")
        if self.process.wait() != 0:
            raise Failed(f"{os.path.basename(self.command[0])}: {self.said()}")
        return printed

    def said(self):
        """On standard error."""
        return tail(self.errors)
