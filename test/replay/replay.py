#!/usr/bin/env python3
"""Plays the recorded sessions of test/vectors against our node, as server and as client.

    replay.py [--build DIR] [--vectors DIR] [--server | --client] [-v] [SESSION ...]
    replay.py --self-test        the harness against itself: one side of each recording plays the
                                 other, once as recorded and once with a mistake in every row
    replay.py --table            the table of README.md: what the client direction leaves out

Server direction: starts DIR/replay_node and plays the recorded client. Client direction: starts
DIR/replay_client and plays the recorded server. Ends with "N passed, N failed"; exit code 0 only if
nothing failed. See README.md beside this file.
"""

import argparse
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True

import link
import selftest
import wire
from player import (DEADLINE, MISSING_MAX, Exceptions, Player, is_promised, load_rows,
                    merge_rows)

HERE = os.path.dirname(os.path.abspath(__file__))
SESSIONS = ["titan-titan", "browser-titan", "tcp", "versions", "tasks", "tasks-auth", "references",
            "client-stream", ("expose-owner", "expose-caller")]
PING_ID = 0x6fffffff


def names_of(session):
    return session if isinstance(session, tuple) else (session,)


def rows_of(vectors, session):
    rows = [load_rows(vectors, name) for name in names_of(session)]
    return merge_rows(*rows) if len(rows) == 2 else rows[0]


class Process:
    """A program of ours; its output lines come through a queue. stop() ends it, and it only."""

    def __init__(self, command):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.lines, self.errors = queue.Queue(), []
        self.threads = [threading.Thread(target=self.read_output, daemon=True),
                        threading.Thread(target=self.read_errors, daemon=True)]
        for thread in self.threads:
            thread.start()

    def read_output(self):
        for line in self.process.stdout:
            self.lines.put(line.decode("utf-8", "replace").rstrip("\n"))
        self.lines.put(None)

    def read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode("utf-8", "replace").rstrip("\n"))

    def line(self, timeout=DEADLINE):
        """The next line; None at the end of the output; queue.Empty when none comes in time."""
        return self.lines.get(timeout=timeout)

    def go(self):
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it is gone: the next packet will be missed

    def stop(self, terminate):
        if terminate and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "no end: killed"
        for thread in self.threads:
            thread.join(DEADLINE)
        return code


class ServerTest(Player):
    """Our node is the server; we are the recorded clients."""

    direction, tested = "server", "s2c"

    def __init__(self, rows, exceptions, addresses):
        super().__init__(rows, exceptions)
        self.addresses = addresses  # scheme: (host, port)
        self.side = {}  # peers that were there but were not recorded

    def open(self, row):
        if row.session == "tcp":
            self.links[row.conn] = link.connect_tcp(self.addresses["tcp"])
        else:
            self.links[row.conn] = link.connect_websocket(self.addresses["ws"], row.raw["url"],
                                                          row.raw["headers"])

    def before_row(self, row):
        for step in SIDE_STEPS.get((row.session, row.line), ()):
            step(self)

    def before_close(self, row):
        """Nothing more may come: what the node sent before this answer is here when it is."""
        ping = wire.Packet(PING_ID, wire.PING, True, False, False, False, wire.NIL)
        self.links[row.conn].send(ping.bytes())
        self.expect(row, lambda got: got.packet is not None and got.packet.id == PING_ID, None)

    def side_connect(self, peer_id):
        deadline = time.monotonic() + DEADLINE
        peer = self.side[peer_id] = link.connect_websocket(self.addresses["ws"])
        peer.recv(deadline)
        peer.send(b'{"type":"client-id","id":"%s"}' % peer_id.encode())

    def side_expose(self, peer_id, meta):
        task = ("list", [("str", "expose_service"), meta])
        packet = wire.Packet(1, wire.TASK, True, False, False, False, task)
        self.side[peer_id].send(packet.bytes())

    def side_close(self, peer_id, answers=0):
        deadline = time.monotonic() + DEADLINE
        peer = self.side.pop(peer_id)
        for _ in range(answers):
            peer.recv(deadline)
        peer.close(1000, "")
        peer.recv(deadline)
        peer.shut()

    def finish(self):
        for one in [*self.links.values(), *self.side.values()]:
            one.shut()


