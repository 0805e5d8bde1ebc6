#!/usr/bin/env python3
"""netron call --input and --output, as a user runs it: files, pipes, terminals, failures.

    transfer_test.py --netron build/release/netron [--include include] [unittest args]

Nothing sleeps: what must happen in the middle of a call happens once the service has seen it begin.
"""
import errno
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import socket
import subprocess
import tempfile
import unittest

import cli_test
from cli_test import PATIENCE, Node, environment, module, netron

CHUNK = 64 * 1024

node = None


def setUpModule():
    global node
    cli_test.setUpModule()
    node = Node("serve", "--load", module("streams.c"))


def tearDownModule():
    assert node.stop() == 0, node.err
    assert " error " not in node.err, node.err
    cli_test.tearDownModule()


class Case(cli_test.Case):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=cli_test.scratch))

    def file(self, content, name="input"):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def feeds(self, expected, content, *words):
        """The same from a file, from standard input, and through a pipe with a name."""
        self.prints(expected, "call", node.url, "streams", *words, "--input", self.file(content))
        self.prints(expected, "call", node.url, "streams", *words, "--input=-", input=content)
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        process = self.start(*words, "--input", str(fifo))
        fifo.write_text(content)
        self.assertEqual(process.communicate(timeout=PATIENCE), (expected, ""))
        self.assertEqual(process.returncode, 0)
        fifo.unlink()

    def start(self, *words, text=True, **how):
        return subprocess.Popen([cli_test.options.netron, "call", node.url, "streams", *words],
                                env=environment(), text=text, stdout=subprocess.PIPE,
                                stderr=how.pop("stderr", subprocess.PIPE), **how)

    def refuses(self, code, says, *words, **how):
        err = self.fails(code, "call", node.url, "streams", *words, **how)
        self.assertRegex(err, says)
        return err

    def wait_for_taken(self, count):
        while int(netron("get", node.url, "streams", "taken").out) < count:
            pass

    def taken(self):
        return int(netron("get", node.url, "streams", "taken").out)


