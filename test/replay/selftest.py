"""The harness against itself.

Server direction: the recorded server is played by a Mirror that gives ids, UUIDs and streams other
names than the recording has, and the recorded client by the server test. As it is, nothing may be
reported; with a mistake put into every row of the server, every such row must be.
Client direction: the same with a FakeClient, a program (this file) in the place of replay_client.
"""

import os
import queue
import socket
import sys
import threading

import link
import player
import wire

PING_ID = 0x6fffffff


class NoExceptions:
    entries = {}

    def find(self, direction, row):
        del direction, row


def made_by_server(rows):
    """UUIDs that the server names first."""
    made, seen = set(), set()
    for row in rows:
        if row.packet:
            found = {text.lower() for text in
                     player.UUID.findall(wire.show(row.packet.data, 1 << 20))}
            made |= found - seen if row.dir == "s2c" else set()
            seen |= found
    return made


class Mirror(player.Player):
    direction, tested = "client", "c2s"

    def __init__(self, rows, spoil):
        super().__init__(rows, NoExceptions())
        self.spoil, self.spoiled = spoil, []
        self.listeners = {scheme: socket.create_server(("127.0.0.1", 0)) for scheme in ("ws", "tcp")}
        self.made = made_by_server(rows)

    def addresses(self):
        return {scheme: one.getsockname() for scheme, one in self.listeners.items()}

    def open(self, row):
        if row.session == "tcp":
            self.links[row.conn] = link.accept_tcp(self.listeners["tcp"])
        else:
            self.links[row.conn] = link.accept_websocket(self.listeners["ws"])[0]

    def receive(self, row, deadline):
        count = len(self.failures)
        if not super().receive(row, deadline):
            return False
        self.failures = [one for index, one in enumerate(self.failures)
                         if index < count or "empty reference" not in one[1]]
        if not self.pending[row.conn]:
            return True
        got = self.pending[row.conn][-1]
        if got.packet is not None and got.packet.id == PING_ID:
            self.pending[row.conn].pop()
            self.links[row.conn].send(got.packet.with_(impulse=False).bytes())
            return self.receive(row, deadline)
        return True

    def play_tested(self, row):
        if row.op != "binary" or row.packet or row.data.startswith(b"{"):
            super().play_tested(row)  # a node drops what it cannot read

    def other_name(self, found):
        recorded = found.group()
        if recorded.lower() not in self.made:
            return recorded
        return ("ff" if recorded == recorded.lower() else "FF") + recorded[2:]

    def rename(self, value):
        kind = value[0]
        if kind == "str":
            return (kind, player.UUID.sub(self.other_name, value[1]))
        if kind == "list":
            return (kind, [self.rename(item) for item in value[1]])
        if kind == "map":
            return (kind, [(key, ("int", item[1] + 5000) if key[1] == "pendingPacketId"
                            else self.rename(item)) for key, item in value[1]])
        if kind in ("def", "ref"):
            return (kind, *(self.rename(("str", text))[1] for text in value[1:4]), *value[4:])
        if kind == "titan":
            return (kind, [self.rename(item) for item in value[1]])
        return value

    def rewrite_packet(self, row):
        packet = row.packet.with_(data=self.rename(row.packet.data))
        if packet.impulse:
            packet = packet.with_(id=packet.id + 5000)
        if row.session != "client-stream":
            packet = self.other_stream(packet)
        if self.spoil is None:
            return packet
        self.spoiled.append(row)
        return self.spoil(packet)

    @staticmethod
    def other_stream(packet):
        if packet.type == wire.STREAM:
            return packet.with_(stream=packet.stream + 50)
        if packet.type == wire.STREAM_CLOSE:
            return packet.with_(data=("map", [(key, ("int", item[1] + 50))
                                              if key[1] == "streamId" else (key, item)
                                              for key, item in packet.data[1]]))
        if packet.data[0] == "stream":
            return packet.with_(data=("stream", packet.data[1] + 50, *packet.data[2:]))
        return packet

    def expect(self, row, is_wanted, lane):
        """Answers to requests of ours have our ids."""
        if row.packet is not None and not row.packet.impulse:
            ours = row.packet.id + 5000
            return super().expect(row, lambda got: got.packet is not None
                                  and not got.packet.impulse and got.packet.id == ours, lane)
        return super().expect(row, is_wanted, lane)

    def finish(self):
        for one in [*self.links.values(), *self.listeners.values()]:
            one.shut() if isinstance(one, link.Link) else one.close()


