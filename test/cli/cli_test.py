#!/usr/bin/env python3
"""The netron command, as a user runs it: output, errors and exit codes.

    cli_test.py --netron build/release/netron [--include include] [--man docs/man] [unittest args]

The nodes it talks to are netron's own (`netron run demo.c`) and base_node.py, an existing node.
Ports are free ones; nothing sleeps: a node is ready when it has printed where it listens.
"""
import argparse
import base64
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from base_node import BaseNode, unused_port

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE = 60  # seconds, for machines that run sanitizers

options = None
demo = None
base = None
scratch = None


def environment(**extra):
    kept = {k: v for k, v in os.environ.items() if k not in ("NETRON_URL", "NO_COLOR", "TERM")}
    kept.update(LC_ALL="C", **extra)
    return {k: v for k, v in kept.items() if v is not None}


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


def netron(*words, env=None, text=True, **how):
    done = subprocess.run([options.netron, *words], env=environment(**(env or {})), text=text,
                          stdout=how.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                          timeout=PATIENCE, **how)
    return Result(done)


class Node:
    """A node in the foreground, in the background of the test."""

    def __init__(self, command, *words, env=None):
        self.process = subprocess.Popen(
            [options.netron, command, "--json", "--listen", "ws://127.0.0.1:0", *words],
            env=environment(**(env or {})), text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("no node: " + self.process.communicate()[1])
        self.about = json.loads(line)
        self.url = self.about["listening"][0]

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.out, self.err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


def module(source, *flags):
    """Compile a file of this folder to a shared object, and say where it is."""
    target = pathlib.Path(scratch) / (re.sub(r"\W", "_", source + "".join(flags)) + ".so")
    if not target.exists():
        subprocess.run(["cc", "-shared", "-fPIC", f"-I{options.include}", *flags, "-o", str(target),
                        str(HERE / source)], check=True)
    return str(target)


def setUpModule():
    global demo, base, scratch
    scratch = tempfile.mkdtemp(prefix="netron-cli-test-")
    demo = Node("serve", "--load", module("demo.c"))
    base = BaseNode()


def tearDownModule():
    code = demo.stop()
    base.stop()
    shutil.rmtree(scratch)
    assert code == 0, f"the demo node ended with {code}: {demo.err}"
    assert " error " not in demo.err, f"the demo node logged: {demo.err}"


class Case(unittest.TestCase):
    maxDiff = None

    def prints(self, expected, *words, **how):
        result = netron(*words, **how)
        self.assertEqual((result.code, result.out, result.err), (0, expected, ""))

    def fails(self, code, *words, **how):
        """Exit code and the error on standard error; nothing on standard output. All of it."""
        result = netron(*words, **how)
        self.assertEqual(result.code, code, result.err)
        self.assertEqual(result.out, "")
        return result.err

    def call(self, expected, *words, **how):
        self.prints(expected, "call", demo.url, "demo", *words, **how)

    def refused(self, *words):
        return self.fails(1, "call", demo.url, "demo", *words)


class Help(Case):
    def setUp(self):
        self.commands = json.loads(netron("help", "--json").out)

    def test_help_names_every_command(self):
        for how in (["--help"], ["-h"], ["help"]):
            result = netron(*how)
            self.assertEqual((result.code, result.err), (0, ""))
            for command in self.commands:
                self.assertRegex(result.out, rf"(?m)^  {command['name']} +{command['summary']}$")

    def test_each_command_explains_itself(self):
        for command in self.commands:
            shown = netron(command["name"], "--help")
            self.assertEqual((shown.code, shown.err), (0, ""))
            self.assertEqual(shown.out, netron("help", command["name"]).out)
            self.assertIn(f"Usage: netron {command['name']} ", shown.out)
            self.assertIn("\nExamples\n  ", shown.out)
            for option in command["options"]:
                self.assertIn("--" + option["name"], shown.out)

    def test_help_fits_a_terminal(self):
        for words in [["--help"]] + [[c["name"], "--help"] for c in self.commands]:
            for line in netron(*words).out.splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_man_pages_name_every_command_and_option(self):
        main = (pathlib.Path(options.man) / "netron.1").read_text()
        for command in self.commands:
            self.assertIn(f".Xr netron-{command['name']} 1", main)
            page = (pathlib.Path(options.man) / f"netron-{command['name']}.1").read_text()
            for option in command["options"]:
                self.assertRegex(page, rf"(?m)^\.It .*Fl -{option['name']}\b", command["name"])
                if option["letter"]:
                    self.assertRegex(page, rf"(?m)^\.It Fl {option['letter']}\b", command["name"])
            named = set(re.findall(r"(?m)^\.It .*Fl -([a-z-]+)", page))
            self.assertEqual(named, {option["name"] for option in command["options"]})

    def test_version(self):
        self.assertRegex(netron("--version").out, r"\Anetron \d+\.\d+\.\d+\n\Z")
        self.assertEqual(netron("-V").code, 0)


class Peers(Case):
    def test_who_is_connected(self):
        result = netron("peers", demo.url)
        self.assertEqual((result.code, result.err), (0, ""))
        for line in result.out.splitlines():
            self.assertRegex(line, r"\A[0-9a-f-]{36}  from 127\.0\.0\.1:\d+  since \d{4}-\d\d-\d\dT[0-9:.]+Z\Z")
        self.assertGreaterEqual(len(result.out.splitlines()), 1)

    def test_as_json(self):
        peers = json.loads(netron("peers", "--json", demo.url).out)
        self.assertEqual({peer["direction"] for peer in peers}, {"in"})
        self.assertEqual(peers[-1]["services"], [])
        self.assertIn("int64", peers[-1]["extensions"])

    def test_existing_nodes_cannot_tell(self):
        err = self.fails(1, "peers", base.url)
        self.assertRegex(err, r"\Anetron: 501 .*: this node cannot list its peers\n")


class Usage(Case):
    def wrong(self, message, *words, **how):
        err = self.fails(2, *words, **how)
        self.assertRegex(err.splitlines()[0], r"\Anetron: " + message + r"\Z")
        return err

    def test_no_command_shows_them_all(self):
        result = netron()
        self.assertEqual((result.code, result.out, result.err), (2, netron("--help").out, ""))
        self.assertIn("which command?", json.loads(self.fails(2, "--json"))["error"]["message"])

    def test_the_nearest_command_is_named(self):
        for typed, meant in [("cal", "call"), ("descirbe", "describe"), ("sreve", "serve"),
                             ("gte", "get"), ("hlep", "help"), ("desc", "describe")]:
            self.wrong(rf"unknown command '{typed}'; did you mean {meant}\?", typed)
        self.wrong(r"unknown command 'frobnicate'", "frobnicate")
        self.wrong(r"unknown command 'frobnicate'", "help", "frobnicate")

    def test_the_nearest_option_is_named(self):
        self.wrong(r"unknown option --timeuot; did you mean --timeout\?", "call", "--timeuot=2s")
        self.wrong(r"unknown option --jsn; did you mean --json\?", "get", "--jsn")
        self.wrong(r"unknown option --frobnicate", "get", "--frobnicate")
        self.wrong(r"unknown option -x", "get", "-x")
        err = self.wrong(r"--frobnicate: options stand after the command", "--frobnicate", "get")
        self.assertIn("netron --help", err)

    def test_values_of_options(self):
        self.wrong(r"--timeout needs a value: --timeout TIME", "call", "--timeout")
        for bad in ("2", "soon", "-1s", "0s", "2days", "1e12h", "nan", ""):
            self.wrong(rf"--timeout: '{bad}' is not a time such as .*", "call", f"--timeout={bad}")
        for bad in ("0", "-1", "x", "1.5", "99999999999999999999"):
            self.wrong(rf"--count: '{bad}' is not a whole number .*", "on", f"--count={bad}")
        self.wrong(r"--json takes no value", "call", "--json=1")
        self.wrong(r"--log: 'loud' is not one of none, .*", "serve", "--log", "loud")

    def test_operands(self):
        url = "ws://127.0.0.1:1"
        self.wrong(r"which node\? .*", "call")
        self.wrong(r"which node\? .*", "call", "calculator", "add")
        self.wrong(r"SERVICE is missing", "call", url)
        self.wrong(r"METHOD is missing", "call", url, "calculator")
        self.wrong(r"VALUE is missing", "set", url, "calculator", "precision")
        self.wrong(r"'c' is one word too many", "describe", url, "b", "c")
        self.wrong(r"localhost:7070 is no address; did you mean ws://localhost:7070\?", "call",
                   "localhost:7070", "calculator", "add")
        err = self.wrong(r"METHOD is missing", "call", url, "calculator")
        self.assertIn("\n  netron call --help shows how\n", err)

    def test_netron_url_must_be_an_address(self):
        self.wrong(r"NETRON_URL is 'here', which is no address .*", "describe",
                   env={"NETRON_URL": "here"})

    def test_usage_errors_are_json_with_json(self):
        error = json.loads(self.fails(2, "call", "--timeuot", "--json"))["error"]
        self.assertEqual((error["code"], error["name"]), (400, "UsageError"))
        self.assertIn("did you mean --timeout?", error["message"])

    def test_an_address_that_cannot_be_understood_is_wrong_usage(self):
        self.fails(2, "describe", "nope://x")


class Connecting(Case):
    def test_nobody_there_is_3(self):
        with unused_port() as port:
            url = "ws://127.0.0.1:%d" % port.getsockname()[1]
            err = self.fails(3, "call", url, "demo", "add", "1", "2")
            self.assertRegex(err, r"\Anetron: 503 ")
            self.assertIn("netron serve --listen " + url, err)
            error = json.loads(self.fails(3, "describe", "--json", url))["error"]
            self.assertEqual(error["code"], 503)

    def test_no_socket_there_is_3(self):
        self.fails(3, "describe", f"unix:{scratch}/none.sock")

    def test_no_such_host_is_3(self):
        self.fails(3, "describe", "ws://host.invalid:7070")

    def test_the_address_may_come_from_the_environment(self):
        env = {"NETRON_URL": demo.url}
        self.prints("8\n", "call", "demo", "add", "5", "3", env=env)
        self.prints("1.0.0\n", "get", "demo", "version", env=env)
        self.assertIn("demo@1.2.0\n", netron("describe", env=env).out)
        self.prints("8\n", "call", demo.url, "demo", "add", "5", "3", env={"NETRON_URL": "tcp://x:1"})

    def test_a_unix_socket(self):
        node = Node("serve", "--load", module("demo.c"), "--listen", f"unix:{scratch}/n.sock")
        self.prints("8\n", "call", f"unix:{scratch}/n.sock", "demo", "add", "5", "3")
        self.assertEqual(node.stop(), 0)


class Calling(Case):
    def test_results(self):
        self.call("8\n", "add", "5", "3")
        self.call("-8\n", "add", "-5", "-3")
        self.call("0.25\n", "half", "0.5")
        self.call("42\n", "half", "84")
        self.call("Hello, Alice\n", "greet", "Alice")
        self.call('{"id":"u1","name":"Alice","born":"1970-01-01T00:00:01.000Z"}\n', "find", "u1")
        self.call("", "nothing")
        self.call("2026-11-05T00:00:00.000Z\n", "day", "2026-11-05T10:30:00Z")

    def test_json_is_always_json(self):
        self.call("8\n", "add", "5", "3", "--json")
        self.call('"Hello, Alice"\n', "--json", "greet", "Alice")
        self.call("null\n", "nothing", "-j")
        self.call('"AQL/"\n', "reverse", "/wIB", "--json")
        self.call('"2026-11-05T00:00:00.000Z"\n', "day", "2026-11-05", "--json")

    def test_any_is_always_json(self):
        self.call('"5"\n', "echo", '"5"')
        self.call("5\n", "echo", "5")
        self.call('"Alice"\n', "echo", "Alice")
        self.call('{"a":[1,2.5,null,true,"x"]}\n', "echo", '{"a":[1,2.5,null,true,"x"]}')
        self.call("null\n", "echo", "null")

    def test_text_stays_text_where_it_is_declared(self):
        self.call("Hello, 5\n", "greet", "5")
        self.call("Hello, true\n", "greet", "true")
        self.call("Hello, null\n", "greet", "null")
        self.call("Hello, {}\n", "greet", "{}")
        self.call("Hello, 5\n", "greet", '"5"')
        self.call('Hello, "5"\n', "greet", r'"\"5\""')
        self.call("Hello, --x\n", "greet", "--", "--x")

    def test_bytes(self):
        file = pathlib.Path(scratch) / "bytes"
        file.write_bytes(bytes(range(256)) * 1000)
        result = netron("call", demo.url, "demo", "reverse", f"@{file}", text=False)
        self.assertEqual((result.code, result.out), (0, file.read_bytes()[::-1]))
        result = netron("call", demo.url, "demo", "reverse", "AQL_", text=False)
        self.assertEqual((result.code, result.out), (0, b"\xff\x02\x01"))
        result = netron("call", demo.url, "demo", "reverse", "@-", text=False, input=b"abc")
        self.assertEqual((result.code, result.out), (0, b"cba"))
        err = self.fails(2, "call", demo.url, "demo", "reverse", "@/no/such/file")
        self.assertIn("/no/such/file: No such file or directory", err)
        err = self.fails(2, "call", demo.url, "demo", "reverse", "not base64")
        self.assertIn("data: bytes are given as base64 or as @FILE", err)

    def test_bytes_and_dates_inside(self):
        self.call("6\n", "weigh", '{"index":1,"payload":"AQID"}', '["AQI=","AQ"]')
        who = {"id": "u1", "name": "Bob", "born": "1970-01-01T01:00:01+01:00"}
        self.call("long ago\n", "shout", json.dumps(who))
        self.call("Bob\n", "shout", '{"id":"u1","name":"Bob"}')

    def test_bytes_inside_a_list_of_a_project(self):
        meta = json.loads(netron("describe", "--json", demo.url, "demo").out)
        if "part_list" not in meta["types"]:
            self.skipTest("definitions do not say what a named list holds")
        parts = [{"index": i, "payload": base64.b64encode(b"x" * i).decode()} for i in range(4)]
        self.call("6\n", "weigh_all", json.dumps(parts))

    def test_lists_enumerations_defaults(self):
        self.call("a-b\n", "join", '["a","b"]')
        self.call("a+b\n", "join", '["a","b"]', "+")
        self.call(":-)\n", "tellMood", "happy")
        self.call("10\n", "limit")
        self.call("3\n", "limit", "3")
        self.call("12\n", "limit", "null", "2")

    def test_64_bits_go_through(self):
        for number in (2**53 + 1, 2**63 - 1, -(2**63)):
            self.call(f"{number}\n", "add", str(number), "0")
        self.call(f"{2**64 - 1}\n", "echo", str(2**64 - 1))

    def test_wrong_arguments_name_parameter_and_type(self):
        for words in (["add", '"x"', "3"], ["add", "x", "3"], ["add", "5.5", "3"]):
            err = self.refused(*words)
            self.assertRegex(err, r"\Anetron: 400 .*\ba\b.*\bi64\b")
        self.assertRegex(self.refused("add", "1"), r"\Anetron: 400 .*\bb\b")
        self.assertRegex(self.refused("add", "1", "2", "3"), r"\Anetron: 400 ")
        self.assertRegex(self.refused("tellMood", "angry"), r"400 .*\b(mood|sad)\b")
        self.assertRegex(self.refused("shout", '{"id":"u1"}'), r"400 .*\bname\b")

    def test_an_error_of_the_method_is_told(self):
        err = self.refused("find", "u9")
        self.assertEqual(err.splitlines()[0], "netron: 404 not found: no such user")
        self.assertIn("403 forbidden: not you", self.refused("refuse", "not you"))
        error = json.loads(self.refused("find", "u9", "--json"))["error"]
        self.assertEqual((error["code"], error["message"]), (404, "no such user"))

    def test_what_is_not_there_is_listed(self):
        err = self.refused("hidden")
        self.assertRegex(err, r"\Anetron: 404 ")
        for member in ("add", "greet", "tellMood"):
            self.assertIn(member, err)
        for other in ("version", "precision"): # they cannot be called
            self.assertNotIn(other, err)
        self.assertRegex(self.refused("version"), r'404 .*no method "version": that is a property')
        self.assertRegex(self.fails(1, "call", demo.url, "demo@^2", "add", "1", "1"), "404.*1\\.2\\.0")
        err = self.fails(1, "call", demo.url, "other", "add", "1", "1")
        self.assertRegex(err, r"\Anetron: 404 .*other")
        self.assertIn(f"\n  netron describe {demo.url} shows what there is\n", err)

    def test_versions(self):
        for service in ("demo", "demo@1.2.0", "demo@^1", "demo@1.x", "demo@>=1 <2"):
            self.prints("8\n", "call", demo.url, service, "add", "5", "3")

    def test_timeout(self):
        err = self.refused("wait", "3600000", "--timeout", "100ms")
        self.assertRegex(err, r"\Anetron: 408 ")
        self.assertIn("netron call --timeout 1m waits longer", err)
        self.call("", "wait", "0", "-t2s")

    def test_output_that_cannot_be_written_is_told(self):
        with open("/dev/full", "w") as full:
            result = netron("call", demo.url, "demo", "add", "5", "3", stdout=full)
        self.assertEqual(result.code, 1)
        self.assertIn("cannot write the output: No space left on device", result.err)


class Streaming(Case):
    def test_an_item_a_line(self):
        self.call("0\n1\n2\n", "count", "3")
        self.call("", "count", "0")
        self.call("".join(f"{i}\n" for i in range(100000)), "count", "100000")
        self.call('"AP8K"\n"AP8K"\n', "parts", "2", "--json")

    def test_bytes_are_raw(self):
        result = netron("call", demo.url, "demo", "parts", "2", text=False)
        self.assertEqual((result.code, result.out), (0, b"\0\xff\n\0\xff\n"))

    def test_a_broken_stream_does_not_look_finished(self):
        result = netron("call", demo.url, "demo", "broken", "3")
        self.assertEqual((result.code, result.out), (1, "0\n1\n2\n"))
        self.assertIn("it broke here", result.err)

    def test_items_before_a_pause_are_not_held_back(self):
        process = subprocess.Popen([options.netron, "call", demo.url, "demo", "slow_count", "4"],
                                   env=environment(), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertEqual([process.stdout.readline() for _ in range(3)], ["0\n", "1\n", "2\n"])
        before = int(netron("get", demo.url, "demo", "left").out)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out, err), (130, "", ""))
        self.wait_for_left(before + 1)

    def test_a_reader_that_leaves_ends_it_quietly(self):
        before = int(netron("get", demo.url, "demo", "left").out)
        process = subprocess.Popen([options.netron, "call", demo.url, "demo", "forever"],
                                   env=environment(), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "y\n")
        process.stdout.close()
        with process.stderr as err:
            self.assertEqual(err.read(), "")
        self.assertEqual(process.wait(timeout=PATIENCE), 0)
        self.wait_for_left(before + 1)

    def wait_for_left(self, count):
        """The far generator has been stopped: told by its own counter, asked until it is there."""
        for _ in range(1000):
            if int(netron("get", demo.url, "demo", "left").out) == count:
                return
        self.fail("the generator still runs")


