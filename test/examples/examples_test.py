#!/usr/bin/env python3
"""The examples, as the description of each says: what clients print, what the command answers.

    examples_test.py [BUILD] [unittest args]      BUILD is build/release unless told

BUILD holds netron, examples/ and the programs of this folder (test/examples/). Servers listen on
free ports; nothing sleeps until something is ready: it is asked until it answers, or a deadline has
passed. The last line is "N passed, N failed".
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLES = ROOT / "examples"
PATIENCE = 60  # seconds, for machines that run sanitizers
SCHEMES = ("ws", "tcp", "unix")

build = None    # the build folder
settings = {}   # of its CMakeCache.txt
scratch = None  # a folder for sockets and copies


def environment(**extra):
    kept = {k: v for k, v in os.environ.items() if k not in ("NETRON_URL", "TERM")}
    kept.update(LC_ALL="C", **extra)
    return kept


def run(*words, env=None, **how):
    return subprocess.run([str(word) for word in words], env=environment(**(env or {})), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE, **how)


def netron(*words, command=None, **how):
    return run(command or build / "netron", *words, **how)


def example(name):
    return str(build / "examples" / name)


def helper(name):
    return str(build / "test/examples" / name)


addresses = 0


def free_address(scheme):
    global addresses
    addresses += 1
    if scheme == "unix":
        return f"unix://{scratch}/{addresses}.sock"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"{scheme}://127.0.0.1:{probe.getsockname()[1]}"


class Server:
    """A program that serves. An URL among its words is filled in; it is up when it answers."""

    def __init__(self, *words, scheme="ws", env=None):
        self.env = env
        for _ in range(5):  # a port that was free may be taken before the server has it
            self.url = free_address(scheme)
            if self.begin([self.url if word == "URL" else word for word in words]):
                return
            self.out, self.err = self.process.communicate()
        raise AssertionError(f"{words[0]} does not start: {self.err}")

    def begin(self, words):
        self.process = subprocess.Popen(words, env=environment(**(self.env or {})), text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answers = netron("describe", self.url).returncode == 0
            try:
                self.process.wait(0.02)
                return False
            except subprocess.TimeoutExpired:
                if answers:
                    return True
        self.process.kill()
        return False

    def stop(self):
        if self.process.returncode is None:
            self.process.terminate()
            self.out, self.err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


class Case(unittest.TestCase):
    maxDiff = None

    def serve(self, *words, prints="", **how):
        """A server until the end of the test: it ends well and has said nothing else."""
        server = Server(*words, **how)

        def ended():
            self.assertEqual((server.stop(), server.out, server.err),
                             (0, prints.replace("URL", server.url), ""))
        self.addCleanup(ended)
        return server.url

    def stop(self):
        """End the servers now."""
        self.doCleanups()

    def ends(self, result, expected):
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, expected, ""))

    def prints(self, expected, *words, **how):
        self.ends(netron(*words, **how), expected)

    def fails(self, *words, says=(), **how):
        """The far side answers an error, which stands on standard error."""
        result = netron(*words, **how)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        for pattern in says:
            self.assertRegex(result.stderr, pattern)
        return result.stderr

    def everywhere(self, name, client, expected):
        """The same client against a fresh server, over each transport."""
        for scheme in SCHEMES:
            with self.subTest(scheme):
                url = self.serve(example(f"{name}/server"), "URL", scheme=scheme)
                if callable(client):
                    client(url)
                else:
                    self.ends(run(example(client), url), expected)
                self.stop()


FIBONACCI = "0\n1\n1\n2\n3\n5\n8\n13\n21\n34\n"
LAST_FIBONACCI = "12200160415121876738"


class E01Calculator(Case):
    def calculator(self):
        return self.serve(example("e01/server"), "URL")

    def test_client(self):
        self.everywhere("e01", "e01/client", "8\n" + FIBONACCI)

    def test_command(self):
        url = self.calculator()
        self.prints("8\n", "call", url, "calculator@1.0.0", "add", "5", "3")
        self.prints(FIBONACCI, "call", url, "calculator", "fibonacci", "10")

    def test_describe(self):
        signatures = ("calculator@1.0.0\n  add(i64 a, i64 b) -> i64\n"
                      "  fibonacci(u32 n) -> stream u64\n")
        self.prints(signatures, "describe", self.calculator(), "calculator")

    def test_a_stream_of_nothing_ends_well(self):
        url = self.calculator()
        self.prints("", "call", url, "calculator", "fibonacci", "0")
        self.ends(run(helper("fibonacci"), url, 0), "")

    def test_the_last_number_that_fits(self):
        url = self.calculator()
        for result in (netron("call", url, "calculator", "fibonacci", "94"),
                       run(helper("fibonacci"), url, 94)):
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            numbers = result.stdout.splitlines()
            self.assertEqual((len(numbers), numbers[-1]), (94, LAST_FIBONACCI))
            for n in range(2, 94):
                self.assertEqual(int(numbers[n]), int(numbers[n - 1]) + int(numbers[n - 2]))

    def test_one_more_names_n(self):
        url = self.calculator()
        self.fails("call", url, "calculator", "fibonacci", "95", says=[r"\bn\b"])
        result = run(helper("fibonacci"), url, 95)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"^400 .*\bn\b")

    def test_a_sum_that_does_not_fit(self):
        self.fails("call", self.calculator(), "calculator", "add", "9223372036854775807", "1",
                   says=[r"does not fit"])

    def test_a_wrong_argument_is_named(self):
        self.fails("call", self.calculator(), "calculator", "add", '"x"', "3",
                   says=[r"\ba\b", r"\bi64\b"])

    def test_a_version_that_is_not_there(self):
        self.fails("call", self.calculator(), "calculator@^2", "add", "1", "1",
                   says=[r"1\.0\.0"])


class Lines(Case):
    def test_every_program_has_under_40(self):
        programs = [*EXAMPLES.glob("e*/*.c"), *EXAMPLES.glob("e*/*.cpp")]
        self.assertGreater(len(programs), 14)
        for program in programs:
            self.assertLess(len(program.read_text().splitlines()), 40, program)


class E01Cpp(Case):
    """The calculator in C++, alone and with the one in C."""

    def setUp(self):
        if not os.path.exists(example("e01cpp/server")):
            self.skipTest("this build has no C++")

    def test_client(self):
        self.everywhere("e01cpp", "e01cpp/client", "8\n" + FIBONACCI)

    def test_with_c(self):
        self.everywhere("e01", "e01cpp/client", "8\n" + FIBONACCI)
        self.everywhere("e01cpp", "e01/client", "8\n" + FIBONACCI)

    def test_errors(self):
        url = self.serve(example("e01cpp/server"), "URL")
        self.fails("call", url, "calculator", "fibonacci", "95", says=[r"\bn\b"])
        self.fails("call", url, "calculator", "add", "9223372036854775807", "1",
                   says=[r"does not fit"])


class E02Versions(Case):
    def test_client(self):
        self.everywhere("e02", "e02/client", "v1 v2\n")

    def test_command(self):
        url = self.serve(example("e02/server"), "URL")
        for answer, service, *words in (("v1", "auth@1.0.0", "t"), ("v2", "auth@2.0.0", "t", "r"),
                                        ("v2", "auth", "t", "r"), ("v1", "auth@^1", "t")):
            self.prints(answer + "\n", "call", url, service, "whoami", *words)
        self.fails("call", url, "auth@3.0.0", "whoami", "t",
                   says=[r"\b404\b", r"1\.0\.0", r"2\.0\.0"])

    def test_a_version_that_is_taken(self):
        server = Server(helper("twice"), "URL")
        self.addCleanup(server.stop)
        self.prints("the first\n", "call", server.url, "auth@1.0.0", "whoami", "t")
        self.prints("auth@1.0.0\n  whoami(str token) -> str\n", "describe", server.url)
        self.assertEqual((server.stop(), server.out), (0, ""))
        lines = server.err.splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertEqual(lines[0], "the first: 0 ")
        for line, who in zip(lines[1:], ("the second", "the first again")):
            self.assertRegex(line, rf"^{who}: 409 .*auth@1\.0\.0")


class E03Name(Case):
    def test_command(self):
        def ask(url):
            self.prints("2\n", "call", url, "user-management", "count")
        self.everywhere("e03", ask, None)

    def test_describe(self):
        url = self.serve(example("e03/server"), "URL")
        self.prints("user-management@1.2.3\n  count() -> u32\n",
                    "describe", url, "user-management")

    def test_refused_names(self):
        result = run(helper("names"))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        said = [line.split("|", 2) for line in result.stdout.splitlines()]
        *refused, right = said
        self.assertEqual([name for name, _, _ in refused],
                         ["user management@1.2.3", "user-management@1.2", "user-management@",
                          "@1.0.0"])
        for name, code, message in refused:
            self.assertEqual(code, "400", name)
            self.assertIn("write e.g. user-management@1.2.3", message, name)
        self.assertEqual(right, ["user-management@1.2.3", "0", ""])


class E04Readonly(Case):
    def test_client(self):
        self.everywhere("e04", "e04/client", "1.0.0 Alice\n")

    def test_command(self):
        url = self.serve(example("e04/server"), "URL")
        self.prints("1.0.0\n", "get", url, "users", "version")
        self.fails("set", url, "users", "version", "2", says=[r"(?i)read-?only"])
        self.prints("1.0.0\n", "get", url, "users", "version")
        self.fails("call", url, "users", "getUserById", "u9", says=[r"\b404\b.*no such user"])
        self.fails("call", url, "users", "hidden", says=[r"\b404\b.*\bgetUserById\b"])

    def test_writing_it_does_not_compile(self):
        source = (EXAMPLES / "e04/client.c").read_text()
        place = "    return NETRON_OK;\n"
        self.assertEqual(source.count(place), 1)
        for wrong, line in ((False, "    NETRON_TRY(users__version_get(&proxy, &version));\n"),
                            (True, '    users__version_set(&proxy, netron_s("2"));\n')):
            file = pathlib.Path(scratch) / "client.c"
            file.write_text(source.replace(place, line + place))
            result = run(settings.get("CMAKE_C_COMPILER", "cc"), "-std=c11", "-fsyntax-only",
                         f"-I{ROOT}/include", f"-I{EXAMPLES}/e04", file)
            if not wrong:
                self.ends(result, "")
                continue
            self.assertNotEqual(result.returncode, 0)
            number = file.read_text().splitlines().index(line.rstrip()) + 1
            error = next(text for text in result.stderr.splitlines() if "error:" in text)
            self.assertRegex(error, rf"client\.c:{number}:.*users__version_set")


class E05Plain(Case):
    def test_command(self):
        def ask(url):
            self.prints("42\n", "call", url, "kinds", "calculate", "21")
            self.prints("0.5\n", "call", url, "kinds", "calculate", "0.25")
        self.everywhere("e05", ask, None)


class E06Waiting(Case):
    def test_client(self):
        self.everywhere("e06", "e06/client", "soon late\n")

    def test_a_caller_that_leaves_is_not_counted(self):
        url = self.serve(example("e06/server"), "URL")
        self.prints('{"id":1,"text":"done"}\n', "call", url, "slow", "fetchData", "0")
        self.fails("call", "--timeout", "100ms", url, "slow", "fetchData", "60000",
                   says=[r"\b408\b"])
        self.prints('{"id":2,"text":"done"}\n', "call", url, "slow", "fetchData", "0")

    def test_nor_when_its_wait_would_be_over(self):
        url = self.serve(example("e06/server"), "URL")
        self.fails("call", "--timeout", "50ms", url, "slow", "fetchData", "1000", says=[r"408"])
        self.prints('{"id":1,"text":"done"}\n', "call", url, "slow", "fetchData", "1000")


class E07Records(Case):
    def test_client(self):
        def read(url):
            self.prints("0\n", "get", url, "feed", "left")
            self.ends(run(example("e07/client"), url), "0 2\n1 2\n2 2\nleft 1\n")
            self.prints("1\n", "get", url, "feed", "left")
            self.ends(run(example("e07/client"), url), "0 2\n1 2\n2 2\nleft 2\n")
            self.prints("2\n", "get", url, "feed", "left")
        self.everywhere("e07", read, None)

    def test_reading_to_the_end_is_not_leaving(self):
        url = self.serve(example("e07/server"), "URL")
        items = "".join('{"index":%d,"payload":"YWI="}\n' % i for i in range(3))
        self.prints(items, "call", url, "feed", "streamData", "3")
        self.prints("0\n", "get", url, "feed", "left")


class E08ClosedSet(Case):
    def test_client(self):
        self.everywhere("e08", "e08/client", "active inactive\n")

    def test_describe(self):
        url = self.serve(example("e08/server"), "URL")
        self.prints("account@1.0.0\n  deactivate() -> none\n"
                    "  readonly status: active | inactive\n", "describe", url, "account")

    def test_command(self):
        url = self.serve(example("e08/server"), "URL")
        self.prints("active\n", "get", url, "account", "status")
        self.prints("", "call", url, "account", "deactivate")
        self.prints("inactive\n", "get", url, "account", "status")

    def outside(self, value):
        return self.serve(helper("outside"), "serve", "URL", value)

    def test_a_value_of_the_set_from_outside(self):
        self.ends(run(helper("outside"), "get", self.outside('"inactive"')), "0||1\n")

    def test_a_value_outside_the_set(self):
        for value in ("suspended", "", "ACTIVE", "activer"):
            with self.subTest(value):
                url = self.outside(json.dumps(value))
                said = run(helper("outside"), "get", url).stdout
                self.assertRegex(said, r"^422\|.*\|77\n$")
                self.assertIn(f'"{value}"', said)
                self.assertIn("active | inactive", said)
                result = run(example("e08/client"), url)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertIn(f'"{value}"', result.stderr)
                self.stop()

    def test_no_text_at_all(self):
        """Never a wrong number, not even for a number."""
        for value in ("1", "0", "null", "true", '["active"]'):
            with self.subTest(value):
                said = run(helper("outside"), "get", self.outside(value)).stdout
                self.assertRegex(said, r"^422\|.*expected .+, found .+\|77\n$")
                self.stop()


class E10Packet(Case):
    def test_the_packet_taken_apart(self):
        self.ends(run(example("e10/packet_test")),
                  "id 7 type 5 impulse 1 error 0 stream 4 index 10 last 1 live 1\n")

    def test_a_call_as_bytes_and_an_answer(self):
        self.ends(run(helper("packet")),
                  "000000014394b063616c63756c61746f7240312e302e30a36164640503\n8\n")


class Folder(Case):
    """A folder to serve: files, links that lead out, a secret beside it."""

    def setUp(self):
        base = tempfile.TemporaryDirectory(dir=scratch)
        self.addCleanup(base.cleanup)
        outside = pathlib.Path(base.name)
        self.root = outside / "root"
        (self.root / "sub").mkdir(parents=True)
        (outside / "secret").write_text("secret")
        self.content = os.urandom(300_000)
        (self.root / "large.bin").write_bytes(self.content)
        (self.root / "empty").write_bytes(b"")
        (self.root / "link").symlink_to("../secret")
        (self.root / "absolute").symlink_to("/etc/passwd")
        os.mkfifo(self.root / "pipe")

    HOSTILE = (("../secret", 403), ("/etc/passwd", 403), ("link", 403), ("absolute", 403), ("pipe", 403),
               ("sub", 403), ("sub/../../secret", 403), ("..", 403), ("", 400), ("x" * 5000, 400),
               ("none", 404), ("empty/none", 404), ("sub/..", 403), ("//etc/passwd", 403))


class E11FileService(Folder):
    def fetch(self, url, path):
        return subprocess.run([example("e11/client"), url, path], env=environment(), timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_a_file_arrives_whole(self):
        for scheme in SCHEMES:
            url = self.serve(example("e11/server"), "URL", self.root, scheme=scheme)
            got = self.fetch(url, "large.bin")
            self.assertEqual((got.returncode, got.stdout == self.content), (0, True), got.stderr)
            got = self.fetch(url, "empty")
            self.assertEqual((got.returncode, got.stdout), (0, b""), got.stderr)

    def test_no_path_leaves_the_folder(self):
        url = self.serve(example("e11/server"), "URL", self.root)
        for path, code in self.HOSTILE:
            with self.subTest(path=path[:20]):
                if path == "":
                    continue  # the client's own default
                got = self.fetch(url, path)
                self.assertEqual((got.returncode, got.stdout), (1, b""))
                self.assertTrue(got.stderr.startswith(b"%d " % code), got.stderr)


class E11Resources(Case):
    """Memory and descriptors do not grow with the file or its readers, and an early end is no end."""

    MIB = 1 << 20

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        self.root = self.folder / "root"
        self.root.mkdir()
        self.server = Server(example("e11/server"), "URL", str(self.root))
        self.addCleanup(self.end)

    def end(self):
        self.assertEqual((self.server.stop(), self.server.out, self.server.err), (0, "", ""))
        shutil.rmtree(self.folder)

    def put(self, name, mib):
        """A file without repetition, so that a chunk that is lost or doubled changes its sum."""
        path = self.root / name
        digest = hashlib.sha256()
        with open(path, "wb") as file:
            for _ in range(mib):
                block = os.urandom(self.MIB)
                digest.update(block)
                file.write(block)
        return path, digest.hexdigest()

    def reader(self, path, **how):
        return subprocess.Popen([example("e11/client"), self.server.url, path],
                                env=environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)

    def lists(self, path):
        folder = f"/proc/{self.server.process.pid}/fd"
        for name in os.listdir(folder):
            try:
                if os.readlink(f"{folder}/{name}") == str(path):
                    return True
            except FileNotFoundError:
                continue
        return False

    def wait_until(self, claim):
        deadline = time.monotonic() + PATIENCE
        while not claim():
            self.assertLess(time.monotonic(), deadline, "it never came true")
            time.sleep(0.01)

    def test_the_whole_file(self):
        path, expected = self.put("large-file.bin", 16)
        done = subprocess.run([example("e11/client"), self.server.url, path.name],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), expected)
        self.assertFalse(self.lists(path))
        done = subprocess.run([str(build / "netron"), "call", self.server.url, "file-service",
                               "streamFile", path.name, "--json"], text=True,
                              stdout=subprocess.PIPE, timeout=PATIENCE)
        chunks = [base64.b64decode(json.loads(line)) for line in done.stdout.splitlines()]
        self.assertEqual({len(chunk) for chunk in chunks}, {64 * 1024})
        self.assertEqual(hashlib.sha256(b"".join(chunks)).hexdigest(), expected)

    def test_a_file_that_shrinks_is_an_error(self):
        path, _ = self.put("shrinks", 32)
        reader = self.reader(path.name)
        self.assertTrue(reader.stdout.read(1))
        os.truncate(path, self.MIB)  # the reader is slow: most of the file has not been read yet
        out, err = reader.communicate(timeout=PATIENCE)
        self.assertEqual(reader.returncode, 1)
        self.assertLess(len(out), 32 * self.MIB)
        self.assertRegex(err.decode(), r"\A409 .*cut")

    def test_a_reader_that_is_killed_leaves_no_file_open(self):
        path, _ = self.put("held", 32)
        reader = self.reader(path.name)
        self.assertTrue(reader.stdout.read(1))
        self.assertTrue(self.lists(path))
        reader.kill()
        reader.communicate(timeout=PATIENCE)
        self.wait_until(lambda: not self.lists(path))

    def test_an_output_that_is_full_is_an_error(self):
        self.put("any", 1)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([example("e11/client"), self.server.url, "any"], stdout=full,
                                  stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)

    def test_a_slow_reader_costs_no_memory(self):
        if settings.get("NETRON_SANITIZE"):
            self.skipTest("a sanitizer's memory is its own")

        def kib(process, field):
            with open(f"/proc/{process.pid}/status") as status:
                return int(re.search(rf"(?m)^{field}:\s+(\d+) kB", status.read()).group(1))

        size = 256
        path, expected = self.put("large-file.bin", size)
        idle = kib(self.server.process, "VmRSS")
        digest = hashlib.sha256()
        reader = self.reader(path.name)
        for i in range(size - 1):
            digest.update(reader.stdout.read(self.MIB))
            if i == 0:
                idle_reader = kib(reader, "VmRSS")
            if i < 16:
                time.sleep(0.05)  # 20 MiB/s: the rest of the file must not pile up meanwhile
        peaks = [kib(self.server.process, "VmHWM") - idle, kib(reader, "VmHWM") - idle_reader]
        out, err = reader.communicate(timeout=PATIENCE)
        digest.update(out)
        self.assertEqual((reader.returncode, err, digest.hexdigest()), (0, b"", expected))
        self.assertLess(max(peaks), 32 * 1024, "KiB of the server and the client above idle")


class Files(Folder):
    def test_stat_read_and_checksum(self):
        url = self.serve(example("files/server"), "URL", self.root)
        stat = json.loads(netron("call", url, "files", "stat", "large.bin").stdout)
        self.assertEqual(stat["size"], len(self.content))
        digest = hashlib.sha256(self.content).hexdigest()
        self.prints(digest + "\n", "call", url, "files", "checksum", "large.bin")
        self.fails("call", url, "files", "read", "large.bin", "300001", says=["400", "300000 bytes"])
        self.prints("", "call", url, "files", "read", "large.bin", "300000")
        self.fails("call", url, "files", "write_at", "large.bin", "0", '"eA=="', says=["403", "--write"])

    def test_write_at(self):
        url = self.serve(example("files/server"), "URL", self.root, "--write")
        for offset, text, end in ((0, "aGVs", 3), (3, "bG8=", 5)):
            self.prints(f"{end}\n", "call", url, "files", "write_at", "sub/new", str(offset), text)
        self.assertEqual((self.root / "sub/new").read_bytes(), b"hello")
        self.fails("call", url, "files", "write_at", "link", "0", "eA==", says=["403"])
        self.fails("call", url, "files", "write_at", "../new", "0", "eA==", says=["403"])
        self.assertEqual((self.root.parent / "secret").read_text(), "secret")

    def test_a_file_goes_there_and_back(self):
        """5 MiB and a bit, as a stream each way, with the command alone."""
        url = self.serve(example("files/server"), "URL", self.root, "--write")
        content = os.urandom((5 << 20) + 123)
        here, back = self.root.parent / "here", self.root.parent / "back"
        here.write_bytes(content)
        self.prints(f"{len(content)}\n", "call", url, "files", "write", "sub/copy", "0", "--input", here)
        self.assertTrue((self.root / "sub/copy").read_bytes() == content)
        digest = hashlib.sha256(content).hexdigest()
        self.prints(digest + "\n", "call", url, "files", "checksum", "sub/copy")
        self.prints("", "call", url, "files", "read", "sub/copy", "--output", back)
        self.assertTrue(back.read_bytes() == content)
        self.prints("", "call", url, "files", "read", "sub/copy", "100", "--output", back)
        self.assertTrue(back.read_bytes() == content[100:])
        self.assertFalse(back.with_name("back.partial").exists())

    def test_a_stream_is_written_only_where_it_may_be(self):
        url = self.serve(example("files/server"), "URL", self.root)
        here = self.root.parent / "here"
        here.write_bytes(bytes(1 << 20))
        self.fails("call", url, "files", "write", "new", "0", "--input", here, says=["403", "--write"])
        self.assertFalse((self.root / "new").exists())

    def test_no_path_leaves_the_folder(self):
        url = self.serve(example("files/server"), "URL", self.root)
        for path, code in self.HOSTILE:
            for member in ("stat", "checksum", "read"):
                with self.subTest(path=path[:20], member=member):
                    self.fails("call", url, "files", member, path, says=[f"^netron: {code} "])


class E12Chat(Case):
    def listen(self, url, *words):
        """A `netron on` whose subscription stands."""
        process = subprocess.Popen([str(build / "netron"), "on", url, "chat", "message", *words],
                                   env=environment(), text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        self.assertRegex(process.stderr.readline(), "^listening for ")
        return process

    def say(self, url, text):
        self.prints("", "call", "--timeout", "900ms", url, "chat", "sendMessage", text)

    def heard(self, process):
        """All that it heard, when it has ended by itself."""
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, err), (0, ""))
        return [json.loads(line) for line in out.splitlines()]

    def test_client(self):
        self.everywhere("e12", "e12/client", "New message: hello dated\n")

    def test_describe(self):
        self.prints("chat@1.0.0\n  sendMessage(str message) -> none\n"
                    "  event message(chat_message data)\n"
                    "  chat_message { str text, i64 timestamp }\n",
                    "describe", self.serve(example("e12/server"), "URL"), "chat")

    def test_each_of_three_hears_it_once(self):
        url = self.serve(example("e12/server"), "URL")
        three = [self.listen(url, "--count", "2") for _ in range(3)]
        left = self.listen(url, "--count", "1")
        self.say(url, "one")
        self.assertEqual([said["text"] for said in self.heard(left)], ["one"])
        self.say(url, "two")
        for process in three:
            said = self.heard(process)
            self.assertEqual([one["text"] for one in said], ["one", "two"])
            self.assertTrue(all(one["timestamp"] > 1e12 for one in said))

    def test_one_that_answers_nothing_delays_nobody(self):
        url = self.serve(example("e12/server"), "URL")
        stopped, killed, other = (self.listen(url, "--count", "2") for _ in range(3))
        stopped.send_signal(signal.SIGSTOP)
        killed.kill()
        killed.wait(PATIENCE)
        self.say(url, "one")
        self.say(url, "two")
        self.assertEqual([said["text"] for said in self.heard(other)], ["one", "two"])
        stopped.send_signal(signal.SIGCONT)
        self.assertEqual([said["text"] for said in self.heard(stopped)], ["one", "two"])


class E14Aggregate(Case):
    def test_client(self):
        url = self.serve(helper("both"), "URL")
        self.ends(run(example("e14/client"), url), "8\n42\n")

    def parts(self):
        return self.serve(example("e01/server"), "URL"), self.serve(example("e05/server"), "URL")

    def test_a_service_made_of_two(self):
        url = self.serve(example("e14/server"), "URL", *self.parts())
        self.prints("8\n", "call", url, "both", "add", "5", "3")
        self.prints("42\n", "call", url, "both", "calculate", "21")
        self.prints(FIBONACCI, "call", url, "both", "fibonacci", "10")
        self.fails("call", url, "both", "fibonacci", "95", says=[r"\bn\b"])
        self.fails("call", url, "both", "nothing", says=["404", "add"])

    def test_a_part_that_leaves(self):
        calculator = Server(example("e01/server"), "URL")
        kinds = self.serve(example("e05/server"), "URL")
        url = self.serve(example("e14/server"), "URL", calculator.url, kinds)
        calculator.stop()
        self.fails("call", url, "both", "add", "5", "3", says=["^netron: 503 "])
        self.prints("42\n", "call", url, "both", "calculate", "21")


class E15Middleware(Case):
    SEEN = "Calling add with [5,3]\nResult: 8\n"

    def test_on_the_clients_side(self):
        url = self.serve(example("e01/server"), "URL")
        self.ends(run(example("e15/client"), url), self.SEEN + "8\n")

    def test_on_the_servers_side(self):
        seen = self.SEEN + "Calling fibonacci with [3]\n"
        url = self.serve(example("e15/server"), "URL", prints=seen)
        self.prints("8\n", "call", url, "calculator", "add", "5", "3")
        self.prints("0\n1\n2\n", "call", url, "calculator", "fibonacci", "3")


class E16Composite(Case):
    def composite(self):
        auth = self.serve(example("e16/parts"), "URL")
        users = self.serve(example("e16/parts"), "URL")
        return self.serve(example("e16/server"), "URL", auth, users)

    def test_it_calls_both(self):
        self.prints('{"id":"u1","name":"Alice"}\n', "call", self.composite(), "composite",
                    "authenticatedUserInfo", "good")

    def test_an_error_is_unchanged_by_the_hop(self):
        self.fails("call", self.composite(), "composite", "authenticatedUserInfo", "bad",
                   says=["^netron: 401 .*bad token"])

    def test_a_part_that_hangs_holds_up_nobody(self):
        auth = Server(example("e16/parts"), "URL")
        self.addCleanup(auth.stop)
        url = self.serve(example("e16/server"), "URL", auth.url, self.serve(example("e16/parts"), "URL"))
        auth.process.send_signal(signal.SIGSTOP)
        try:
            self.fails("call", "--timeout", "200ms", url, "composite", "authenticatedUserInfo", "good",
                       says=["^netron: 408 "])
            self.assertEqual(netron("describe", url, "composite").returncode, 0)
        finally:
            auth.process.send_signal(signal.SIGCONT)


class E19Transport(Case):
    def test_both_ends_in_one_process(self):
        self.ends(run(example("e19/one_process")), "8\n")

    def test_it_is_small(self):
        lines = (EXAMPLES / "e19/pair_transport.h").read_text().splitlines()
        self.assertLess(len(lines), 80)

    def test_a_scheme_that_nobody_brought(self):
        result = netron("call", "nope://x", "calculator", "add", "5", "3")
        self.assertNotEqual(result.returncode, 0)
        for scheme in ("ws", "tcp", "unix"):
            self.assertRegex(result.stderr, rf"\b{scheme}\b")


class Numbers(Case):
    """Integers keep every bit; 5 reaches an f64, 5.5 does not reach an i64."""
    SIGNED = (0, -1, 2**53 + 1, -2**53 - 1, 2**63 - 1, -2**63)
    UNSIGNED = (0, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)

    def setUp(self):
        self.url = self.serve(helper("numbers"), "serve", "URL")

    def same(self, member, value, expected=None):
        expected = value if expected is None else expected
        self.prints(f"{expected}\n", "call", self.url, "numbers", member, str(value))

    def test_signed(self):
        for number in self.SIGNED:
            self.same("same_i64", number)

    def test_unsigned(self):
        for number in self.UNSIGNED:
            self.same("same_u64", number)
            self.prints("", "set", self.url, "numbers", "last", str(number))
            self.prints(f"{number}\n", "get", self.url, "numbers", "last")

    def test_any(self):
        for number in self.SIGNED + self.UNSIGNED:
            self.same("same_any", number)
            self.same("same_any", f'{{"n":[{number}]}}')

    def test_a_list_and_a_stream(self):
        listed = json.dumps(self.UNSIGNED, separators=(",", ":"))
        self.same("same_list", listed)
        self.prints(f"0\n{2**64 - 1}\n", "call", self.url, "numbers", "both_ends")

    def test_between_nodes(self):
        self.stop()
        for scheme in SCHEMES:
            with self.subTest(scheme):
                url = self.serve(helper("numbers"), "serve", "URL", scheme=scheme)
                self.ends(run(helper("numbers"), "call", url), "")
                self.stop()

    def test_integers_reach_floats(self):
        self.same("same_f64", 5)
        self.same("same_f64", 5.5)
        self.same("same_f64", -2**53)

    def test_whole_floats_reach_integers(self):
        self.same("same_i64", "5.0", 5)
        self.same("same_u64", "5.0", 5)

    def test_what_does_not_fit(self):
        for member, what, values in (
                ("same_i64", r"i64", (5.5, 2**63, -2**63 - 1, "1e300", "-1e19")),
                ("same_u64", r"u64", (5.5, -1, 2**64, "1e300"))):
            for value in values:
                with self.subTest(member, value=value):
                    self.fails("call", self.url, "numbers", member, str(value),
                               says=[rf"\b400\b.*\bn\b.*\b{what}\b"])


class OwnFile(Case):
    """A file of a user's own, far from the tree."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hello-", dir=scratch)
        self.file = shutil.copy(EXAMPLES / "hello/hello.c", self.folder)

    def greeted(self, url, **how):
        for count, words in enumerate((["World"], [], ["World"])):
            name = words[0] if words else "you"
            self.prints(f"Hello, {name}! ({count})\n", "call", url, "hello", "greet", *words,
                        **how)


