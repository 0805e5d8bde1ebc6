"""The machine: what it is, and who else uses it while something is measured."""
import contextlib
import glob
import os
import platform
import re
import subprocess
import tempfile
import time

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal


def busy_seconds():
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()[1:]
    return sum(int(fields[i]) for i in BUSY) * TICK_SECONDS


def kernel_seconds():
    """ksoftirqd works for whoever uses the loopback: that is us."""
    total = 0
    for pid in _softirq_pids():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def _softirq_pids(cache=[]):  # pylint: disable=dangerous-default-value
    if not cache:
        for path in glob.glob("/proc/[0-9]*/comm"):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
                if file.read().startswith("ksoftirqd"):
                    cache.append(path.split("/")[2])
    return cache


class Watch:
    """How much of the processors other programs used while something ran."""

    def __init__(self):
        self.began = self._now()

    @staticmethod
    def _now():
        return time.monotonic(), busy_seconds() - kernel_seconds() - time.process_time()

    def others(self, ours):
        """In cores. `ours`: seconds of processor time of the programs under test."""
        (began, used_then), (ended, used_now) = self.began, self._now()
        return max(0.0, used_now - used_then - ours) / max(ended - began, TICK_SECONDS)


# ---- who and what ----

def _first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), "")


def _processor():
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
        if found:
            return found.group(1)
    return platform.machine()


def describe():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": f"{memory:.1f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "distribution": _distribution(),
        "is_virtual": "hypervisor" in open("/proc/cpuinfo", encoding="utf-8").read(),
    }


def _distribution():
    with contextlib.suppress(OSError), open("/etc/os-release", encoding="utf-8") as file:
        found = re.search(r'PRETTY_NAME="(.*)"', file.read())
        if found:
            return found.group(1)
    return ""


def versions(root):
    """Of what was built, and by what."""
    revision = _first_line(["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"])
    header = (root / "include/netron/version.h").read_text(encoding="utf-8")
    return {
        "netron": re.search(r'VERSION_STRING "(.*)"', header).group(1) + (f" ({revision})" if revision else ""),
        "compiler": _first_line(["cc", "--version"]),
        "libuv": _first_line(["pkg-config", "--modversion", "libuv"]),
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
    }


def stripped_kib(path):
    """The size of a library or program without its symbols."""
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "-o", copy.name, path], check=True, capture_output=True)
        return os.path.getsize(copy.name) / 1024
