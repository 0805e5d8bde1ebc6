#!/usr/bin/env python3
"""netron top, as a user sees it: snapshots, JSON, and the screen of a terminal.

    top_test.py --netron build/release/netron [--include include] [unittest args]

How busy a node is, is asserted only of what the test has made it do. A screen is read until it shows
what is waited for.
"""
import errno
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import unittest

import cli_test
from base_node import Failure
from cli_test import PATIENCE, Node, environment, module, netron

QUICK = ("--interval", "100ms")
FIGURES = ("callsServed", "callsMade", "callsRunning", "callsPending", "streams", "bytesIn", "bytesOut",
           "bytesQueued")
CODE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")

node = None


def setUpModule():
    global node
    cli_test.setUpModule()
    node = Node("serve", "--load", module("streams.c"), "--load", module("demo.c"), "--id", "node-1")


def tearDownModule():
    assert node.stop() == 0, node.err
    cli_test.tearDownModule()


class Case(cli_test.Case):
    def snapshot(self, *words, url=None, **how):
        result = netron("top", url or node.url, *QUICK, *words, **how)
        self.assertEqual((result.code, result.err), (0, ""))
        return result.out

    def samples(self, *words, **how):
        return [json.loads(line) for line in self.snapshot("--json", *words, **how).splitlines()]

    def hold(self):
        """A call that runs and a stream that is open, until the end of the test."""
        before = int(netron("get", node.url, "streams", "taken").out)
        process = subprocess.Popen([cli_test.options.netron, "call", node.url, "streams", "hold",
                                    "--input", "/dev/zero"], env=environment())

        def end():
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=PATIENCE), 130)
        self.addCleanup(end)
        while int(netron("get", node.url, "streams", "taken").out) == before:
            pass