def spoil_value(packet):
    return packet.with_(data=("str", "spoiled"))


def spoil_flag(packet):
    return packet.with_(error=not packet.error)


def spoil_text(packet):
    """One letter of the deepest text, or one more in a number."""
    def change(value):
        kind = value[0]
        if kind == "str":
            return (kind, value[1] + "x")
        if kind == "int":
            return (kind, value[1] + 1)
        if kind == "list" and value[1]:
            return (kind, value[1][:-1] + [change(value[1][-1])])
        if kind == "map" and value[1]:
            return (kind, value[1][:-1] + [(value[1][-1][0], change(value[1][-1][1]))])
        if kind == "def":
            return (*value[:4], change(value[4]))
        if kind == "titan":
            return (kind, [*value[1][:2], change(value[1][2]), *value[1][3:]])
        if kind == "error":
            return (*value[:4], change(value[4]), value[5])
        if kind == "stream":
            return (*value[:4], value[4] + "x")
        return ("nil",) if value != ("nil",) else ("undefined",)
    return packet.with_(data=change(packet.data))


class OneException(NoExceptions):
    """A listed exception where none is needed, or one that promises what does not come."""

    def __init__(self, row, data):
        self.row = row
        self.entry = {"ours": [{"data": data}]}

    def find(self, direction, row):
        return self.entry if (direction, row) == ("server", self.row) else None


def play(server_test, rows, spoil, mirror_class=Mirror, exceptions=NoExceptions()):
    """Both sides; what the server test reported, what the mirror reported, what was spoiled."""
    mirror = mirror_class(rows, spoil)
    result = queue.Queue()

    def run():
        try:
            mirror.play()
        except Exception as error:  # told below: the test must not hang
            mirror.failures.append(("mirror", repr(error)))
        mirror.finish()
        result.put(mirror)

    threading.Thread(target=run, daemon=True).start()
    test = server_test(rows, exceptions, mirror.addresses())
    test.before_row = lambda row: None  # no peers beside the recorded ones
    try:
        test.play()
    finally:
        test.finish()
    result.get(timeout=60)
    return test, mirror


def miss_and_double(server_test, rows):
    """One packet is not sent, or twice: what was not noticed."""
    index = next(index for index, row in enumerate(rows[:-4]) if row.dir == "s2c" and row.packet
                 and not row.packet.impulse and rows[index + 1].dir == "c2s"
                 and rows[index + 1].packet)

    class Missing(Mirror):
        def play_ours(self, row):
            if row is not rows[index]:
                super().play_ours(row)

    class Doubling(Mirror):
        def play_ours(self, row):
            super().play_ours(row)
            if row is rows[index]:
                super().play_ours(row)

    unseen = []
    for wrong, sign in ((Missing, "did not come"), (Doubling, "unexpected")):
        test, _ = play(server_test, rows, None, wrong)
        if not any(sign in text for _, text in test.failures):
            unseen.append(wrong.__name__)
    return unseen


def readable(rows):
    """Without the row that no node can read."""
    return [row for row in rows if row.op != "binary" or row.packet or row.data[:1] == b"{"]


class FakeClient(player.Player):
    """What replay_client should do, done from the recording."""

    direction, tested = "server", "s2c"

    def __init__(self, rows, address, spoil):
        super().__init__(rows, NoExceptions())
        self.address, self.spoil = address, spoil

    def open(self, row):
        if row.session == "tcp":
            self.links[row.conn] = link.connect_tcp(self.address)
        else:
            self.links[row.conn] = link.connect_websocket(self.address, row.raw["url"],
                                                          row.raw["headers"])

    def play_ours(self, row):
        if row.op == "close" or (row.packet and row.packet.impulse
                                 and not player.is_promised(self.rows, row)):
            print(f"step {row.packet.id if row.packet else 'close'}", flush=True)
            sys.stdin.readline()
        super().play_ours(row)

    def rewrite_packet(self, row):
        packet = row.packet
        if packet.impulse:
            packet = packet.with_(id=packet.id + 5000)
        return self.spoil(packet) if self.spoil else packet

    def is_same_thing(self, row, received):
        if row.packet and received.packet and not row.packet.impulse:
            received = player.Received(received.op, received.data, received.packet.with_(
                id=received.packet.id - 5000))
        return super().is_same_thing(row, received)

    def play_tested(self, row):
        super().play_tested(row)
        packet = row.packet
        if packet is None:
            return
        value = wire.encode(packet.data).hex()
        if packet.impulse and packet.type == wire.TASK and packet.data[1][0][1] == "emit":
            print("event " + wire.encode(("list", packet.data[1][1:])).hex())
        elif packet.type == wire.STREAM and packet.data != wire.NIL:
            print(f"item {packet.stream} {value}")
        elif packet.impulse:
            return
        elif not packet.error:
            print(f"ok {packet.id} {value}")
        elif packet.data[0] == "titan":
            fields = packet.data[1]
            print(f"err {packet.id} {fields[1][1]} {fields[0][1].encode().hex()} "
                  f"{fields[2][1].encode().hex()} {wire.encode(fields[3]).hex()}")
        elif packet.data[0] == "error":
            print(f"err {packet.id} 500 {packet.data[2][1].encode().hex()} "
                  f"{packet.data[4][1].encode().hex()} ")
        else:
            print(f"err {packet.id} 500 {b'Error'.hex()} {packet.data[1].encode().hex()} ")


