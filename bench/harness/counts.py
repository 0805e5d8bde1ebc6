"""What a server does for a call, counted by valgrind: instructions, system calls, allocations.

No clock is in it, so the figures are the same on a busy machine. The server runs under callgrind, which
also lists its system calls; the client does not. Each figure is the difference between two runs, one of
which makes twice as many calls, per call: what start and end cost is in both.
"""
import collections
import dataclasses
import os
import pathlib
import re
import shutil
import tempfile

from .process import Failed, Server, run_client

URL = "ws://127.0.0.1:0"
CALLS = 3200  # in the shorter run
CLIENT_SECONDS = 120

ALLOCATING = {"malloc", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign", "mmap"}
# Functions of the vDSO: system calls under valgrind only.
OF_THE_VDSO = {"clock_gettime", "gettimeofday", "time", "getcpu"}


@dataclasses.dataclass
class Counts:
    functions: collections.Counter     # instructions of each
    system_calls: collections.Counter  # by name
    allocations: int                   # calls of what allocates

    @property
    def instructions(self):
        return sum(self.functions.values())


@dataclasses.dataclass
class PerCall:
    instructions: float
    system_calls: float
    allocations: float
    functions: list  # (instructions, name), the dearest first


def why_not():
    """Why nothing can be counted here, or nothing."""
    return "" if shutil.which("valgrind") else "valgrind is not installed (apt-get install valgrind)"


def per_call(programs, inflight, server="node"):
    """Of a server in the folder `programs`, when so many calls at a time come in one piece."""
    reason = why_not()
    if reason:
        raise Failed(reason)
    short, long = (_run(programs, inflight, server, times * CALLS) for times in (1, 2))
    of_functions = ((_difference(short.functions[name], count), name)
                    for name, count in long.functions.items())
    return PerCall(
        instructions=_difference(short.instructions, long.instructions),
        system_calls=_difference(*(sum(run.system_calls.values()) for run in (short, long))),
        allocations=_difference(short.allocations, long.allocations),
        functions=sorted(of_functions, reverse=True))


def _difference(short, long):
    return (long - short) / CALLS


def _run(programs, inflight, server, calls):
    with tempfile.TemporaryDirectory(prefix="netron-counts-") as folder:
        profile, trace = pathlib.Path(folder, "profile"), pathlib.Path(folder, "trace")
        command = ["valgrind", "--tool=callgrind", "--compress-strings=no", "--trace-syscalls=yes",
                   f"--callgrind-out-file={profile}", f"--log-file={trace}", f"{programs}/{server}", URL]
        with Server(command, URL) as running:
            run_client([f"{programs}/raw_client", "calls", running.url, "--batches", "--inflight",
                        str(inflight), "--calls", str(calls)], CLIENT_SECONDS)
        if not profile.exists():
            raise Failed(f"valgrind has written no profile: {_tail(trace)}")
        functions, allocations = read_profile(profile.read_text(encoding="utf-8", errors="replace"))
        return Counts(functions, read_trace(trace.read_text(encoding="utf-8", errors="replace")), allocations)


def _tail(trace):
    return "\n".join(trace.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def read_profile(text):
    """(Instructions of each function, calls of those that allocate) from what callgrind writes.

    A line `fn=` names the function that the lines of costs after it belong to. The line after `calls=` is
    the cost of what is called, which has lines of its own.
    """
    functions, allocations = collections.Counter(), 0
    library = function = called = ""
    is_inclusive = False
    for line in text.splitlines():
        if line.startswith("ob="):
            library = os.path.basename(line[3:])
        elif line.startswith("fn="):
            function = f"{library} {line[3:]}" if line.startswith("fn=0x") else line[3:]
        elif line.startswith("cfn="):
            called = line[4:]
        elif line.startswith("calls="):
            is_inclusive = True
            if called in ALLOCATING:
                allocations += int(line[6:].split()[0])
        elif re.match(r"[-+*\d]", line):
            if not is_inclusive:
                functions[function] += int(line.split()[1])
            is_inclusive = False
    total = re.search(r"^totals: (\d+)", text, re.M)
    if not total or int(total.group(1)) != sum(functions.values()):
        raise Failed("callgrind's profile cannot be read: its parts do not add up")
    return functions, allocations


def read_trace(text):
    """System calls by name, from --trace-syscalls=yes. A call that may block has a second line."""
    names = re.findall(r"^SYSCALL\[\d+,\d+\]\( *\d+\) (?:sys_)?(\w+)", text, re.M)
    if not names:
        raise Failed("valgrind has listed no system calls")
    return collections.Counter(name for name in names if name not in OF_THE_VDSO)