class Snapshots(Case):
    def test_what_it_looks_like(self):
        lines = self.snapshot("--once").splitlines()
        self.assertRegex(lines[0], r"\Anode-1  up \d+\w+  ws://127\.0\.0\.1:\d+\Z")
        self.assertRegex(lines[1], r"\Acalls +\S+/s served +0/s made +0/s failed +0 running +0 pending\Z")
        self.assertRegex(lines[2], r"\Abytes +\S+ \w+/s in +\S+ \w+/s out +\d+ B queued  packets \S+/s in, ")
        self.assertRegex(lines[3], r"\Ahas   1 peers, 2 services, 0 streams, 0 subscriptions, 0 references, \d+ fibers \(peak \d+\)\Z")
        self.assertEqual(lines[4], "")
        self.assertEqual(lines[5].split(), ["PEER", "ADDRESS", "AGE", "CALLS/S", "RUN", "STREAMS",
                                            "IN/S", "OUT/S", "QUEUED", "CALLS", "BYTES"])
        self.assertRegex(lines[6], r"\A\(netron top\) +<127\.0\.0\.1:\d+ +\d+s +\S+ +0 +0 +\S+ \w+ +\S+ \w+ +\d+ B +\d+ +\S+ KiB\Z")
        self.assertEqual(len(lines), 7)
        self.assertEqual(len({len(line) for line in lines[5:]}), 1, "columns are aligned")

    def test_one_unless_told(self):
        self.assertEqual(self.snapshot().count("PEER"), 1)
        self.assertEqual(self.snapshot("--count", "3").count("\n\nPEER"), 3)
        self.assertEqual(len(self.samples("-n", "2")), 2)

    def test_no_codes_for_terminals(self):
        self.assertNotIn("\033", self.snapshot("-n2"))

    def test_json(self):
        sample, = self.samples()
        self.assertEqual(list(sample), ["at", "node", "perSecond", "peers"])
        self.assertRegex(sample["at"], r"\A\d{4}-\d\d-\d\dT[0-9:.]+Z\Z")
        self.assertEqual(sample["node"]["id"], "node-1")
        self.assertGreater(sample["perSecond"]["callsServed"], 0)  # those of netron top itself
        self.assertEqual(sample["perSecond"]["callsMade"], 0)
        row, = sample["peers"]
        for name in FIGURES:
            self.assertIsInstance(row[name], int, name)
        self.assertGreater(row["perSecond"]["calls"], 0)
        self.assertGreater(row["perSecond"]["bytesOut"], row["perSecond"]["bytesIn"])

    def test_what_runs_is_told(self):
        self.hold()
        sample, = self.samples()
        self.assertEqual([row["callsRunning"] for row in sample["peers"]].count(1), 1)
        self.assertEqual(sum(row["streams"] for row in sample["peers"]), 1)
        self.assertEqual(sample["node"]["streams"], 1)
        self.assertRegex(self.snapshot(), r"(?m)^calls .* 1 running +0 pending$")

    def test_order(self):
        process = subprocess.Popen([cli_test.options.netron, "on", node.url, "demo", "touched"],
                                   env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.send_signal, signal.SIGINT)
        self.assertIn(b"listening", process.stderr.readline())
        for how in ("calls", "bytes"):  # it is silent, netron top asks
            rows = self.snapshot("--sort", how).splitlines()[6:]
            self.assertEqual(len(rows), 2)
            self.assertTrue(rows[0].startswith("(netron top) "), how)
        names = [row["id"] for row in self.samples("--sort", "name")[0]["peers"]]
        self.assertEqual(names, sorted(names))

    def test_connections_of_several_loops_have_figures(self):
        other = Node("run", str(cli_test.HERE / "demo.c"), "--threads", "3")
        watchers = [cli_test.Watcher(other.url, "demo", "touched") for _ in range(3)]
        sample, = self.samples(url=other.url)
        self.assertEqual(len(sample["peers"]), 4)
        for row in sample["peers"]:
            self.assertGreater(row["bytesIn"], 50, row)
            self.assertGreater(row["callsServed"], 0, row)
        for watcher in watchers:
            watcher.process.send_signal(signal.SIGINT)
            watcher.end()
        self.assertEqual(other.stop(), 0)

    def test_options_that_make_no_sense(self):
        for words, says in ((["--sort", "age"], "'age' is not one of calls, bytes, name"),
                            (["--interval", "99ms"], "--interval: at least 100ms"),
                            (["--once", "--count", "2"], "--once and --count 2 do not go together"),
                            (["--count", "0"], "'0' is not a whole number")):
            self.assertIn(says, self.fails(2, "top", node.url, *words))

    def test_an_existing_node_cannot_tell(self):
        err = self.fails(1, "top", cli_test.base.url)
        self.assertRegex(err, r"\Anetron: 501 .*: this node cannot tell what it does\n\Z")

    def test_an_interrupt_ends_it(self):
        process = subprocess.Popen([cli_test.options.netron, "top", node.url, "-n", "9999", *QUICK],
                                   env=environment(), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertIn("node-1", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, err), (130, ""))

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            result = netron("top", node.url, *QUICK, "-n", "9999", stdout=full)
        self.assertEqual(result.code, 1)
        self.assertIn("cannot write the output: No space left", result.err)


class Hostile(Case):
    """What a node says of itself may be anything."""

    def says(self, **answers):
        cli_test.base.answers = answers
        self.addCleanup(setattr, cli_test.base, "answers", {})
        return netron("top", cli_test.base.url, *QUICK)

    def test_strange_rows(self):
        rows = [{}, {"id": 5, "address": None, "since": "x", "direction": []}, None, 7,
                {"id": "x" * 5000, "address": "\033]0;title\007" * 50, "callsServed": -1,
                 "bytesIn": 1e300, "bytesOut": "many", "streams": 2.5, "bytesQueued": 2**53}]
        result = self.says(list_peers=rows, stats={"id": "\033[2J\u202enode", "peers": "none",
                                                   "uptimeMs": -5, "callsServed": 1e300})
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertNotRegex(result.out, "[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]")
        lines = result.out.splitlines()
        self.assertTrue(lines[0].startswith("?[2J?node  up -  "), lines[0])
        self.assertEqual(len(lines), 6 + len(rows))
        self.assertEqual(len({len(line) for line in lines[5:]}), 1, "columns are aligned")
        result = netron("top", "--json", cli_test.base.url, *QUICK)
        self.assertEqual(len(json.loads(result.out)["peers"]), len(rows))

    def test_answers_that_are_none(self):
        for peers, stats in ((5, {}), ([], 5), (None, None), ({}, [])):
            result = self.says(list_peers=peers, stats=stats)
            self.assertEqual(result.code, 1, (peers, stats))
            self.assertRegex(result.err, r"\Anetron: \d+ ")

    def test_a_refusal(self):
        result = self.says(list_peers=Failure(403, "go away"))
        self.assertEqual(result.code, 1)
        self.assertIn("403 ", result.err)
        self.assertIn("this node does not tell us what it does\n  ask from the node's own machine", result.err)


