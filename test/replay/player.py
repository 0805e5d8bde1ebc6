"""Plays one side of a recording and compares what the other side, which is under test, sends.

What may differ from the recording, because it cannot be the same: packet ids and stream ids that
the tested side gives out (mapped), UUIDs that it makes (mapped, one to one), timestamps of errors,
stacks, ping times, and the order of packets of different streams. Everything else that differs is a
failure, unless exceptions.json lists it.
"""

import json
import re
import time
from dataclasses import dataclass, field

import wire
from link import LinkError, TcpLink, Timeout

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DEADLINE = 8.0  # seconds for one packet; nothing waits for its length
MISSING_MAX = 3
NEW_STREAM = "a stream not seen before"


@dataclass
class Row:
    session: str
    line: int  # of the .jsonl file, from 1
    frame: int  # within one read of a TCP recording, from 0
    dir: str
    op: str
    t: int
    conn: tuple
    data: bytes
    raw: dict
    packet: wire.Packet = None

    def name(self):
        place = f"row {self.line}" + (f".{self.frame}" if self.frame else "")
        return f"{self.session} {place}" + (f" (id {self.packet.id})" if self.packet else "")


def load_rows(vectors, session):
    rows = []
    path = f"{vectors}/session-{session}.jsonl"
    with open(path, encoding="utf-8") as file:
        for line, text in enumerate(file, 1):
            raw = json.loads(text)
            op, data = raw["op"], bytes.fromhex(raw["hex"])
            for frame, message in enumerate(split_frames(data) if op == "data" else [data]):
                row = Row(session, line, frame, raw["dir"], "binary" if op == "data" else op,
                          raw["t"], (session, raw.get("conn", 0)), message, raw)
                if row.op == "binary" and not message.startswith(b"{"):
                    try:
                        row.packet, canonical = wire.decode_packet(message)
                        assert canonical, f"{path}:{line}: the harness encodes this differently"
                    except wire.WireError:
                        pass  # a client that sent what no node can read; it is sent as it is
                rows.append(row)
    return rows


def split_frames(data):
    frames = []
    while data:
        size = int.from_bytes(data[:4], "big")
        frames.append(data[4:4 + size])
        data = data[4 + size:]
    return frames


def merge_rows(one, two):
    """Two recordings with one clock; of rows at the same time, what clients send goes first."""
    merged = []
    while one and two:
        first = (one[0].t, one[0].dir != "c2s")
        second = (two[0].t, two[0].dir != "c2s")
        merged.append((one if first <= second else two).pop(0))
    return merged + one + two


def is_promised(rows, row):
    """A chunk of a stream that an answer promised: it comes without any further request."""
    return row.packet is not None and row.packet.type == wire.STREAM and any(
        one.conn == row.conn and one.dir == row.dir and one.line < row.line
        and one.packet is not None and not one.packet.impulse
        and one.packet.data[0] == "stream" and one.packet.data[1] == row.packet.stream
        for one in rows)


# What stands for "ext": "announced" in exceptions.json: all that this node announces, in its order.
ANNOUNCED = ["int64", "cancel", "credit", "meta", "oneway", "patterns", "resume"]


def with_announced(value):
    if isinstance(value, dict):
        return {key: ANNOUNCED if key == "ext" and item == "announced" else with_announced(item)
                for key, item in value.items()}
    return [with_announced(item) for item in value] if isinstance(value, list) else value


class Exceptions:
    """exceptions.json: where our node differs from the recording on purpose."""

    def __init__(self, path):
        self.entries = {}
        with open(path, encoding="utf-8") as file:
            for entry in with_announced(json.load(file)):
                missing = {"session", "direction", "row", "what", "why"} - entry.keys()
                assert not missing, f"exceptions.json: {entry} lacks {missing}"
                rows = entry["row"] if isinstance(entry["row"], list) else [entry["row"]]
                for row in rows:
                    key = (entry["direction"], entry["session"], row, entry.get("frame", 0))
                    assert key not in self.entries, f"exceptions.json: {key} is listed twice"
                    self.entries[key] = entry

    def find(self, direction, row):
        return self.entries.get((direction, row.session, row.line, row.frame))


