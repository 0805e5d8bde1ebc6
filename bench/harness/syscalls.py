"""System calls of a server per call, counted by strace in a short run of its own."""
import contextlib
import dataclasses
import re
import shutil
import signal
import subprocess
import tempfile
import time

from .measure import Bench, read_result
from .process import Failed, run_client, stop

SECONDS = 0.2
ATTACH_SECONDS = 5


def why_not():
    """Why nothing can be counted here, or nothing."""
    return "" if shutil.which("strace") else "strace is not installed (apt-get install strace)"


@contextlib.contextmanager
def counting(pids, file):
    """strace on processes that run already, so that their start is not counted."""
    attach = [word for pid in pids for word in ("-p", str(pid))]
    strace = subprocess.Popen(["strace", "-c", "-f", *attach, "-o", file.name],
                              stderr=subprocess.PIPE, text=True)
    try:
        if not all(map(_is_traced, pids)):
            strace.kill()
            raise Failed(f"strace cannot attach: {strace.communicate()[1].strip()}")
        yield
        strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=ATTACH_SECONDS)
    finally:
        stop(strace)
        strace.stderr.close()


def _is_traced(pid):
    deadline = time.monotonic() + ATTACH_SECONDS
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            if not re.search(r"TracerPid:\s*0$", file.read(), re.M):
                return True
        time.sleep(0.01)
    return False


def total(summary):
    """The sum of what `strace -c` has counted: % time, seconds, usecs/call, calls, errors, name."""
    counts = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s(?!.*\btotal$)", summary, re.M)
    if not counts:
        raise Failed("strace has counted nothing")
    return sum(map(int, counts))


def per_call(bench, subject):
    """System calls of the subject's server per call."""
    short = Bench(dataclasses.replace(bench.settings, seconds=SECONDS, warm_up=0), bench.places["bin"],
                  bench.places["folder"], bench.sizes)
    with short.serve(subject) as server, tempfile.NamedTemporaryFile("r") as file:
        with counting(server.pids(), file):
            printed, _ = run_client(short.client(subject, server), short.limit())
        return total(file.read()) / read_result(printed)["total"]