class Screen:
    """netron top on a terminal of its own."""

    def __init__(self, *words, columns=90, rows=20, **extra):
        self.pid, self.leader = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            words = [cli_test.options.netron, "top", *QUICK, *words]
            os.execve(words[0], words, environment(**{"TERM": "xterm", **extra}))
        self.data = b""

    def read(self):
        """More of what it writes; False at the end."""
        if not select.select([self.leader], [], [], PATIENCE)[0]:
            raise AssertionError(f"nothing more after {self.data[-2000:]}")
        try:
            data = os.read(self.leader, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.data += data
        return data != b""

    def frames(self):
        """Whole ones, as lines without codes."""
        parts = self.data.split(b"\x1b[H")[1:]
        whole = [part for part in parts if part.endswith(b"\x1b[J") or b"\x1b[J\x1b" in part]
        return [CODE.sub(b"", part.split(b"\x1b[J")[0]).decode().replace("\r\n", "\n").split("\n")
                for part in whole]

    def frame(self, fits):
        """The next frame of which fits(lines) is true."""
        seen = len(self.frames())
        while True:
            for lines in self.frames()[seen:]:
                if fits(lines):
                    return lines
            if not self.read():
                raise AssertionError(f"it has ended: {self.data[-2000:]}")

    def type(self, keys):
        os.write(self.leader, keys)

    def resize(self, columns, rows):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self):
        """The exit code, and what came after the last frame."""
        while self.read():
            pass
        os.close(self.leader)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code, self.data[self.data.rindex(b"\x1b[J") + 3:]


LEFT = b"\x1b[?25h\x1b[?1049l"