@dataclass
class Received:
    op: str
    data: bytes
    packet: wire.Packet = None
    reported: bool = False

    def __str__(self):
        if self.packet:
            return f"{self.packet} [{self.data.hex()[:400]}]"
        return f"{self.op} {self.data[:200]!r}"


@dataclass
class Mapping:
    """Recorded names of things that the tested side names: to ours."""
    packets: dict = field(default_factory=dict)
    streams: dict = field(default_factory=dict)
    uuids: dict = field(default_factory=dict)
    back: dict = field(default_factory=dict)  # of uuids

    def learn_uuid(self, recorded, ours):
        if recorded in self.uuids or ours in self.back:
            return self.uuids.get(recorded) == ours
        self.uuids[recorded], self.back[ours] = ours, recorded
        return True

    def uuid(self, recorded):
        """What to send for a recorded UUID; one that the tested side did not make stays."""
        if recorded in self.uuids:
            return self.uuids[recorded]
        if recorded.lower() in self.uuids:
            return self.uuids[recorded.lower()].upper()
        self.uuids[recorded] = self.back[recorded] = recorded
        return recorded

    def text(self, text):
        return UUID.sub(lambda found: self.uuid(found.group()), text)


class Comparison:
    """One recorded packet against one of ours; `differences` in words."""

    def __init__(self, mapping):
        self.mapping, self.differences = mapping, []

    def differ(self, path, expected, got):
        self.differences.append(f"{path or 'payload'}: {expected} recorded, {got} sent")

    def text(self, path, expected, got):
        ours, theirs = UUID.findall(got), UUID.findall(expected)
        same = UUID.sub("?", expected) == UUID.sub("?", got)
        for recorded, found in zip(theirs, ours):
            lower = recorded.lower()
            if recorded != lower and lower in self.mapping.uuids:
                same = same and self.mapping.uuids[lower].upper() == found
            else:
                same = self.mapping.learn_uuid(recorded, found) and same
        if not same:
            self.differ(path, repr(expected), repr(got))

    def many(self, path, expected, got):
        if len(expected) != len(got):
            self.differ(path, f"{len(expected)} items", f"{len(got)} items")
            return
        for index, pair in enumerate(zip(expected, got)):
            self.value(f"{path}[{index}]", *pair)

    def pairs(self, path, expected, got):
        keys = [wire.plain(key) for key, _ in expected]
        if keys != [wire.plain(key) for key, _ in got]:
            self.differ(path, f"keys {keys}", f"keys {[wire.plain(key) for key, _ in got]}")
            return
        for key, (_, one), (_, two) in zip(keys, expected, got):
            if key == "pendingPacketId" and one[0] == two[0] == "int":
                # The id of a packet, maybe of one on another connection.
                ours = [ours for (_, ident), ours in self.mapping.packets.items()
                        if ident == one[1]]
                if two[1] not in ours:
                    self.differ(f"{path}.{key}", f"{one[1]} (now {ours})", two[1])
                continue
            self.value(f"{path}.{key}", one, two)

    def titan(self, path, expected, got):
        for name, one, two in zip(wire.TITAN_FIELDS, expected, got):
            if name == "stack" or name == "timestamp" and one[0] == two[0]:
                continue
            self.value(f"{path}.{name}", one, two)

    def stream(self, path, expected, got):
        if expected[2] or expected[1] not in self.mapping.streams:
            self.mapping.streams[expected[1]] = got[1]  # an id may be used again after its end
        expected = (expected[0], self.mapping.streams[expected[1]], *expected[2:])
        if expected != got:
            self.differ(path, wire.plain(expected), wire.plain(got))

    def value(self, path, expected, got):
        kind = expected[0]
        if kind != got[0]:
            self.differ(path, wire.show(expected), wire.show(got))
        elif kind in ("str", "ref"):
            self.text(path, expected[1], got[1])
        elif kind in ("list", "set"):
            self.many(path, expected[1], got[1])
        elif kind in ("map", "dict"):
            self.pairs(path, expected[1], got[1])
        elif kind == "titan":
            self.titan(path, expected[1], got[1])
        elif kind == "error":
            self.many(f"{path}.error", [("int", expected[1]), expected[2], expected[4]],
                      [("int", got[1]), got[2], got[4]])
            self.pairs(f"{path}.fields", expected[5], got[5])
        elif kind == "def":
            for name, one, two in zip(("id", "parentId", "peerId"), expected[1:4], got[1:4]):
                self.text(f"{path}.{name}", one, two)
            self.value(f"{path}.meta", expected[4], got[4])
        elif kind == "stream":
            self.stream(path, expected, got)
        elif expected != got:
            self.differ(path, wire.show(expected), wire.show(got))

    def packet(self, expected, got):
        for name in ("type", "impulse", "error", "last", "live", "index"):
            one, two = getattr(expected, name), getattr(got, name)
            if one != two:
                self.differ(name, one, two)
        if expected.type == wire.PING and expected.data[0] == got.data[0] == "float":
            return  # the time of the ping
        self.value("", expected.data, got.data)