def theirs_meta(test):
    """The service of other-0002, as the event about it shows it."""
    row = next(row for row in test.rows if row.line == 205)
    event = dict((key[1], value) for key, value in row.packet.data[1][2][1])
    return event["definition"][4]


# What happened beside the recorded connection, by the row that shows it (session-tasks.decoded.txt:
# "another client connects, then disconnects" and what follows).
SIDE_STEPS = {
    ("tasks", 191): [lambda test: test.side_connect("other-0001")],
    ("tasks", 193): [lambda test: test.side_close("other-0001")],
    ("tasks", 203): [lambda test: test.side_connect("other-0002")],
    ("tasks", 205): [lambda test: test.side_expose("other-0002", theirs_meta(test))],
    ("tasks", 207): [lambda test: test.side_close("other-0002", answers=1)],
}


class ClientTest(Player):
    """Our node is the client, driven by replay_client; we are the recorded server."""

    direction, tested = "client", "c2s"

    def __init__(self, rows, exceptions, build, vectors):
        super().__init__(rows, exceptions)
        self.program, self.vectors = [f"{build}/replay_client"], vectors
        self.drivers, self.told, self.answers = {}, {}, {}
        self.events, self.chunks = {}, {}
        self.raw_subscriptions = {"tasks", "expose-owner"}  # subscribed by bare tasks there

    def open(self, row):
        name, conn = row.conn
        scheme = "tcp" if name == "tcp" else "ws"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.drivers[row.conn] = Process([*self.program, name, str(conn),
                                              f"{scheme}://127.0.0.1:{port}", self.vectors])
            self.told[row.conn] = []
            if scheme == "tcp":
                self.links[row.conn] = link.accept_tcp(listener)
                return
            self.links[row.conn], url, headers = link.accept_websocket(listener)
        self.check_head(row, url, {name: value for name, value in headers.items()
                                   if name not in ("host", "sec-websocket-key")})

    def check_head(self, row, url, headers):
        want = {"url": row.raw["url"], "headers": {name: value.lower() for name, value
                                                   in row.raw["headers"].items()}}
        got = {"url": url, "headers": {name: value.lower() for name, value in headers.items()}}
        exception = self.exceptions.find(self.direction, row)
        if exception is not None:
            self.hit(row, exception)
            if want == got:
                self.fail(row, "comes as recorded: the listed exception is not needed")
            want = exception["ours"][0]
        if want != got:
            self.fail(row, f"upgrade request {got}, expected {want}")

    def before_request(self, row):
        """Let the driver go on, once it stands at this very step."""
        if is_promised(self.rows, row):
            return
        label = "close" if row.op == "close" else str(row.packet.id)
        driver = self.drivers[row.conn]
        while True:
            try:
                line = driver.line()
            except queue.Empty:
                line = "nothing in time"
            if line is None or not line.startswith(("ok ", "err ", "item ", "end ", "event ")):
                break
            self.told[row.conn].append(line)
        if line != f"step {label}":
            self.missing = MISSING_MAX  # out of step: what follows says nothing
            self.fail(row, f"the driver should do step {label} now, it says: {line}")
        else:
            driver.go()

    def sent(self, row):
        packet = row.packet
        if not packet.impulse:
            self.answers[row.conn, packet.id] = row
        elif task_name(packet) == "emit":
            self.events.setdefault(row.conn, []).append(("list", packet.data[1][1:]))
        elif packet.type == wire.STREAM and not (packet.last and packet.data == wire.NIL):
            self.chunks.setdefault((row.conn, packet.stream), []).append(packet.data)

    def finish(self):
        for one in self.links.values():
            one.shut()
        for conn, driver in self.drivers.items():
            code = driver.stop(terminate=self.missing > 0)
            while (line := driver.lines.get()) is not None:
                self.told[conn].append(line)
            if code != 0:
                self.failures.append((conn[0], f"{conn[0]}: replay_client ended with {code}: "
                                               + " | ".join(driver.errors[-20:])))
            self.check_told(conn)

    def check_told(self, conn):
        """What the client made of our answers."""
        events, chunks, results = [], {}, set()
        for line in self.told[conn]:
            word, *rest = line.split(" ")
            if word == "event":
                events.append(wire.decode(bytes.fromhex(rest[0])))
            elif word == "item":
                chunks.setdefault(int(rest[0]), []).append(wire.decode(bytes.fromhex(rest[1])))
            elif word in ("ok", "err"):
                results.add(int(rest[0]))
                self.check_result(conn, word, int(rest[0]), rest[1:])
            elif word != "end":
                self.failures.append((conn[0], f"{conn[0]}: replay_client says: {line}"))
        if conn[0] not in self.raw_subscriptions and events != self.events.get(conn, []):
            self.failures.append((conn[0], f"{conn[0]}: events heard {events}, sent "
                                           f"{self.events.get(conn, [])}"))
        for stream, items in chunks.items():
            if items != self.chunks.get((conn, stream), []):
                self.failures.append((conn[0], f"{conn[0]}: stream {stream} read {items}, sent "
                                               f"{self.chunks.get((conn, stream), [])}"))
        for row in self.rows:
            if row.conn == conn and row.dir == "c2s" and self.has_result(row):
                if row.packet.id not in results:
                    self.fail(row, "replay_client told no result")

    def has_result(self, row):
        packet = row.packet
        if packet is None or not packet.impulse or packet.type not in (
                wire.GET, wire.SET, wire.CALL, wire.TASK):
            return False
        return (row.conn, packet.id) in self.answers and task_name(packet) not in (
            "unsubscribe", "unref_service")

    def check_result(self, conn, word, ident, rest):
        row = self.answers.get((conn, ident))
        if row is None and word == "err" and self.is_unanswered(conn, ident):
            return  # it failed when the connection ended, as it has to
        if row is None:
            self.failures.append((conn[0], f"{conn[0]}: a result of {ident}, which had no answer"))
            return
        error = row.packet.error
        if (word == "err") != error:
            self.fail(row, f"the answer's error flag is {error}, replay_client says: {word} {rest}")
        elif word == "ok":
            if rest[0] and wire.decode(bytes.fromhex(rest[0])) != row.packet.data:
                self.fail(row, f"the client understood {rest[0]}")
        else:
            self.check_error(row, *rest)

    def is_unanswered(self, conn, ident):
        """A request that the recorded server never answered."""
        return not any(row.conn == conn and row.dir == "s2c" and row.packet
                       and not row.packet.impulse and row.packet.id == ident for row in self.rows)

    def check_error(self, row, code, name, message, details=""):
        got = (int(code), bytes.fromhex(name).decode(), bytes.fromhex(message).decode())
        data = row.packet.data
        if data[0] == "titan":
            fields = dict(zip(wire.TITAN_FIELDS, data[1]))
            want = tuple(wire.plain(fields[key]) for key in ("code", "name", "message"))
            empty = ("map", [])
            found = wire.decode(bytes.fromhex(details)) if details else empty
            if found != fields["details"]:
                self.fail(row, f"the client understood the details {wire.show(found)}")
        elif data[0] == "error":
            want = (got[0], wire.plain(data[2]), wire.plain(data[4]))
        elif data[0] == "str":
            want = (got[0], got[1], data[1])
        else:
            return
        if got != want:
            self.fail(row, f"the client understood {got}, sent was {want}")


