"""The node under attack: a process, its memory, and a verdict at its end."""

import os
import signal
import subprocess
import tempfile
import threading

import link

START_SECONDS = 60
STOP_SECONDS = 60
SIGNS = (b"AddressSanitizer", b"LeakSanitizer", b"runtime error:", b"UndefinedBehaviorSanitizer",
         b": not so:")


def is_sanitized(binary):
    folder = os.path.dirname(binary)
    for _ in range(4):
        for name in (binary, os.path.join(folder, "libnetron.so")):
            if os.path.exists(name):
                with open(name, "rb") as file:
                    if b"__asan_init" in file.read():
                        return True
        folder = os.path.dirname(folder)
    return False


class Node:
    def __init__(self, binary, options=None, dial=None):
        self.binary, self.is_asan = binary, is_sanitized(binary)
        self.folder = tempfile.TemporaryDirectory(prefix="netron-hostile-")
        self.errors = tempfile.TemporaryFile()
        self.urls, self.lines = {}, []
        command = [binary]
        for name, value in (options or {}).items():
            command += [f"--{name}", str(value)]
        if dial is not None:
            command += ["--dial", dial]
        else:
            for url in ("ws://127.0.0.1:0", "tcp://127.0.0.1:0", f"unix:{self.folder.name}/n.sock"):
                command += ["--listen", url]
        env = dict(os.environ)
        # A small quarantine, or memory that was freed looks like memory that is held.
        env["ASAN_OPTIONS"] = "detect_leaks=1:quarantine_size_mb=8:detect_stack_use_after_return=0"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        env["MALLOC_ARENA_MAX"] = "1"
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors,
                                        stdin=subprocess.DEVNULL, env=env)
        if dial is None:
            self.await_ready()

    def await_ready(self):
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            words = line.decode().split()
            if words[:2] == ["listening", "on"]:
                self.urls[words[2].split(":")[0]] = words[2]
            if words == ["ready"]:
                watchdog.cancel()
                return
        watchdog.cancel()
        raise link.Failure(f"the node did not start: {self.said()}")

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def status(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def memory(self):
        """MiB now."""
        return self.status("VmRSS")

    def start_peak(self):
        """Forget the highest memory so far. Returns the memory now."""
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        return self.memory()

    def peak(self):
        return self.status("VmHWM")

    def check(self):
        """Alive, and no sanitizer has spoken."""
        if self.process.poll() is not None:
            raise link.Failure(f"the node is gone, status {self.process.returncode}:\n{self.tail()}")
        self.check_output()

    def check_output(self):
        self.errors.seek(0)
        text = self.errors.read()
        for sign in SIGNS:
            if sign in text:
                raise link.Failure(f"{sign.decode()} in the node's output:\n{self.tail()}")

    def tail(self, lines=60):
        return "\n".join(self.said().splitlines()[-lines:])

    def stop(self):
        """SIGTERM; it has to end in order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.finish(STOP_SECONDS)
        if self.process.returncode != 0:
            raise link.Failure(f"the node ended with {self.process.returncode}:\n{self.tail()}")

    def finish(self, seconds):
        try:
            output, _ = self.process.communicate(timeout=seconds)
            self.lines = output.decode(errors="replace").splitlines()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise link.Failure(f"the node did not end in {seconds} s:\n{self.tail()}") from None

    def discard(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.errors.close()
        self.folder.cleanup()