def matches(pattern, value):
    """A value in the notation of vectors.json against a pattern in it: {"$": "any"},
    {"$": "uuid"}, {"$": "starts", "v": text}; of errors and the like only the named fields."""
    if isinstance(pattern, dict) and "$" in pattern:
        kind = pattern["$"]
        if kind == "any":
            return True
        if kind == "uuid":
            return isinstance(value, str) and UUID.fullmatch(value) is not None
        if kind == "starts":
            return isinstance(value, str) and value.startswith(pattern["v"])
        return (isinstance(value, dict) and value.get("$") == kind
                and all(matches(part, value.get(key)) for key, part in pattern.items()))
    if isinstance(pattern, dict):
        return (isinstance(value, dict) and list(pattern) == list(value)
                and all(matches(part, value[key]) for key, part in pattern.items()))
    if isinstance(pattern, list):
        return (isinstance(value, list) and len(pattern) == len(value)
                and all(map(matches, pattern, value)))
    return type(pattern) is type(value) and pattern == value


def packet_matches(pattern, packet):
    kind = pattern.get("type")
    if kind is not None and wire.TYPES.index(kind) != packet.type:
        return False
    for name in ("index", "last", "live"):
        if name in pattern and pattern[name] != getattr(packet, name):
            return False
    return (pattern.get("error", False) == packet.error
            and matches(pattern.get("data", {"$": "any"}), wire.plain(packet.data)))