class Hello(OwnFile):
    def test_it_has_about_30_lines(self):
        self.assertLess(len(pathlib.Path(self.file).read_text().splitlines()), 40)

    def test_netron_run(self):
        node = subprocess.Popen([str(build / "netron"), "run", "--json", "hello.c",
                                 "--listen", "ws://127.0.0.1:0"], cwd=self.folder,
                                env=environment(), text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self.assertTrue(select.select([node.stdout], [], [], PATIENCE)[0], "nothing came")
            line = node.stdout.readline()
            self.assertTrue(line, "it ended")
            self.greeted(json.loads(line)["listening"][0])
        finally:
            node.terminate()
            _, err = node.communicate(timeout=PATIENCE)
        self.assertEqual((node.returncode, err), (0, ""))
        self.assertEqual(os.listdir(self.folder), ["hello.c"])


class Installed(OwnFile):
    """The same after cmake --install: what a user builds with pkg-config."""

    @classmethod
    def setUpClass(cls):
        if settings.get("NETRON_SANITIZE"):
            raise unittest.SkipTest("what is built with sanitizers is not installed")
        cls.prefix = pathlib.Path(tempfile.mkdtemp(prefix="prefix-", dir=scratch))
        done = run(settings.get("CMAKE_COMMAND", "cmake"), "--install", build, "--prefix",
                   cls.prefix)
        assert done.returncode == 0, done.stderr
        found = list(cls.prefix.glob("**/netron.pc"))
        assert len(found) == 1, found
        cls.pkg_config = {"PKG_CONFIG_PATH": str(found[0].parent)}
        cls.library = {"LD_LIBRARY_PATH": str(found[0].parent.parent),
                       "DYLD_LIBRARY_PATH": str(found[0].parent.parent)}

    def compiled(self, command):
        """By a shell, as in the manual."""
        done = run("sh", "-c", command, env=self.pkg_config, cwd=self.folder)
        self.ends(done, "")

    def test_hello_as_a_program(self):
        self.compiled("cc -Wall -Wextra -Werror hello.c $(pkg-config --cflags --libs netron)"
                      " -o hello")
        url = self.serve(f"{self.folder}/hello", "--listen", "URL", env=self.library,
                         prints="hello@1.0.0 on URL\n")
        self.greeted(url, command=self.prefix / "bin/netron")

    def test_the_calculator_in_cpp(self):
        for name in ("server", "client"):
            self.compiled(f"c++ -std=c++17 -Wall -Wextra -Werror {EXAMPLES}/e01cpp/{name}.cpp"
                          f" $(pkg-config --cflags --libs netron) -o {name}")
        url = self.serve(f"{self.folder}/server", "URL", env=self.library)
        self.ends(run(f"{self.folder}/client", url, env=self.library), "8\n" + FIBONACCI)


class Counted(unittest.TextTestResult):
    """How many tests passed and failed, those whose class did not come up included."""

    def __init__(self, *words, **how):
        super().__init__(*words, **how)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def failed(self):
        wrong = [test for test, _ in self.failures + self.errors] + self.unexpectedSuccesses
        return len({getattr(test, "test_case", test).id() for test in wrong})


class Runner(unittest.TextTestRunner):
    resultclass = Counted


def main():
    global build, settings, scratch
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default=str(ROOT / "build/release"))
    options, rest = parser.parse_known_args()
    build = pathlib.Path(options.build).resolve()
    cache = (build / "CMakeCache.txt").read_text()
    settings = dict(re.findall(r"(?m)^(\w+):\w+=(.*)$", cache))
    scratch = tempfile.mkdtemp(prefix="netron-examples-")
    try:
        result = unittest.main(argv=[sys.argv[0], *rest], testRunner=Runner, exit=False).result
    finally:
        shutil.rmtree(scratch)
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    print(f"{result.passed} passed, {result.failed()} failed{skipped}", flush=True)
    sys.exit(0 if result.wasSuccessful() and result.passed else 1)


if __name__ == "__main__":
    main()