def task_name(packet):
    """None for what is no task, or none that has a name."""
    if packet.type != wire.TASK or packet.data[0] != "list" or not packet.data[1]:
        return None
    return packet.data[1][0][1] if packet.data[1][0][0] == "str" else None


# ---- running ------------------------------------------------------------------------------------


def node_addresses(node):
    addresses = {}
    while (line := node.line()) not in ("", None):
        scheme, _, rest = line.partition("://")
        host, _, port = rest.rstrip("/").rpartition(":")
        addresses[scheme] = (host, int(port))
    return addresses


def run_server(options, session, exceptions):
    rows = rows_of(options.vectors, session)
    node = Process([f"{options.build}/replay_node", names_of(session)[0], options.vectors])
    test = ServerTest(rows, exceptions, {})
    try:
        test.addresses = node_addresses(node)
        test.play()
    except (OSError, link.LinkError, queue.Empty, KeyError) as error:
        test.fail(rows[min(test.position, len(rows) - 1)], f"cannot go on: {error!r}")
    code = node.stop(terminate=True)
    if code != 0:
        test.failures.append((names_of(session)[0],
                              f"replay_node ended with {code}: " + " | ".join(node.errors[-20:])))
    return test


def run_client(options, session, exceptions):
    rows = rows_of(options.vectors, session)
    test = ClientTest(rows, exceptions, options.build, options.vectors)
    try:
        test.play()
    except (OSError, link.LinkError, queue.Empty, KeyError) as error:
        test.fail(rows[min(test.position, len(rows) - 1)], f"cannot go on: {error!r}")
        test.missing += 1
        test.finish()
    return test