class Properties(Case):
    def test_get_and_set(self):
        self.prints("1.0.0\n", "get", demo.url, "demo", "version")
        self.prints('"1.0.0"\n', "get", "--json", demo.url, "demo", "version")
        self.prints("happy\n", "get", demo.url, "demo", "current")
        self.prints("", "set", demo.url, "demo", "precision", "-4")
        self.prints("-4\n", "get", demo.url, "demo", "precision")
        self.prints("", "set", demo.url, "demo", "precision", "2")

    def test_readonly_is_refused(self):
        err = self.fails(1, "set", demo.url, "demo", "version", "2")
        self.assertRegex(err, r"(?i)\Anetron: \d+ .*read-?\s?only")
        self.prints("1.0.0\n", "get", demo.url, "demo", "version")

    def test_what_is_not_there(self):
        for words in (["get", demo.url, "demo", "nope"], ["set", demo.url, "demo", "nope", "1"]):
            err = self.fails(1, *words)
            self.assertRegex(err, r'404 .*nope"; it has left, version, precision, current\n')
        self.assertRegex(self.fails(1, "get", demo.url, "demo", "add"), "404 .*that is a method")
        self.assertRegex(self.fails(1, "set", demo.url, "demo", "precision", "x"), r"400 .*i32")
        self.assertRegex(self.fails(1, "set", demo.url, "demo", "current", "angry"), r"400 .*\b(mood|sad)\b")


