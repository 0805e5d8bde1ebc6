#!/usr/bin/env python3
"""netron bench, as a user runs it: figures, failures, exit codes.

    bench_test.py --netron build/release/netron [--include include] [--man docs/man] [unittest args]

Runs are short, and what they measure is compared with what must be so on any machine: how fast it is
is asserted nowhere. What must happen in the middle of a run happens once its calls have been seen.
"""
import json
import signal
import subprocess
import unittest

import cli_test
from cli_test import PATIENCE, Case, Node, environment, module, netron

MANY = 300  # more than the calls that any run here has in flight: some have been answered
SHORT = ("--duration", "300ms", "--warmup", "50ms")


def setUpModule():
    cli_test.setUpModule()


def tearDownModule():
    cli_test.tearDownModule()


def bench(*words):
    """A run with --json: its exit code, the object it printed, and standard error."""
    result = netron("bench", "--json", *words)
    return result.code, json.loads(result.out), result.err


class Run:
    """netron bench in the background, for a minute unless something ends it."""

    def __init__(self, url, *words):
        self.process = subprocess.Popen(
            [cli_test.options.netron, "bench", "--json", "--duration", "1m", "--warmup", "0", url,
             *words], env=environment(), text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def end(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, json.loads(out), err


def load_node():
    return Node("serve", "--load", module("load.c"))


def wait_for_calls(node, count):
    """Until so much of the service has been used: its own counter says so."""
    while int(netron("get", node.url, "load", "served").out) < count:
        pass


class Figures(Case):
    def test_as_the_help_says_it(self):
        result = netron("bench", cli_test.demo.url, "demo", "add", "5", "3", "--inflight", "64",
                        "--duration", "0.3")
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertRegex(result.out, r"\Amethod add of demo, 1 connection, 64 in flight on each, \d\.\d s\n")
        self.assertRegex(result.out, r"(?m)^rate +\d+(\.\d)? calls/s$")
        for label in ("mean", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "max"):
            self.assertRegex(result.out, rf"(?m)^  {label} +\d+(\.\d+)? (ns|µs|ms|s)$")
        self.assertRegex(result.out, r"(?m)^ +\d\S* \S+ - +\d\S* \S+ +\d+\.\d{3} %  [█▏▎▍▌▋▊▉]+$")
        self.assertNotIn("\033", result.out)
        self.assertNotIn("\r", result.out)

    def test_rows_of_the_drawing_are_all_calls(self):
        result = netron("bench", cli_test.demo.url, "demo", "nothing", *SHORT)
        shares = [float(line.split("%")[0].split()[-1]) for line in result.out.splitlines()
                  if " - " in line]
        self.assertGreater(len(shares), 0)
        self.assertAlmostEqual(sum(shares), 100, delta=0.001 * len(shares))

    def test_json(self):
        code, told, err = bench(cli_test.demo.url, "demo", "add", "5", "3", "--inflight", "4",
                                "--connections", "3", "--threads", "2", *SHORT)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual((told["service"], told["member"], told["kind"]), ("demo", "add", "method"))
        self.assertEqual((told["connections"], told["inflight"], told["threads"]), (3, 4, 2))
        self.assertEqual((told["failed"], told["errors"], told["lost_connections"]), (0, [], 0))
        self.assertGreater(told["calls"], 0)
        self.assertGreaterEqual(told["seconds"], 0.29)  # timers count milliseconds
        times = told["latency_ns"]
        order = [times[key] for key in ("min", "p50", "p90", "p99", "p999", "p9999", "max")]
        self.assertEqual(order, sorted(order))
        self.assertTrue(times["min"] <= times["mean"] <= times["max"])
        # Of each thread and each place in flight, one call at either end is in one number only.
        self.assertAlmostEqual(times["count"], told["calls"], delta=3 * 4)

    def test_time_is_that_of_the_call(self):
        _, told, _ = bench(cli_test.demo.url, "demo", "wait", "100", "--inflight", "2", *SHORT)
        self.assertGreaterEqual(told["latency_ns"]["min"], 99_000_000)
        self.assertGreaterEqual(told["latency_ns"]["p50"], 99_000_000)

    def test_a_property_is_read(self):
        code, told, _ = bench(cli_test.demo.url, "demo", "version", *SHORT)
        self.assertEqual((code, told["kind"]), (0, "property"))
        self.assertGreater(told["reads"], 0)

    def test_an_existing_node(self):
        code, told, _ = bench(cli_test.base.url, "titan", "add", "5", "3", *SHORT)
        self.assertEqual((code, told["kind"], told["failed"]), (0, "method", 0))
        self.assertGreater(told["calls"], 0)
        code, told, _ = bench(cli_test.base.url, "titan", "countTo", "3", *SHORT)
        self.assertEqual((code, told["kind"], told["failed"]), (0, "stream", 0))
        self.assertGreater(told["items"], 0)


class Rate(Case):
    def test_it_is_kept(self):
        """All that was due in the measured time has been called, and not more."""
        code, told, _ = bench(cli_test.demo.url, "demo", "nothing", "--rate", "500", "--duration",
                              "1", "--warmup", "0", "--threads", "2")
        self.assertEqual((code, told["failed"], told["target_rate"]), (0, 0, 500))
        due = 500 * told["seconds"]
        self.assertAlmostEqual(told["latency_ns"]["count"] + told["unsent"], due, delta=5 + due / 100)

    def test_time_counts_from_when_a_call_was_due(self):
        """One at a time, each 50 ms, ten times as many due: what begins last has waited for most of
        the second, though no call took that long."""
        code, told, _ = bench(cli_test.demo.url, "demo", "wait", "50", "--rate", "200", "--inflight",
                              "1", "--duration", "1", "--warmup", "0")
        self.assertEqual(code, 0)
        self.assertGreaterEqual(told["latency_ns"]["max"], 500_000_000)
        self.assertGreaterEqual(told["unsent"], 100)

    def test_falling_behind_is_said(self):
        result = netron("bench", cli_test.demo.url, "demo", "wait", "50", "--rate", "1000",
                        "--inflight", "1", "--duration", "300ms")
        self.assertRegex(result.out, r"\n\d+ calls were due at the end and had not begun")

    def test_it_is_for_calls(self):
        for member, kind in (("forever", "a stream"), ("touched", "an event")):
            err = self.fails(2, "bench", cli_test.demo.url, "demo", member, "--rate", "10")
            self.assertIn(f"--rate is for calls, and {member} is {kind}\n", err)


class Streams(Case):
    def test_items_and_bytes(self):
        code, told, _ = bench(cli_test.demo.url, "demo", "parts", "100", "--inflight", "2", *SHORT)
        self.assertEqual((code, told["kind"], told["failed"]), (0, "stream", 0))
        self.assertGreater(told["streams"], 1)  # opened again
        self.assertAlmostEqual(told["byte_rate"], told["rate"] * 3, delta=told["rate"] / 1000)
        self.assertAlmostEqual(told["items"], told["streams"] * 100, delta=2 * 100 * 2)

    def test_one_that_never_ends_is_left(self):
        before = int(netron("get", cli_test.demo.url, "demo", "left").out)
        code, told, _ = bench(cli_test.demo.url, "demo", "forever", *SHORT)
        self.assertEqual((code, told["streams"]), (0, 0))
        self.assertGreater(told["items"], 0)
        for _ in range(1000):
            # The one that was tried, and the one that was measured.
            if int(netron("get", cli_test.demo.url, "demo", "left").out) == before + 2:
                return
        self.fail("the generator still runs")

    def test_one_that_breaks_is_a_failure(self):
        code, told, _ = bench(cli_test.demo.url, "demo", "broken", "3", *SHORT)
        self.assertEqual((code, told["streams"]), (1, 0))
        self.assertEqual([(e["code"], e["message"]) for e in told["errors"]], [(409, "it broke here")])


class Events(Case):
    def test_they_are_counted(self):
        """Another run sets them off, from before until after."""
        node = load_node()
        writer = Run(node.url, "load", "work", "--inflight", "4")
        wait_for_calls(node, 100)
        code, told, err = bench(node.url, "load", "worked", "--connections", "2", *SHORT)
        writer.process.send_signal(signal.SIGINT)
        self.assertEqual((writer.end()[0], node.stop()), (130, 0))
        self.assertEqual((code, told["kind"], err), (0, "event", ""))
        self.assertGreater(told["events"], 0)
        self.assertGreater(told["byte_rate"], 0)  # of its text

    def test_silence_is_no_failure(self):
        code, told, _ = bench(cli_test.demo.url, "demo", "pair", *SHORT)
        self.assertEqual((code, told["events"]), (0, 0))


class Failures(Case):
    def test_they_are_counted_by_code(self):
        code, told, err = bench(cli_test.demo.url, "demo", "refuse", "not you", *SHORT)
        self.assertEqual((code, err, told["calls"]), (1, "", 0))
        self.assertEqual(told["errors"],
                         [{"code": 403, "count": told["failed"], "message": "not you"}])
        self.assertGreater(told["failed"], 0)
        result = netron("bench", cli_test.demo.url, "demo", "refuse", "not you", *SHORT)
        self.assertEqual(result.code, 1)
        self.assertRegex(result.out, r"(?m)^failed +(\d+)\n  \1 x 403 forbidden: not you$")

    def test_no_answer_in_time(self):
        code, told, _ = bench(cli_test.demo.url, "demo", "wait", "60000", "--timeout", "50ms", *SHORT)
        self.assertEqual((code, told["errors"][0]["code"]), (1, 408))

    def test_a_node_that_dies(self):
        for words in (("work",), ("work", "-c", "3", "--threads", "2"), ("work", "--rate", "1000"),
                      ("tick",)):
            with self.subTest(words):
                node = load_node()
                run = Run(node.url, "load", *words)
                wait_for_calls(node, MANY)
                node.process.kill()
                node.process.communicate()
                code, told, err = run.end()
                self.assertEqual(code, 1)
                self.assertEqual(told["lost_connections"], told["connections"])
                error = json.loads(err)["error"]
                self.assertEqual(error["code"], 503)
                self.assertRegex(error["message"], r"\A(\d) of \1 connections lost: .")
                if words[0] == "work":  # items may be lost on their way, with their writer
                    self.assertGreater(told["calls"], 0)

    def test_a_node_that_dies_while_its_events_are_heard(self):
        node = load_node()
        run = subprocess.Popen([cli_test.options.netron, "bench", node.url, "load", "worked"],
                               env=environment(), text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        self.assertEqual(run.stderr.readline(), "listening for worked of load\n")
        node.process.kill()
        node.process.communicate()
        out, err = run.communicate(timeout=PATIENCE)
        self.assertEqual(run.returncode, 1)
        self.assertIn("1 of 1 connections lost", err)
        self.assertRegex(out, r"(?m)^events +0$")

    def test_an_interrupt_shows_what_was_measured(self):
        for words in (("work",), ("work", "--rate", "1000"), ("work", "-c", "3", "--threads", "2")):
            with self.subTest(words):
                node = load_node()
                run = Run(node.url, "load", *words)
                wait_for_calls(node, MANY)
                run.process.send_signal(signal.SIGINT)
                code, told, err = run.end()
                self.assertEqual((code, err, told["failed"]), (130, "", 0))
                self.assertGreater(told["calls"], 0)
                self.assertLess(told["seconds"], 60)
                self.assertEqual(node.stop(), 0)

    def test_an_interrupt_does_not_wait_for_answers(self):
        node = load_node()
        run = Run(node.url, "load", "hang", "--timeout", "1m")
        wait_for_calls(node, 2)  # the one that is tried has its answer, those after it have none
        run.process.send_signal(signal.SIGTERM)
        code, told, _ = run.end()
        self.assertEqual((code, told["calls"], told["failed"]), (143, 0, 0))
        self.assertEqual(node.stop(), 0)


class Refusals(Case):
    def refused(self, *words, code=2):
        return self.fails(code, "bench", cli_test.demo.url, "demo", *words)

    def test_options(self):
        for option in ("--connections", "--inflight", "--threads"):
            for value in ("0", "-1", "x", "1.5", ""):
                self.assertIn(f"{option}: '{value}' is not a whole number from 1 up",
                              self.refused("nothing", option, value))
        for option in ("--duration", "--timeout"):
            for value in ("0", "-1", "x", "0s", "1.2.3", "nan", ""):
                self.assertIn(f"{option}: '{value}' is not a time such as",
                              self.refused("nothing", option, value))
        for value in ("-1", "x", ""):
            self.assertIn(f"--warmup: '{value}' is not a time", self.refused("nothing", "--warmup", value))
        for value in ("0", "-1", "x", "0.0", "inf", "nan", "1x", ""):
            self.assertIn(f"--rate: '{value}' is not a number of calls a second, above 0",
                          self.refused("nothing", "--rate", value))

    def test_options_that_do_not_go_together(self):
        self.assertIn("--threads 3 needs as many connections, not 2",
                      self.refused("nothing", "--threads", "3", "--connections", "2"))
        self.assertIn("at most 16000 calls in flight",
                      self.refused("nothing", "--connections", "1000", "--inflight", "17"))
        self.assertIn("at most 16000 calls in flight",
                      self.refused("nothing", "--inflight", "18446744073709551615"))
        self.assertIn("--inflight is for calls and streams", self.refused("touched", "--inflight", "2"))
        self.assertIn("takes no arguments", self.refused("version", "1"))

    def test_what_is_not_there(self):
        err = self.refused("nothin", code=1)
        self.assertIn("404 not found: demo has no method, property or event nothin; did you mean nothing?", err)
        self.assertIn("404 ", self.fails(1, "bench", cli_test.demo.url, "other", "add"))
        self.assertIn("MEMBER is missing", self.fails(2, "bench", cli_test.demo.url, "demo"))

    def test_arguments_that_do_not_fit(self):
        self.assertRegex(self.refused("add", "5", code=1), r"400 .*argument 2, i64 b, is missing")
        self.assertRegex(self.refused("add", "x", "3", code=1), r"400 .*expected i64, found str")

    def test_where_nobody_is(self):
        with cli_test.unused_port() as port:
            nobody = f"ws://127.0.0.1:{port.getsockname()[1]}"
            self.assertRegex(self.fails(3, "bench", nobody, "demo", "add"), r"\Anetron: 503 ")
        self.assertIn("no such address", self.fails(2, "bench", "no://where", "demo", "add"))


class Progress(Case):
    on_terminal = cli_test.Terminal.on_terminal

    def test_a_line_each_second_on_a_terminal(self):
        code, shown = self.on_terminal("bench", cli_test.demo.url, "demo", "nothing", "--duration",
                                       "2", "--warmup", "0")
        self.assertEqual(code, 0)
        self.assertRegex(shown, rb"\r\033\[2m +\d s  \d+ calls/s")
        self.assertIn(b"\033[1mrate", shown)


if __name__ == "__main__":
    cli_test.main()