class Feeding(Case):
    def test_a_value_a_line(self):
        self.feeds("6.5\n", "1\n2\n3.5\n", "sum")
        self.feeds("6.5\n", "1\r\n\n  2 \n\t\n3.5", "sum")
        self.feeds("0\n", "", "sum")
        self.feeds("0\n", "\n\n", "sum")
        self.feeds("Infinity\n", "1\nInfinity\n", "sum")
        self.feeds("11\n", '"text"\n{"a":[1]}\n', "kinds")

    def test_many_lines(self):
        self.feeds("5000050000\n", "".join(f"{i}\n" for i in range(100001)), "sum")

    def test_text_is_lines_as_they_are(self):
        self.feeds("  \"two\" \n", "one\n  \"two\" \n\n5", "longest")
        self.prints(f"{'x' * 300000}\n", "call", node.url, "streams", "longest", "--input",
                    self.file("a\n" + "x" * 300000 + "\nb\n"))

    def test_structures_as_they_are_declared(self):
        lines = [{"name": "a", "when": "2026-11-05T10:00:00Z", "raw": "AQID"},
                 {"name": "b", "when": 1000, "raw": ""}]
        self.feeds("a: 3 bytes\n", "".join(json.dumps(line) + "\n" for line in lines), "newest")

    def test_bytes_are_chunks(self):
        path = self.file(bytes(range(256)) * 4000 + b"x")
        self.prints("1024001\n", "call", node.url, "streams", "weigh", "--input", path)
        self.prints("2\n", "call", node.url, "streams", "some", "@input", "2", "--input", path)

    def test_how_it_is_read_may_be_said(self):
        path = self.file('1\n"x"\n')
        self.prints("20\n", "call", node.url, "streams", "kinds", "--input", path,
                    "--input-as", "lines")
        self.prints("11\n", "call", node.url, "streams", "kinds", "--input", path,
                    "--input-as", "json")
        self.prints("1\n", "call", node.url, "streams", "kinds", "--input", path,
                    "--input-as=bytes")
        self.prints("x\n", "call", node.url, "streams", "longest", "--input",
                    self.file('"x"\n'), "--input-as", "json")

    def test_it_has_a_place_among_the_arguments(self):
        path = self.file("1\n2\n")
        self.prints("30\n", "call", node.url, "streams", "scale", "@input", "10", "--input", path)

    def test_both_ways_at_once(self):
        """Each item is answered before the next is sent: nothing waits for the end of the input."""
        process = self.start("upper", "-i-", stdin=subprocess.PIPE)
        for word in ("one", "two", "three"):
            process.stdin.write(word + "\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), word.upper() + "\n")
        self.assertEqual(process.communicate(timeout=PATIENCE), ("", ""))
        self.assertEqual(process.returncode, 0)
        self.feeds("1\n3\n6\n", "1\n2\n3\n", "running")

    def test_an_input_takes_as_long_as_it_takes(self):
        """A second of time-out is the call's, and is kept: without it there is none."""
        before = self.taken()
        process = self.start("hold", "--input", "/dev/zero", "--timeout", "1s")
        out, err = process.communicate(timeout=PATIENCE)
        self.assertRegex(err, "408 ")
        self.assertEqual((process.returncode, out, self.taken()), (1, "", before + 1))

    def test_a_slow_reader_slows_the_input_down(self):
        before = self.taken()
        process = self.start("hold", "--input", "/dev/zero")
        self.wait_for_taken(before + 1)
        for _ in range(20):  # time in which much more could have been read
            self.taken()
        figures = pathlib.Path(f"/proc/{process.pid}/io").read_text()
        read = int(figures.split("rchar: ")[1].split()[0])
        self.assertTrue(CHUNK < read < (64 << 20), f"{read} bytes read, of which one chunk is taken")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=PATIENCE), ("", ""))
        self.assertEqual(process.returncode, 130)

    def test_a_reader_that_leaves_early_has_what_it_wanted(self):
        self.prints("no need\n", "call", node.url, "streams", "ignore", "--input", "/dev/zero")
        self.prints("5\n", "call", node.url, "streams", "some", "@input", "5", "-i", "/dev/zero")
        process = self.start("ignore", "--input=-", stdin=subprocess.PIPE)  # of which nothing comes
        self.assertEqual(process.stdout.read(), "no need\n")
        with process.stdin, process.stderr, process.stdout:
            self.assertEqual(process.wait(timeout=PATIENCE), 0)

    def test_an_interrupt_ends_it(self):
        """While the input has nothing to give."""
        before = self.taken()
        process = self.start("hold", "--input=-", stdin=subprocess.PIPE)
        process.stdin.write("1\n")
        process.stdin.flush()
        self.wait_for_taken(before + 1)
        process.send_signal(signal.SIGINT)
        with process.stdin, process.stdout, process.stderr:
            self.assertEqual(process.wait(timeout=PATIENCE), 130)
            self.assertEqual((process.stdout.read(), process.stderr.read()), ("", ""))

    def test_a_node_that_goes_is_told(self):
        other = Node("serve", "--load", module("streams.c"))
        process = subprocess.Popen([cli_test.options.netron, "call", other.url, "streams", "hold",
                                    "--input", "/dev/zero"], env=environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while int(netron("get", other.url, "streams", "taken").out) < 1:
            pass
        other.stop()
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertRegex(err, r"\Anetron: (503|499) ")


    def test_a_terminal_is_left_as_it_was(self):
        """Nobody who shares it finds it set not to block, neither meanwhile nor afterwards."""
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        self.addCleanup(os.close, follower)
        before = self.taken()
        process = self.start("hold", "--input=-", stdin=follower)
        os.write(leader, b"a line\n")
        self.wait_for_taken(before + 1)
        self.assertFalse(fcntl.fcntl(follower, fcntl.F_GETFL) & os.O_NONBLOCK)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=PATIENCE), ("", ""))
        self.assertFalse(fcntl.fcntl(follower, fcntl.F_GETFL) & os.O_NONBLOCK)
        process = self.start("weigh", "--input=-", stdin=follower)
        os.write(leader, b"a line\n\x04")
        self.assertEqual(process.communicate(timeout=PATIENCE), ("7\n", ""))

    def test_a_socket_is_left_as_it_was(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = self.start("weigh", "--input=-", stdin=theirs)
            ours.sendall(b"abc")
            ours.shutdown(socket.SHUT_WR)
            self.assertEqual(process.communicate(timeout=PATIENCE), ("3\n", ""))
            self.assertFalse(fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK)


class WrongInput(Case):
    def test_what_cannot_be_opened(self):
        self.refuses(2, "--input /no/such: No such file or directory", "sum", "--input", "/no/such")
        self.refuses(2, "Is a directory", "sum", "--input", str(self.folder))

    def test_a_line_that_is_no_json(self):
        path = self.file("1\n2\nthree\n4\n")
        err = self.refuses(2, r"\Anetron: line 3 of .*input: not JSON: column 1: ", "sum", "-i", path)
        self.assertEqual(len(err.splitlines()), 1)
        error = json.loads(self.fails(2, "call", "--json", node.url, "streams", "sum", "-i", path))
        self.assertEqual(error["error"]["name"], "InputError")
        self.refuses(2, "line 1 of standard input: not JSON", "running", "-i-", input="x\n")

    def test_a_line_that_does_not_fit(self):
        self.refuses(1, "400 .*|422 .*", "sum", "--input", self.file('1\n"x"\n'))

    def test_a_line_without_an_end(self):
        path = self.file("1\n")
        os.truncate(path, 40 << 20)  # zeros, of which no line ends
        self.refuses(2, "line 2 of .*: it is longer than 16 MiB", "longest", "--input", path)

    def test_text_that_is_not_utf8(self):
        self.refuses(2, "line 2 of .*UTF-8", "longest", "--input", self.file(b"good\n\xff\xfe\n"))

    def test_a_method_that_takes_no_stream(self):
        err = self.refuses(1, "400 .*", "none_of_it", "--input", self.file("1\n"))
        self.assertIn("\n  none_of_it takes no stream: --input is for methods that read one\n", err)
        self.refuses(1, "404 .*no_such", "no_such", "--input", self.file("1\n"))

    def test_a_stream_in_the_wrong_place(self):
        err = self.refuses(1, "400 .*", "scale", "10", "--input", self.file("1\n"))
        self.assertIn("stands where @input is written", err)
        err = self.refuses(1, "400 .*", "scale", "10", "--input", self.file("no JSON\n"))
        self.assertNotIn("JSON", err.splitlines()[0])

    def test_a_stream_that_is_missing(self):
        err = self.refuses(1, "400 .*", "sum")
        self.assertIn("--input FILE feeds the stream", err)

    def test_options_that_make_no_sense(self):
        self.refuses(2, "--input-as: 'xml' is not one of lines, json, bytes", "sum", "--input-as=xml")
        self.refuses(2, "--input-as says how", "sum", "--input-as", "json")
        self.refuses(2, "@input may stand once", "sum", "@input", "@input", "--input=-", input="")
        self.refuses(2, "standard input is read once", "sum", "@-", "--input=-", input="")

    def test_a_base_node_takes_no_stream(self):
        self.fails(1, "call", cli_test.base.url, "titan", "nope", "--input", self.file("1\n"))


class Output(Case):
    def put(self, *words, **how):
        return netron("call", *words, "--output", str(self.folder / "out"), **how)

    def content(self, name="out"):
        return (self.folder / name).read_bytes()

    def left(self):
        return sorted(os.listdir(self.folder))

    def test_results(self):
        demo = cli_test.demo.url
        for words, expected in ((["add", "5", "3"], b"8\n"), (["greet", "Al"], b'"Hello, Al"\n'),
                                (["nothing"], b""), (["reverse", "AQL/"], b"\xff\x02\x01"),
                                (["count", "3"], b"0\n1\n2\n"), (["parts", "2"], b"\0\xff\n" * 2),
                                (["--json", "parts", "1"], b'"AP8K"\n'), (["--json", "nothing"], b"null\n")):
            result = self.put(demo, "demo", *words)
            self.assertEqual((result.code, result.out, result.err), (0, "", ""))
            self.assertEqual((self.content(), self.left()), (expected, ["out"]))

    def test_standard_output(self):
        result = netron("call", cli_test.demo.url, "demo", "parts", "2", "-o-", text=False)
        self.assertEqual((result.code, result.out, result.err), (0, b"\0\xff\n" * 2, b""))
        self.call('"Hello, 5"\n', "greet", "5", "--output=-")

    def test_much(self):
        result = self.put(node.url, "streams", "upper", "--input",
                          self.file("".join(f"x{i}\n" for i in range(50000)), "../much"))
        self.assertEqual((result.code, result.out, result.err), (0, "", ""))
        lines = self.content().decode().splitlines()
        self.assertEqual(len(lines), 50000)

    def test_a_call_that_fails_leaves_nothing(self):
        result = self.put(cli_test.demo.url, "demo", "find", "u9")
        self.assertEqual((result.code, result.out, self.left()), (1, "", []))
        self.assertRegex(result.err, "404 ")

    def test_a_file_is_replaced_as_a_whole_or_not_at_all(self):
        self.file("before", "out")
        result = self.put(node.url, "streams", "fill", "3")
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("409 conflict: it broke here\n", result.err)
        self.assertIn(f"netron: what came until then is in {self.folder}/out.partial\n", result.err)
        self.assertEqual(self.content(), b"before")
        self.assertEqual(self.content("out.partial"), bytes(3 * CHUNK))
        self.put(cli_test.demo.url, "demo", "count", "1")
        self.assertEqual((self.content(), self.left()), (b"0\n", ["out"]))

    def test_an_interrupt_keeps_what_came(self):
        process = subprocess.Popen([cli_test.options.netron, "call", cli_test.demo.url, "demo",
                                    "slow_count", "3", "-o", str(self.folder / "out")],
                                   env=environment(), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        partial = self.folder / "out.partial"
        while not partial.exists() or partial.read_text() != "0\n1\n":
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (130, ""))
        self.assertIn("out.partial\n", err)
        self.assertEqual(self.left(), ["out.partial"])

    def test_mode_and_links_stay(self):
        os.chmod(self.file("x", "real"), 0o600)
        os.symlink("real", self.folder / "out")
        self.assertEqual(self.put(cli_test.demo.url, "demo", "add", "5", "3").code, 0)
        self.assertTrue((self.folder / "out").is_symlink())
        self.assertEqual(self.content("real"), b"8\n")
        self.assertEqual((self.folder / "real").stat().st_mode & 0o777, 0o600)

    def test_one_run_at_a_time(self):
        with open(self.folder / "out.partial", "wb") as partial:
            fcntl.flock(partial, fcntl.LOCK_EX)
            partial.write(b"of another")
            partial.flush()
            result = self.put(cli_test.demo.url, "demo", "add", "5", "3")
            self.assertEqual((result.code, result.out), (2, ""))
            self.assertIn("out.partial: another run is writing it", result.err)
            self.assertEqual(self.content("out.partial"), b"of another")

    def test_what_cannot_be_opened(self):
        for path, why in (("/no/such/file", "No such file"), (str(self.folder), "Is a directory")):
            err = self.fails(2, "call", node.url, "streams", "none_of_it", "-o", path)
            self.assertIn(f"--output {path}: {why}", err)
        if os.getuid() != 0:
            os.chmod(self.folder, 0o500)
            result = self.put(node.url, "streams", "none_of_it")
            self.assertIn("Permission denied", result.err)
            self.assertEqual(result.code, 2)

    def test_what_cannot_be_written(self):
        for words in (["demo", "add", "5", "3"], ["demo", "parts", "100000"], ["demo", "forever"]):
            result = netron("call", cli_test.demo.url, *words, "--output", "/dev/full")
            self.assertEqual((result.code, result.out, result.err),
                             (1, "", "netron: cannot write /dev/full: No space left on device\n"))
        with open("/dev/full", "w") as full:
            err = netron("call", cli_test.demo.url, "demo", "add", "5", "3", "-o-", stdout=full).err
            self.assertIn("cannot write the output: No space left on device", err)

    def test_a_reader_that_leaves_ends_it_quietly(self):
        left = int(netron("get", cli_test.demo.url, "demo", "left").out)
        process = subprocess.Popen([cli_test.options.netron, "call", cli_test.demo.url, "demo",
                                    "forever", "--output=-"], env=environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), '"y"\n')
        process.stdout.close()
        with process.stderr as err:
            self.assertEqual(err.read(), "")
        self.assertEqual(process.wait(timeout=PATIENCE), 0)
        while int(netron("get", cli_test.demo.url, "demo", "left").out) == left:
            pass