class Watcher:
    """netron on, once its subscription stands."""

    def __init__(self, *words):
        self.process = subprocess.Popen([options.netron, "on", *words], env=environment(), text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.note = self.process.stderr.readline()

    def line(self):
        return self.process.stdout.readline()

    def end(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


class Events(Case):
    def test_an_event_a_line(self):
        watcher = Watcher(demo.url, "demo", "touched", "--count", "2")
        self.assertEqual(watcher.note, "listening for touched of demo (Ctrl-C ends)\n")
        for value in ("7", "2"):
            self.prints("", "set", demo.url, "demo", "precision", value)
        self.assertEqual(watcher.end(), (0, "7\n2\n", ""))

    def test_several_arguments_are_a_list(self):
        watcher = Watcher(demo.url, "demo@^1", "computed", "-n1")
        self.call("8\n", "add", "5", "3")
        self.assertEqual(watcher.end(), (0, '["add",8]\n', ""))

    def test_an_interrupt_ends_it(self):
        for how, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            watcher = Watcher(demo.url, "demo", "touched")
            watcher.process.send_signal(how)
            self.assertEqual(watcher.end(), (code, "", ""))

    def test_events_of_the_node(self):
        watcher = Watcher(demo.url, "-", "peer:connect", "--count", "1")
        self.assertEqual(watcher.note, "listening for peer:connect (Ctrl-C ends)\n")
        self.call("8\n", "add", "5", "3")
        code, out, err = watcher.end()
        self.assertEqual((code, err), (0, ""))
        self.assertIn("peerId", json.loads(out))

    def test_a_pattern_prints_names(self):
        watcher = Watcher(demo.url, "demo", "*", "--count", "2")
        self.assertEqual(watcher.note, "listening for * of demo (Ctrl-C ends)\n")
        self.call("8\n", "add", "5", "3")
        self.prints("", "set", demo.url, "demo", "precision", "3")
        self.assertEqual(watcher.end(), (0, '{"event":"computed","args":["add",8]}\n'
                                            '{"event":"touched","args":[3]}\n', ""))
        watcher = Watcher(demo.url, "-", "peer:*", "-n1")
        self.call("8\n", "add", "5", "3")
        self.assertEqual(json.loads(watcher.end()[1])["event"], "peer:connect")

    def test_what_is_no_pattern_is_refused(self):
        err = self.fails(1, "on", demo.url, "-", "order*")
        self.assertIn("400 invalid: in the pattern of an event * and ** stand for whole segments", err)

    def test_a_base_node_is_asked_for_no_pattern(self):
        err = self.fails(1, "on", base.url, "-", "peer:*")
        self.assertIn("501 not supported: ", err)
        self.assertIn("does not know patterns of events", err)
        self.assertNotIn(["subscribe", "peer:*"], base.tasks)

    def test_an_unknown_event_is_refused(self):
        err = self.fails(1, "on", demo.url, "demo", "exploded")
        self.assertIn("404 not found: demo has no event exploded; it has computed, touched", err)

    def test_a_node_that_goes_is_told(self):
        node = Node("serve", "--load", module("demo.c"))
        watcher = Watcher(node.url, "demo", "touched")
        self.assertEqual(node.stop(), 0)
        code, out, err = watcher.end()
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"\Anetron: 503 unavailable: .*Server closing")

    def test_a_base_node_hears_subscribe_and_unsubscribe(self):
        watcher = Watcher(base.url, "-", "peer:connect", "--count", "1")
        self.assertEqual(watcher.end(), (0, '{"peerId":"p1"}\n', ""))
        self.assertIn(["subscribe", "peer:connect"], base.tasks)
        self.assertIn(["unsubscribe", "peer:connect"], base.tasks)


DEMO = """\
demo@1.2.0
  add(i64 a, i64 b) -> i64  // Adds two integers.
  half(f64 x) -> f64
  greet(str name) -> str
  find(str id) -> person
  weigh(part first, list_bytes others) -> u64
  weigh_all(part_list parts) -> u64
  echo(any value) -> any
  shout(person who) -> str
  reverse(bytes data) -> bytes
  hash(bytes data) -> u64
  join(list_str words, str between = "-") -> str
  day(date when) -> date
  tellMood(happy|sad how = sad) -> str
  limit(u32 most = 10, u64 from?) -> u64
  nothing() -> none
  refuse(str why) -> none
  wait(u32 ms) -> none
  escape() -> str
  count(u64 n) -> stream u64
  slow_count(u64 n) -> stream u64
  parts(u32 n) -> stream bytes
  broken(u64 n) -> stream u64
  forever() -> stream str
  readonly left: u64
  readonly version: str
  precision: i32
  current: happy | sad
  event computed(str op, i64 result)
  event touched(i32 precision)
  event pair()
  person { str id, str name, date born? }
  part { u32 index, bytes payload }
"""


class Describing(Case):
    def test_signatures(self):
        self.prints(DEMO, "describe", demo.url, "demo")
        self.prints(DEMO, "describe", demo.url, "demo@^1")

    def test_all_services(self):
        self.prints(DEMO, "describe", demo.url)
        node = Node("serve", "--load", module("auth.c", "-DVERSION=1.0.0"), "--load",
                    module("auth.c", "-DVERSION=2.0.0"))
        expected = "".join(f"auth@{v}\n  whoami(str token) -> str\n" for v in ("1.0.0", "2.0.0"))
        result = netron("describe", node.url)
        self.assertEqual(sorted(result.out.strip().split("\n\n")),
                         sorted(expected.strip().replace("\nauth", "\n\nauth").split("\n\n")))
        self.assertEqual(node.stop(), 0)

    def test_json_is_the_definition(self):
        meta = json.loads(netron("describe", "--json", demo.url, "demo").out)
        self.assertEqual((meta["name"], meta["version"]), ("demo", "1.2.0"))
        self.assertEqual(meta["methods"]["add"]["arguments"][0]["name"], "a")
        everything = json.loads(netron("describe", "--json", demo.url).out)
        self.assertEqual(everything, [meta])

    def test_no_services(self):
        node = Node("serve")
        result = netron("describe", node.url)
        self.assertEqual((result.code, result.out), (0, ""))
        self.assertEqual(result.err, f"{node.url} has no services\n")
        self.prints("[]\n", "describe", "--json", node.url)
        self.assertEqual(node.stop(), 0)


    def test_references(self):
        result = netron("describe", "--refs", demo.url)
        self.assertEqual((result.code, result.out), (0, ""))
        self.assertEqual(result.err, f"nobody holds services of {demo.url}\n")
        self.prints('{"total":0,"complete":true,"rows":[]}\n', "describe", "--refs", "--json", demo.url)


class BaseNodes(Case):
    """Existing nodes: no listing, no names, no ranges."""

    def test_describe(self):
        self.prints("titan@1.0.0\n"
                    "  add(Number, Number) -> Number\n"
                    "  greet(String) -> Promise\n"
                    "  echo(Object) -> Object\n"
                    "  countTo(Number) -> Object\n"
                    "  fire() -> void\n"
                    "  readonly pi: Number\n"
                    "  label: String\n", "describe", base.url, "titan")

    def test_listing_says_how_to_go_on(self):
        err = self.fails(1, "describe", base.url)
        self.assertIn("501 ", err)
        self.assertIn(f"netron describe {base.url} SERVICE", err)

    def test_calls(self):
        self.prints("8\n", "call", base.url, "titan@1.0.0", "add", "5", "3")
        self.prints("Hello, 5\n", "call", base.url, "titan", "greet", "5")
        self.prints("", "call", base.url, "titan", "fire")
        self.prints('{"a":[1,"x",null]}\n', "call", base.url, "titan", "echo", '{"a":[1,"x",null]}')
        self.prints("1\n2\n3\n", "call", base.url, "titan", "countTo", "3")
        self.prints("3.14159\n", "get", base.url, "titan", "pi")
        self.prints("", "set", base.url, "titan", "label", "5")

    def test_errors(self):
        self.assertRegex(self.fails(1, "call", base.url, "other", "add"), r"404 .*other")
        self.assertRegex(self.fails(1, "call", base.url, "titan", "nope"), r"404 .*nope")


class Terminal(Case):
    def on_terminal(self, *words, env=None):
        """What a terminal would show: both outputs on a pseudo-terminal."""
        leader, follower = pty.openpty()
        process = subprocess.Popen([options.netron, *words], stdin=follower, stdout=follower,
                                   stderr=follower, env=environment(TERM="xterm", **(env or {})))
        os.close(follower)
        shown = b""
        while select.select([leader], [], [], PATIENCE)[0]:
            try:
                data = os.read(leader, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        os.close(leader)
        return process.wait(timeout=PATIENCE), shown.replace(b"\r\n", b"\n")

    def test_colour_on_a_terminal_only(self):
        code, shown = self.on_terminal("describe", demo.url, "demo")
        self.assertEqual(code, 0)
        self.assertIn(b"\033[1mdemo@1.2.0\033[0m", shown)
        self.assertIn(b"\033[2m  // Adds two integers.\033[0m", shown)
        code, shown = self.on_terminal("describe", demo.url, "demo", env={"NO_COLOR": "1"})
        self.assertEqual(shown.decode(), DEMO)
        code, shown = self.on_terminal("call", demo.url, "demo", "find", "u9")
        self.assertTrue(shown.startswith(b"\033[1;31mnetron:\033[0m 404 not found: "), shown)

    def test_text_cannot_steer_the_terminal(self):
        self.assertEqual(self.on_terminal("call", demo.url, "demo", "escape"),
                         (0, b"a\\x1b[2Jb\\xc2\\x9bc\n"))
        code, shown = self.on_terminal("call", demo.url, "demo", "refuse", "a\033[2Jb")
        self.assertEqual(code, 1)
        self.assertIn(b"a\\x1b[2Jb", shown)
        self.call("a\033[2Jb\u009bc\n", "escape")

    def test_bytes_are_base64_on_a_terminal(self):
        self.assertEqual(self.on_terminal("call", demo.url, "demo", "reverse", "AQL/"),
                         (0, b"/wIB\n"))


class Serving(Case):
    def test_it_says_where_and_what(self):
        process = subprocess.Popen(
            [options.netron, "serve", "-l", "ws://127.0.0.1:0", "-l", "tcp://127.0.0.1:0", "--load",
             module("demo.c"), "--id", "node-1"], env=environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = [process.stdout.readline() for _ in range(3)]
        self.assertRegex(lines[0], r"\Alistening on ws://127\.0\.0\.1:[1-9]\d*\n\Z")
        self.assertRegex(lines[1], r"\Alistening on tcp://127\.0\.0\.1:[1-9]\d*\n\Z")
        self.assertEqual(lines[2], "serving demo@1.2.0\n")
        for line in lines[:2]:
            self.prints("8\n", "call", line.split()[2], "demo", "add", "5", "3")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=PATIENCE), ("", ""))
        self.assertEqual(process.returncode, 0)

    def test_json(self):
        node = Node("serve", "--id", "node-2")
        self.assertEqual(node.about, {"id": "node-2", "listening": [node.url], "services": []})
        self.assertEqual(node.stop(), 0)

    def refused(self, *words):
        return self.fails(2, "serve", "--listen", "ws://127.0.0.1:0", *words)

    def test_what_cannot_be_loaded(self):
        self.assertIn("none.so: No such file or directory", self.refused("--load", "none.so"))
        err = self.refused("--load", str(HERE / "demo.c"))
        self.assertIn("a source file, not a shared object\n  netron run ", err)
        junk = pathlib.Path(scratch) / "junk.so"
        junk.write_text("this is no object")
        self.assertIn("cannot be loaded", self.refused("--load", str(junk)))

    def object_of(self, name, text):
        source = pathlib.Path(scratch) / f"{name}.c"
        source.write_text(text)
        target = source.with_suffix(".so")
        subprocess.run(["cc", "-shared", "-fPIC", f"-I{options.include}", "-o", str(target),
                        str(source)], check=True)
        return str(target)

    def test_an_object_without_a_service(self):
        err = self.refused("--load", self.object_of("empty", "int x;"))
        self.assertIn("it offers no service\n  end the file with NETRON_MAIN(", err)

    def test_an_object_of_another_abi(self):
        err = self.refused("--load", self.object_of("old", """
            #include <netron/netron.h>
            const nt_module *netron_module(void);
            const nt_module *netron_module(void)
            {
                static const nt_module old = {NETRON_ABI_VERSION + 1, sizeof(nt_module), 0, 0};
                return &old;
            }"""))
        self.assertRegex(err, r"made for ABI \d+ of netron, this one has ABI \d+\n  compile it again")

    def test_a_version_twice(self):
        one = module("auth.c", "-DVERSION=1.0.0")
        self.assertRegex(self.refused("--load", one, "--load", one), r"409 .*auth@1\.0\.0")

    def test_an_address_that_is_taken(self):
        err = self.fails(3, "serve", "--listen", demo.url)
        self.assertRegex(err, r"\Anetron: 409 ")

    def test_log(self):
        self.assertEqual(netron("call", "--log", "debug", demo.url, "demo", "nothing").code, 0)


class Running(Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=scratch)
        self.env = {"TMPDIR": self.folder}

    def test_it_compiles_and_serves_and_leaves_nothing(self):
        node = Node("run", str(HERE / "demo.c"), env=self.env)
        self.assertEqual(os.listdir(self.folder), [])
        self.prints("8\n", "call", node.url, "demo", "add", "5", "3")
        self.assertEqual((node.stop(), node.err), (0, ""))

    def test_flags_go_to_the_compiler(self):
        node = Node("run", str(HERE / "auth.c"), "--", "-DVERSION=3.1.4", env=self.env)
        self.prints("3.1.4\n", "call", node.url, "auth", "whoami", "t")
        self.assertEqual(node.about["services"], ["auth@3.1.4"])
        self.assertEqual(node.stop(), 0)

    def test_several_loops_serve_as_one_does(self):
        node = Node("run", str(HERE / "demo.c"), "--threads", "3", env=self.env)
        for _ in range(4):  # each call is a connection, dealt to one loop or another
            self.prints("8\n", "call", node.url, "demo", "add", "5", "3")
        self.assertEqual((node.stop(), node.err), (0, ""))

    def test_too_many_loops_are_refused(self):
        done = netron("run", str(HERE / "demo.c"), "--threads", "257", env=self.env)
        self.assertEqual(done.code, 2)
        self.assertIn("threads: at most 256", done.err)

    def test_cplusplus(self):
        source = pathlib.Path(self.folder) / "auth.cpp"
        source.write_text((HERE / "auth.c").read_text())
        node = Node("run", str(source), "--", "-DVERSION=2.0.0", "-std=c++17")
        self.prints("2.0.0\n", "call", node.url, "auth", "whoami", "t")
        self.assertEqual(node.stop(), 0)

    def test_a_file_that_does_not_compile(self):
        source = pathlib.Path(scratch) / "wrong.c"
        source.write_text('#include <netron/netron.h>\nint main(void) { return "x" }\n')
        err = self.fails(2, "run", str(source), env=self.env)
        self.assertRegex(err, r"wrong\.c:2:\d+: ")
        self.assertIn(f"netron: {source} does not compile\n", err)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_file_that_lacks_a_function(self):
        source = pathlib.Path(scratch) / "lacks.c"
        text = (HERE / "auth.c").read_text()
        source.write_text(re.sub(r"(?ms)^netron_err auth__whoami_impl.*?^}\n", "", text))
        err = self.fails(2, "run", str(source), "--", "-DVERSION=1.0.0", env=self.env)
        self.assertIn("auth__whoami_impl", err)

    def test_no_file_and_no_compiler(self):
        self.assertIn("none.c: No such file", self.fails(2, "run", "none.c"))
        err = self.fails(2, "run", str(HERE / "demo.c"), env={"CC": "no-such-compiler"})
        self.assertIn("cannot run no-such-compiler: No such file or directory", err)

    def test_an_interrupt_while_it_compiles_leaves_nothing(self):
        """The compiler is a script that tells it has started and then waits for its end."""
        compiler = pathlib.Path(scratch) / "slow-cc"
        compiler.write_text("#!/bin/sh\necho started\nread forever\n")
        compiler.chmod(0o755)
        leader, follower = os.pipe()
        process = subprocess.Popen([options.netron, "run", str(HERE / "demo.c")], stdin=leader,
                                   stdout=subprocess.PIPE, text=True, start_new_session=True,
                                   env=environment(CC=str(compiler), **self.env))
        self.assertEqual(process.stdout.readline(), "started\n")
        os.killpg(process.pid, signal.SIGINT)
        self.assertNotEqual(process.wait(timeout=PATIENCE), 0)
        process.stdout.close()
        os.close(leader)
        os.close(follower)
        self.assertEqual(os.listdir(self.folder), [])


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--netron", default=str(ROOT / "build/release/netron"))
    parser.add_argument("--include", default=str(ROOT / "include"))
    parser.add_argument("--man", default=str(ROOT / "docs/man"))
    options, rest = parser.parse_known_args()
    options.netron = str(pathlib.Path(options.netron).resolve())
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