class Player:
    """One run through the rows. Subclasses make connections and drive the tested side."""

    direction = tested = None  # "server" and "s2c", or "client" and "c2s"

    def __init__(self, rows, exceptions):
        self.rows, self.exceptions = self.in_our_order(rows, exceptions), exceptions
        self.mapping = Mapping()
        self.links, self.pending = {}, {}
        self.position, self.missing = 0, 0
        self.writing = set()  # streams that we write at the moment
        self.written = set()  # streams that the tested side writes at the moment
        self.skipped = set()  # (connection, id) of requests that the tested side does not make
        self.unanswered = set()  # (connection, id) of requests of the tested side
        self.failures, self.hits, self.notes = [], [], []
        self.compared = {}  # session: rows that came as recorded

    def in_our_order(self, rows, exceptions):
        """The rows with those that our node sends later, on purpose, where it sends them."""
        rows = list(rows)
        for row in list(rows):
            exception = exceptions.find(self.direction, row)
            if exception is None or "after" not in exception:
                continue
            session, line = exception["after"]
            rows.remove(row)
            place = next(index for index, one in enumerate(rows)
                         if one.session == session and one.line == line)
            rows.insert(place + 1, row)
        return rows

    # ---- to be given by subclasses

    def open(self, row):
        raise NotImplementedError

    def before_request(self, row):
        """The tested side is about to start this packet by itself."""

    def before_row(self, row):
        """Something that happened beside the recorded connection."""

    def finish(self):
        """All rows are played."""

    # ---- telling

    def fail(self, row, what):
        self.failures.append((row.session, f"{row.name()}: {what}"))

    def hit(self, row, exception):
        self.hits.append((self.direction, row.session, row.line, row.frame))
        self.notes.append((row.session, row, exception))

    # ---- receiving

    def receive(self, row, deadline):
        """The next message of the row's connection into `pending`. False: there is none."""
        try:
            op, data = self.links[row.conn].recv(deadline)
        except Timeout:
            return False
        except LinkError as error:
            self.fail(row, f"framing: {error}")
            return False
        if op == "end":
            if not isinstance(self.links[row.conn], TcpLink) or row.op != "close":
                return False
            op = "close"  # TCP has no other sign
        received = Received(op, data)
        if op == "binary" and not data.startswith(b"{"):
            try:
                received.packet, canonical = wire.decode_packet(data)
                if not canonical:
                    self.fail(row, f"not encoded as existing nodes do: {data.hex()}")
            except wire.WireError as error:
                self.fail(row, f"undecodable packet ({error}): {data.hex()}")
                return self.receive(row, deadline)
        self.pending[row.conn].append(received)
        return True

    def lane(self, received):
        """Packets of one lane come in the recorded order."""
        return received.packet.stream_id() if received.packet else None

    def is_in_lane(self, received, lane):
        if lane == NEW_STREAM:
            return (received.packet is not None and received.packet.type == wire.STREAM
                    and received.packet.stream not in self.written)
        return self.lane(received) == lane

    def is_same_thing(self, row, received):
        """Whether this is our version of the recorded row, right or wrong."""
        if row.packet is None or received.packet is None:
            return row.op == received.op and (row.packet is None) == (received.packet is None)
        one, two = row.packet, received.packet
        if one.impulse != two.impulse:
            return False
        if not one.impulse:
            return one.id == two.id
        if one.is_stream():
            return two.is_stream()
        return one.type == two.type

    def comes_later(self, row, received):
        """A recorded row, not played yet, that this is."""
        for later in self.rows[self.position + 1:]:
            if later.conn == row.conn and later.dir == self.tested and (
                    later.packet is not None and received.packet is not None
                    and self.is_same_thing(later, received)
                    and (not later.packet.impulse or not self.compare(later, received, False))):
                return later
        return None

    def expect(self, row, is_wanted, lane):
        """Take the first message of the lane; those before it that are not wanted are failures."""
        deadline = time.monotonic() + DEADLINE
        while True:
            for received in list(self.pending[row.conn]):
                if not self.is_in_lane(received, lane):
                    continue
                if is_wanted(received):
                    self.pending[row.conn].remove(received)
                    return received
                later = self.comes_later(row, received)
                if later is None:
                    self.pending[row.conn].remove(received)
                    self.fail(row, f"before it came, unexpected: {received}")
                elif not received.reported:
                    received.reported = True
                    self.fail(row, f"what is recorded as row {later.line} came first: {received}")
            if not self.receive(row, deadline):
                self.missing += 1
                self.fail(row, f"did not come: {row.packet or row.op} [{row.data.hex()[:400]}]")
                return None

    def recorded_lane(self, row):
        stream = row.packet.stream_id() if row.packet else None
        if stream is None:
            return None
        if row.packet.type == wire.STREAM and stream not in self.mapping.streams:
            return NEW_STREAM  # one that no reference announced
        return self.mapping.streams.get(stream, stream)

    def compare(self, row, received, commit=True):
        """What differs between a recorded row and what came, in words."""
        mapping = self.mapping
        if not commit:
            mapping = Mapping(dict(mapping.packets), dict(mapping.streams), dict(mapping.uuids),
                              dict(mapping.back))
        if row.op != received.op:
            return [f"sent as {received.op}, recorded as {row.op}"]
        if row.op == "close" and "code" not in row.raw:
            return []
        if row.op == "close":
            code = int.from_bytes(received.data[:2], "big") if received.data else 1005
            got = (code, received.data[2:].decode("utf-8", "replace"))
            want = (row.raw.get("code"), row.raw.get("reason"))
            return [] if got == want else [f"closed with {got}, recorded {want}"]
        if row.packet is None or received.packet is None:
            return self.compare_json(row, received)
        comparison = Comparison(mapping)
        expected = self.with_our_streams(row.packet, mapping)
        comparison.packet(expected, received.packet)
        if commit and received.packet.impulse:
            self.learn_id(row, received)
        return comparison.differences

    @staticmethod
    def compare_json(row, received):
        try:
            want, got = json.loads(row.data), json.loads(received.data)
        except ValueError:
            return [f"{received.data!r} is no JSON"]
        return [] if want == got else [f"{got} sent, {want} recorded"]

    def learn_id(self, row, received):
        """The tested side started something: its id must tell the answer apart from others."""
        ident = received.packet.id
        if ident == 0 or ident >> 24 in (0x7b, 0x5b):
            self.fail(row, f"packet id {ident} is none, or looks like JSON (PROTOCOL.md §2)")
        if received.packet.is_stream():
            return
        if (row.conn, ident) in self.unanswered:
            self.fail(row, f"packet id {ident} stands for two requests at once")
        self.unanswered.add((row.conn, ident))
        self.mapping.packets[row.conn, row.packet.id] = ident

    @staticmethod
    def with_our_streams(packet, mapping):
        """The recorded packet with our ids of the streams that the tested side writes."""
        if packet.type == wire.STREAM:
            return packet.with_(stream=mapping.streams.get(packet.stream, packet.stream))
        stream = packet.stream_id()
        if stream is None:
            return packet
        ours = mapping.streams.get(stream, stream)
        data = [(key, ("int", ours) if key == ("str", "streamId") else value)
                for key, value in packet.data[1]]
        return packet.with_(data=("map", data))

    # ---- playing

    def play_tested(self, row):
        """A row of the side under test: it has to come, or what an exception says instead."""
        exception = self.exceptions.find(self.direction, row)
        if row.packet is not None and row.packet.impulse or row.op == "close":
            self.before_request(row)
        if exception is not None:
            self.hit(row, exception)
            if "ours" in exception:
                self.play_exception(row, exception)
                return
        received = self.expect(row, lambda got: self.is_same_thing(row, got),
                               self.recorded_lane(row))
        if received is None:
            return
        if row.packet is not None and row.packet.is_stream():
            self.follow_stream(row, received.packet)
        differences = self.compare(row, received)
        if differences:
            self.fail(row, "; ".join(differences) + f"; sent {received.data.hex()[:600]}"
                      + f"; recorded {row.data.hex()[:600]}")
        else:
            self.compared[row.session] = self.compared.get(row.session, 0) + 1

    def follow_stream(self, row, packet):
        """Which streams the tested side writes at the moment."""
        ident = packet.stream_id()
        if row.packet.type == wire.STREAM:
            self.mapping.streams.setdefault(row.packet.stream, ident)
        if packet.type == wire.STREAM and not packet.last:
            self.written.add(ident)
        else:
            self.written.discard(ident)

    def play_exception(self, row, exception):
        """What comes in place of the row (or, for a row of ours, after it): "ours", a list."""
        stream = None
        for pattern in exception["ours"]:
            if row.packet is None:
                received = self.expect(row, lambda got: got.packet is None, None)
                if received is not None:
                    self.check_plain(row, pattern, received)
                continue
            lane = self.pattern_lane(row, pattern, stream)
            received = self.expect(row, lambda got: self.fits_place(row, pattern, got), lane)
            if received is None:
                return
            if (row.dir == self.tested and len(exception["ours"]) == 1
                    and not self.compare(row, received, False)):
                self.fail(row, "comes as recorded: the listed exception is not needed")
            elif not packet_matches(pattern, received.packet):
                self.fail(row, f"the listed exception says {json.dumps(pattern)}, sent: {received}")
            elif row.dir == self.tested and received.packet.impulse:
                self.learn_id(row, received)
            if received.packet.data[0] == "stream":
                stream = received.packet.data[1]
                if row.packet.data[0] == "stream":
                    self.mapping.streams.setdefault(row.packet.data[1], stream)

    def fits_place(self, row, pattern, received):
        """Whether a packet is the one that a pattern is about, right or wrong."""
        if received.packet is None:
            return False
        kind = pattern.get("type")
        if kind in ("STREAM", "STREAM_ERROR", "STREAM_CLOSE"):
            return received.packet.is_stream()
        if kind == "TASK" and row.packet.impulse and row.dir == self.tested:
            return received.packet.impulse
        return not received.packet.impulse and received.packet.id == row.packet.id

    def pattern_lane(self, row, pattern, stream):
        if pattern.get("type") not in ("STREAM", "STREAM_ERROR", "STREAM_CLOSE"):
            return None
        return stream if stream is not None else self.recorded_lane(row)

    def check_plain(self, row, pattern, received):
        """A handshake or a close that differs on purpose."""
        if not self.compare(row, received, False):
            self.fail(row, "comes as recorded: the listed exception is not needed")
            return
        if received.op == "close":
            got = {"op": "close", "code": int.from_bytes(received.data[:2], "big"),
                   "reason": received.data[2:].decode("utf-8", "replace")}
        else:
            got = {"op": received.op, "json": json.loads(received.data)}
        if not matches(pattern, got):
            self.fail(row, f"the listed exception says {json.dumps(pattern)}, sent: {got}")

    def rewrite(self, value):
        """A recorded value with our names for what the tested side named."""
        kind = value[0]
        if kind in ("str", "ref"):
            return (kind, self.mapping.text(value[1]))
        if kind in ("list", "set"):
            return (kind, [self.rewrite(item) for item in value[1]])
        if kind in ("map", "dict"):
            return (kind, [(self.rewrite(key), self.rewrite(item)) for key, item in value[1]])
        if kind == "def":
            return (kind, *map(self.mapping.text, value[1:4]), self.rewrite(value[4]))
        if kind == "titan":
            return (kind, [self.rewrite(item) for item in value[1]])
        if kind == "stream":
            if not value[2]:  # the tested side will write to it under the id that we name
                self.mapping.streams[value[1]] = value[1]
            return (*value[:4], self.mapping.text(value[4]))
        return value

    def rewrite_packet(self, row):
        packet = row.packet.with_(data=self.rewrite(row.packet.data))
        if not packet.impulse:
            packet = packet.with_(id=self.mapping.packets.get((row.conn, packet.id), packet.id))
            self.unanswered.discard((row.conn, packet.id))
        stream = packet.stream_id()
        if stream is None:
            return packet
        if packet.type == wire.STREAM:
            (self.writing.discard if packet.last else self.writing.add)(stream)
        elif stream in self.writing:
            self.writing.discard(stream)
        else:
            return self.with_our_streams(packet, self.mapping)
        return packet

    def play_ours(self, row):
        """A row of the side that we play."""
        link = self.links[row.conn]
        try:
            if row.op == "close":
                self.before_close(row)
                link.close(row.raw.get("code", 1000), row.raw.get("reason", ""))
            elif row.packet is None:
                link.send(row.data, row.op)
            else:
                link.send(self.rewrite_packet(row).bytes())
                self.sent(row)
        except LinkError as error:
            self.fail(row, f"cannot be sent: {error}")
        exception = self.exceptions.find(self.direction, row)
        if exception is not None:
            self.hit(row, exception)
            self.play_exception(row, exception)

    def sent(self, row):
        """A packet of ours is on its way."""

    def before_close(self, row):
        """We are about to close a connection."""

    def is_skipped(self, row):
        """Rows that the tested side cannot be made to send, and our answers to them."""
        exception = self.exceptions.find(self.direction, row)
        if exception is not None and exception.get("kind") == "inexpressible":
            self.hit(row, exception)
            if row.packet is not None and row.packet.impulse:
                self.skipped.add((row.conn, row.dir, row.packet.id))
            return True
        if row.packet is None or row.packet.impulse:
            return False
        asker = "c2s" if row.dir == "s2c" else "s2c"
        return (row.conn, asker, row.packet.id) in self.skipped

    def play(self):
        for self.position, row in enumerate(self.rows):
            if self.missing >= MISSING_MAX:
                self.fail(row, "given up: too much did not come")
                return
            if self.is_skipped(row):
                continue
            self.before_row(row)
            if row.op == "open":
                self.pending[row.conn] = []
                self.open(row)
            elif row.dir == self.tested:
                self.play_tested(row)
            else:
                self.play_ours(row)
        for conn, received in self.pending.items():
            for one in received:
                self.failures.append((conn[0], f"{conn[0]}: unexpected at the end: {one}"))
        self.finish()