class Progress(Case):
    """Standard error on a terminal, standard output not; the input is a pipe that stays open."""

    def begin(self, *words):
        self.leader, follower = pty.openpty()
        process = self.start("weigh", "--input=-", *words, text=False, stdin=subprocess.PIPE,
                             stderr=follower)
        os.close(follower)
        return process

    def shown(self, until=None):
        """What the terminal got, until that is in it or the program has ended."""
        shown = b""
        while until is None or until not in shown:
            self.assertTrue(select.select([self.leader], [], [], PATIENCE)[0], shown)
            try:
                data = os.read(self.leader, 65536)
            except OSError as error:
                self.assertEqual(error.errno, errno.EIO)
                break
            shown += data
        return shown

    def test_a_line_while_it_takes_long(self):
        process = self.begin()
        process.stdin.write(bytes(3 << 20))
        process.stdin.flush()
        self.assertRegex(self.shown(until=b"MiB, "), rb"\Asent 3\.0 MiB, \Z|\A\r\x1b\[K.*sent 3\.0 MiB, ")
        self.assertEqual(process.communicate(timeout=PATIENCE)[0], b"3145728\n")
        self.assertTrue(self.shown().endswith(b"\r\x1b[K"))
        os.close(self.leader)

    def test_no_line_when_it_is_not_wanted(self):
        for option in ("--quiet", "--json"):
            process = self.begin(option)
            self.assertEqual(process.communicate(b"xyz", timeout=PATIENCE)[0], b"3\n")
            self.assertEqual(self.shown(), b"")
            os.close(self.leader)


if __name__ == "__main__":
    cli_test.main()
