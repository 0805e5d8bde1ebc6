#!/usr/bin/env python3
"""Do what a document says: run its command blocks and compare what they print.

usage: check_blocks.py BUILD-FOLDER DOCUMENT...

In a document a block
    ```sh         is run, in order, from a folder that looks like the source tree, with netron
                  installed (netron, pkg-config) and the demo node listening;
    ```text       right after it is what it prints, on both outputs; "..." or "…" stands for any text,
                  alone on a line for any lines. Without such a block every command must succeed;
    ```c, ```cpp, ```cmake ... whose first line is a comment with a file's name is written to that file.
Port 7070 means the demo node's and 7071 to 7079 free ones: real ports are filled in. The line ./run means
that demo node, and ./check the very run that this is part of. Programs that a block leaves running in the
background are ended with the document. A comment above a block changes what is done with it:
    <!-- blocks: background -->     start it, let it run until the document ends
    <!-- blocks: skip, WHY -->      do not run it
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>[a-z+]*)[^\n`]*\n(?P<body>.*?)^(?P=indent)```", re.M | re.S)
FILE_NAME = re.compile(r"^\s*(?:/\*|//|#|--)\s*([\w./-]+\.\w+)\b")
DIRECTIVE = re.compile(r"<!-- blocks: (.*?) -->\s*$")
UNDER_WAY = re.compile(r"^[ \t]*\./(run|check)( --long)?[ \t]*(#.*)?$", re.M)
BLOCK_SECONDS = 100


class Failed(Exception):
    pass


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def blocks(text):
    """(line number, kind, body, directive) of every fenced block."""
    for match in FENCE.finditer(text):
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.M)
        directive = DIRECTIVE.search(text, 0, match.start())
        yield (text.count("\n", 0, match.start()) + 1, match["kind"], body,
               directive.group(1) if directive else "")


def pattern(expected):
    """What a text block means, as a regular expression."""
    lines = []
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() in ("...", "…"):
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(re.sub(r"(\\\.){3}|…", ".*", re.escape(line.rstrip())) + r"\s*?\n")
    return re.compile("".join(lines) + r"\Z")


class Document:
    """One document and the place where its blocks run."""

    def __init__(self, path, build):
        self.path, self.build = path, build
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="netron-docs-"))
        self.running = []

    def __enter__(self):
        tree = self.folder / "tree"
        tree.mkdir()
        for entry in ROOT.iterdir():
            if entry.name not in ("build", ".git"):
                (tree / entry.name).symlink_to(entry)
        (tree / "build").mkdir()
        (tree / "build" / "release").symlink_to(self.build)
        self.tree = tree
        prefix = self.folder / "prefix"
        subprocess.run(["cmake", "--install", self.build, "--prefix", prefix], check=True,
                       stdout=subprocess.DEVNULL)
        library = next(prefix.rglob("libnetron.*")).parent
        self.environment = {
            **os.environ,
            "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}",
            "PKG_CONFIG_PATH": str(library / "pkgconfig"),
            "LD_LIBRARY_PATH": str(library),
            "TMPDIR": str(self.folder),
            "NETRON_BUILD": str(self.build),
        }
        self.start_node()
        return self

    def start_node(self):
        node = self.spawn(["./run", "--port", "0"], stdout=subprocess.PIPE)
        found = re.search(r"ws://[\d.]+:(\d+)", node.stdout.readline())
        if not found:
            raise Failed("the demo node does not start")
        port = found.group(1)
        self.ports = {"7070": port}
        for number, other in enumerate(free_ports(9), 7071):
            self.ports[str(number)] = str(other)
        self.environment["PORT"] = port

    def spawn(self, command, **options):
        process = subprocess.Popen(command, cwd=self.tree, env=self.environment, text=True,
                                   stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.running.append(process)
        return process

    def __exit__(self, *_):
        for process in self.running:
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        time.sleep(0.1)
        for process in self.running:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill_in(self, text):
        text = UNDER_WAY.sub(":", text)
        return re.sub(r"\b707\d\b", lambda match: self.ports[match.group()], text)

    def write(self, name, body):
        """A file of the document's own; where it hides one of the tree, that stays as it is."""
        path = self.tree / name
        folder = self.tree
        for part in pathlib.Path(name).parts[:-1]:
            folder = folder / part
            if folder.is_symlink():
                target = folder.resolve()
                folder.unlink()
                shutil.copytree(target, folder)
            folder.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(self.fill_in(body))

    def run(self, body, expected):
        options = "-euo pipefail" if expected is None else "-uo pipefail"
        script = f"set {options}\n{self.fill_in(body)}"
        with tempfile.TemporaryFile("w+", dir=self.folder) as output:
            process = self.spawn(["bash", "-c", script], stdout=output, stderr=subprocess.STDOUT)
            try:
                code = process.wait(BLOCK_SECONDS)
            except subprocess.TimeoutExpired:
                code = None
            output.seek(0)
            printed = output.read()
        if code is None:
            raise Failed(f"still running after {BLOCK_SECONDS} s; it printed\n{printed}")
        if expected is None and code != 0:
            raise Failed(f"exit code {code}; it printed\n{printed}")
        if expected is not None and not pattern(self.fill_in(expected)).match(printed.rstrip("\n") + "\n"):
            raise Failed(f"it should print\n{expected}\nbut printed\n{printed}")

    def start(self, body):
        process = self.spawn(["bash", "-c", f"set -euo pipefail\n{self.fill_in(body)}"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if not process.stdout.readline():  # its first line means that it is ready
            raise Failed("it ended and printed nothing")

    def check(self):
        """Run all blocks. Returns how many."""
        found = list(blocks(self.path.read_text()))
        count = 0
        for index, (line, kind, body, directive) in enumerate(found):
            following = found[index + 1] if index + 1 < len(found) else None
            try:
                if directive.startswith("skip"):
                    print(f"{self.path.name}:{line}: not run: {directive[4:].strip(', ')}")
                elif kind == "sh" and directive == "background":
                    self.start(body)
                    count += 1
                elif kind == "sh":
                    is_text = following and following[1] == "text" and self.adjoins(line, body, following[0])
                    self.run(body, following[2] if is_text else None)
                    count += 1
                elif kind not in ("text", "") and (name := FILE_NAME.match(body)):
                    self.write(name.group(1), body)
            except Failed as why:
                raise Failed(f"{self.path.relative_to(ROOT)}:{line}: {why}") from None
        return count

    def adjoins(self, line, body, next_line):
        """The text block belongs to the one above it: at most one sentence stands between."""
        return next_line - (line + body.count("\n") + 2) <= 3


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    failed = False
    for name in sys.argv[2:]:
        path = ROOT / name
        try:
            if not any(kind == "sh" for _, kind, _, _ in blocks(path.read_text())):
                print(f"{name}: no commands")
                continue
            with Document(path, build) as document:
                print(f"{name}: {document.check()} blocks run")
        except Failed as why:
            print(why)
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