def report(test, session, exceptions, options):
    """Lines about each recording of a run; how many passed and failed."""
    passed = failed = 0
    for name in names_of(session):
        failures = [text for where, text in test.failures if where == name]
        notes = [(row, entry) for where, row, entry in test.notes if where == name]
        hit = set(test.hits)
        for key, entry in exceptions.entries.items():
            if key[:2] == (test.direction, name) and key not in hit:
                failures.append(f"{name} row {key[2]}: a listed exception that is not hit: "
                                f"{entry['what']}")
        left_out = [row for row, entry in notes if entry.get("kind") == "inexpressible"]
        rows = sum(1 for row in test.rows if row.session == name and row.dir == test.tested
                   and row.op != "open")
        print(f"{'FAILED' if failures else 'passed'} {test.direction} {name}: {rows} messages, "
              f"{test.compared.get(name, 0)} as recorded, {len(notes) - len(left_out)} listed "
              f"exceptions, {len(left_out)} not made, {len(failures)} failures")
        for failure in failures:
            print(f"    {failure}")
        for row, entry in notes:
            if options.verbose or entry.get("kind") == "inexpressible":
                print(f"    - {row.name()}: {entry['what']}: {entry['why']}")
        passed, failed = passed + (not failures), failed + bool(failures)
    return passed, failed


def table_of(vectors, exceptions):
    """What README.md lists: rows of recorded clients that are not made through the API."""
    lines = ["| recording | row | recorded packet | what | why |", "|---|---|---|---|---|"]
    for session in SESSIONS:
        for row in rows_of(vectors, session):
            entry = exceptions.find("client", row)
            if entry is not None and entry.get("kind") == "inexpressible":
                packet = str(row.packet or row.data.hex()).replace("|", "\\|")[:90]
                lines.append(f"| {row.session} | {row.line} | `{packet}` | {entry['what']} "
                             f"| {entry['why']} |")
    return "\n".join(lines)


def readme_has(table):
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        return f"<!-- replay.py --table -->\n{table}\n<!-- end -->" in file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="where replay_node and replay_client are",
                        default=os.path.join(HERE, "../../build/release/test/replay"))
    parser.add_argument("--vectors", default=os.path.join(HERE, "..", "vectors"))
    parser.add_argument("--exceptions", default=os.path.join(HERE, "exceptions.json"))
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--client", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("session", nargs="*")
    options = parser.parse_args()
    exceptions = Exceptions(options.exceptions)
    table = table_of(options.vectors, exceptions)
    if options.self_test:
        return selftest.run(ServerTest, ClientTest,
                            [rows_of(options.vectors, one) for one in SESSIONS], options.vectors,
                            readme_has(table))
    if options.table:
        print(table)
        return 0
    for program in ("replay_node", "replay_client"):
        if not os.access(os.path.join(options.build, program), os.X_OK):
            parser.error(f"{options.build} has no {program}: build it, or say --build DIR")
    both = options.server == options.client
    passed = failed = 0
    for run, wanted in ((run_server, options.server or both), (run_client, options.client or both)):
        for session in SESSIONS if wanted else ():
            if options.session and not set(options.session) & set(names_of(session)):
                continue
            test = run(options, session, exceptions)
            more = report(test, session, exceptions, options)
            passed, failed = passed + more[0], failed + more[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