def fake_client(session, conn, url, vectors, spoil=None):
    """The program: the same arguments as replay_client."""
    rows = [row for row in readable(player.load_rows(vectors, session))
            if row.conn == (session, int(conn))]
    host, port = url.split("://")[1].split(":")
    client = FakeClient(rows, (host, int(port)), globals().get(spoil))
    client.play()
    for _, text in client.failures:
        if spoil is None and "pendingPacketId" not in text:  # of the other connection of a pair
            print(f"fake client: {text}")
    return 0


def run(server_test, client_test, sessions, vectors, readme_is_right):
    passed = failed = 0
    player.MISSING_MAX = 1000  # spoiled rows lead astray, and all are to be seen

    def tell(ok, what, reasons=()):
        nonlocal passed, failed
        passed, failed = passed + bool(ok), failed + (not ok)
        print(f"{'passed' if ok else 'FAILED'} {what}")
        for reason in list(reasons)[:10]:
            print(f"    {reason}")

    def tell_spoiled(name, spoil, rows, failures):
        told = {text.split(":")[0] for _, text in failures}
        unseen = [row.name() for row in rows if row.name() not in told]
        tell(rows and not unseen, f"{name} with {spoil.__name__} in {len(rows)} rows: each is "
             "reported", unseen)

    for rows in sessions:
        name = "server " + "+".join(dict.fromkeys(row.session for row in rows))
        player.DEADLINE = 8.0
        test, mirror = play(server_test, rows, None)
        reasons = [text for _, text in test.failures + mirror.failures]
        tell(not reasons, f"{name} as recorded", reasons)
        for spoil in (spoil_value, spoil_flag, spoil_text):
            player.DEADLINE = 1.0
            test, mirror = play(server_test, rows, spoil)
            tell_spoiled(name, spoil, mirror.spoiled, test.failures)
    for rows in sessions:
        name = "client " + "+".join(dict.fromkeys(row.session for row in rows))
        for spoil in (None, spoil_value, spoil_flag, spoil_text):
            player.DEADLINE = 1.0 if spoil else 8.0
            test = client_test(readable(rows), NoExceptions(), None, vectors)
            test.program = [sys.executable, "-B", os.path.abspath(__file__), str(spoil and spoil.__name__)]
            test.play()
            if spoil is None:
                reasons = [text for _, text in test.failures]
                tell(not reasons, f"{name} as recorded", reasons)
                continue
            tell_spoiled(name, spoil, [row for row in rows if row.dir == "c2s" and row.packet],
                         test.failures)
    player.DEADLINE = 0.5
    unseen = miss_and_double(server_test, sessions[0])
    tell(not unseen, "a packet that is missing, and one too many", unseen)
    row = next(row for row in sessions[0] if row.dir == "s2c" and row.packet
               and row.packet.data == ("int", 3))
    for data in ({"$": "any"}, 4):
        test, _ = play(server_test, sessions[0], None, exceptions=OneException(row, data))
        tell(any("is not needed" in text for _, text in test.failures),
             f"an exception that says {data} where the recording holds")
    test, _ = play(server_test, sessions[0], lambda packet: packet.with_(data=("int", 5))
                   if packet.data == ("int", 3) else packet, exceptions=OneException(row, 4))
    tell(any("the listed exception says" in text for _, text in test.failures),
         "an exception that says 4 where 5 comes")
    tell(readme_is_right, "README.md has the table of replay.py --table")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(fake_client(*sys.argv[2:], spoil=sys.argv[1] if sys.argv[1] != "None" else None))