class Live(Case):
    def test_it_fills_the_screen(self):
        screen = Screen(node.url, columns=100, rows=12)
        lines = screen.frame(lambda lines: True)
        self.assertTrue(screen.data.startswith(b"\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J"))
        self.assertEqual(len(lines), 12)
        self.assertTrue(lines[0].startswith("node-1  up "))
        self.assertTrue(lines[6].startswith("(netron top) "))
        self.assertIn("(q)uit", lines[11])
        for line in lines:
            self.assertLessEqual(len(line), 100)
        screen.type(b"q")
        self.assertEqual(screen.end(), (0, LEFT))

    def test_it_fits_any_screen(self):
        for columns, rows in ((200, 50), (80, 24), (40, 7), (20, 6), (13, 5), (3, 2), (1, 1)):
            screen = Screen(node.url, columns=columns, rows=rows)
            lines = screen.frame(lambda lines: True)
            self.assertLessEqual(len(lines), rows)
            for line in lines:
                self.assertLessEqual(len(line), columns, (columns, rows))
            screen.type(b"q")
            self.assertEqual(screen.end(), (0, LEFT))

    def test_it_follows_the_size(self):
        screen = Screen(node.url, "--interval", "1h", columns=100, rows=12)
        screen.frame(lambda lines: len(lines) == 12)
        screen.resize(60, 9)
        lines = screen.frame(lambda lines: len(lines) == 9)
        self.assertEqual(max(map(len, lines)), 60)
        screen.type(b"q")
        self.assertEqual(screen.end(), (0, LEFT))

    def test_keys_sort(self):
        screen = Screen(node.url, "--sort", "name")
        screen.frame(lambda lines: lines[-1].startswith("by name;"))
        for key, name in ((b"b", "bytes"), (b"c", "calls"), (b"n", "name"), (b"bx\x1b[A", "bytes")):
            screen.type(key)
            screen.frame(lambda lines: lines[-1].startswith(f"by {name};"))
        screen.type(b"Q")
        self.assertEqual(screen.end(), (0, LEFT))

    def test_an_interrupt_leaves_the_terminal_as_it_was(self):
        leader, follower = pty.openpty()
        before = termios.tcgetattr(follower)
        process = subprocess.Popen([cli_test.options.netron, "top", node.url, *QUICK], stdin=follower,
                                   stdout=follower, stderr=follower, env=environment(TERM="xterm"))
        shown = b""
        while b"(q)uit" not in shown:
            shown += os.read(leader, 65536)
        self.assertFalse(termios.tcgetattr(follower)[3] & (termios.ECHO | termios.ICANON))
        self.assertFalse(fcntl.fcntl(follower, fcntl.F_GETFL) & os.O_NONBLOCK)
        process.send_signal(signal.SIGTERM)
        while LEFT not in shown:
            shown += os.read(leader, 65536)
        self.assertEqual(process.wait(timeout=PATIENCE), 143)
        self.assertEqual(termios.tcgetattr(follower), before)
        os.close(leader)
        os.close(follower)
        screen = Screen(node.url)
        screen.frame(lambda lines: True)
        screen.type(b"\x03")
        self.assertEqual(screen.end(), (130, LEFT))

    def test_a_node_that_goes_is_told_below(self):
        other = Node("serve")
        screen = Screen(other.url)
        screen.frame(lambda lines: True)
        other.stop()
        code, rest = screen.end()
        self.assertEqual(code, 1)
        self.assertRegex(rest, rb"\A\x1b\[\?25h\x1b\[\?1049l\x1b\[1;31mnetron:\x1b\[0m 503 unavailable: ")

    def test_no_answer_at_all_is_told_below(self):
        leader = Screen(cli_test.base.url)
        while leader.read():
            pass
        self.assertIn(LEFT, leader.data)
        self.assertIn(b"this node cannot tell what it does", leader.data.split(LEFT)[1])
        os.close(leader.leader)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(leader.pid, 0)[1]), 1)

    def test_text_cannot_steer_the_terminal(self):
        cli_test.base.answers = {"stats": {"id": "a\033[31mb\u009b5nc"},
                                 "list_peers": [{"id": "\033[2J", "address": "\r\n\b\x07"}] * 40}
        self.addCleanup(setattr, cli_test.base, "answers", {})
        screen = Screen(cli_test.base.url, NO_COLOR="1")
        lines = screen.frame(lambda lines: True)
        self.assertTrue(lines[0].startswith("a?[31mb?5nc  up -"), lines[0])
        self.assertTrue(lines[6].startswith("?[2J "), lines[6])
        self.assertEqual(len(lines), 20)
        self.assertRegex(lines[19], r"\A27 more  by calls")
        screen.type(b"q")
        self.assertEqual(screen.end()[0], 0)
        self.assertNotIn(b"\x1b[31m", screen.data)
        self.assertEqual(set(CODE.findall(screen.data)),
                         {b"\x1b[?1049h", b"\x1b[?25l", b"\x1b[H", b"\x1b[2J", b"\x1b[K", b"\x1b[J",
                          b"\x1b[?25h", b"\x1b[?1049l"})
        self.assertEqual(screen.data.count(b"\x1b[2J"), 1)

    def test_colour_unless_it_is_not_wanted(self):
        for extra, has in (({}, True), ({"NO_COLOR": "1"}, False)):
            screen = Screen(node.url, **extra)
            screen.frame(lambda lines: True)
            screen.type(b"q")
            screen.end()
            self.assertEqual(b"\x1b[7m" in screen.data, has)

    def test_snapshots_on_a_terminal(self):
        for words, extra in ((["--once"], {}), (["-n1"], {}), (["--json"], {}), ([], {"TERM": "dumb"})):
            screen = Screen(node.url, *words, **extra)
            while screen.read():
                pass
            self.assertNotIn(b"\x1b[?1049h", screen.data)
            self.assertNotIn(b"\x1b[H", screen.data)
            self.assertIn(b"node-1", screen.data)
            os.close(screen.leader)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(screen.pid, 0)[1]), 0)


if __name__ == "__main__":
    cli_test.main()
