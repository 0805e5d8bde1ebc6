#!/usr/bin/env python3
"""Seeds of the fuzz targets msgpack, packet and session, out of what was recorded (test/vectors).

usage: make_seeds.py [FOLDER]      FOLDER/<target>/seed-*; else corpus/ beside this file

Corpora also hold inputs that fuzzing found; those stay as they are.
"""

import hashlib
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "../vectors")
sys.path.insert(0, os.path.join(HERE, "../hostile"))

import wire  # noqa: E402
from link import BINARY, CLOSE, CONTINUATION, PING, close_payload, frame  # noqa: E402

MOST = 2048  # bytes of a seed; longer recordings teach nothing more
DIAL, TALKS, KNOWS, MESSAGES, IN_PLACE = 16, 4, 8, 32, 64


def write(folder, target, data):
    name = hashlib.sha1(data).hexdigest()[:10]
    with open(os.path.join(folder, target, f"seed-{name}"), "wb") as file:
        file.write(data)


def vectors():
    with open(os.path.join(VECTORS, "vectors.json"), encoding="utf-8") as file:
        return json.load(file)


def sessions():
    """(messages of the client, messages of the server) of each recorded connection."""
    for name in sorted(os.listdir(VECTORS)):
        if not name.startswith("session-"):
            continue
        flows = {}
        with open(os.path.join(VECTORS, name), encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                data = bytes.fromhex(row["hex"])
                flow = flows.setdefault(row.get("conn", 0), {"c2s": [], "s2c": []})
                if row["op"] == "data":  # a socket read: lengths and messages
                    while len(data) >= 4:
                        size = int.from_bytes(data[:4], "big")
                        flow[row["dir"]].append(data[4:4 + size])
                        data = data[4 + size:]
                elif row["op"] in ("binary", "text"):
                    flow[row["dir"]].append(data)
        yield from ((f["c2s"], f["s2c"]) for f in flows.values())


def as_messages(messages, together=False):
    """In the form of fuzz_session's bit 5; together: in one read."""
    messages = [m for m in messages if len(m) < 32768]
    return b"".join((len(m) | (0x8000 if together and i + 1 < len(messages) else 0)).to_bytes(2, "big") + m
                    for i, m in enumerate(messages))


def renamed(packet):
    """What was asked of a recorded service, asked of the one that fuzz_session has."""
    for old, new in ((b"\xb0calculator@1.0.0", b"\xa9lab@1.0.0"), (b"\xaacalculator", b"\xa3lab")):
        packet = packet.replace(old, new)
    return packet


LAB = "lab@1.0.0"
CALLS = [
    wire.call(1, LAB, "add", 2, 3), wire.call(2, LAB, "add", 2), wire.call(3, LAB, "echo", {"k": [1, 2.5]}),
    wire.call(4, LAB, "keep", {"name": "n", "size": 1, "temper": "calm"}, [1, 2], {"a": "b"}),
    wire.call(5, LAB, "all", [{"name": "n", "size": 1, "temper": "wild", "note": "x"}], None, b"bytes"),
    wire.call(6, LAB, "wait_for", 1, b"x" * 600), wire.call(7, LAB, "wait_for", 99999, b"y"),
    wire.call(8, LAB, "count_to", 12), wire.call(9, LAB, "drink", wire.stream_reference(5)),
    wire.chunk(10, 5, 1, "later"), wire.chunk(11, 5, 0, 1), wire.chunk(12, 5, 2, None, wire.EOS),
    wire.call(13, LAB, "drip", wire.stream_reference(6, False), 3),
    wire.request(14, wire.GET, LAB, "level"), wire.request(15, wire.SET, LAB, "level", 3),
    wire.request(16, wire.SET, LAB, "name", "x"), wire.head(17, wire.PING) + b"\xc0",
    wire.task(18, "subscribe", "told"), wire.call(19, LAB, "add", 4, 5), wire.task(20, "emit", "told", 1),
    wire.task(21, "expose_service", {"name": "mine", "methods": {"get": {}}}),
    wire.call(22, "mine", "get", 1), wire.task(23, "unexpose_service", "mine"),
    wire.task(24, "query_interface", "lab@^1"), wire.task(25, "last", 1, "two"),
    wire.task(26, "list_services"), wire.task(27, "abilities"), wire.task(28, "unref_service", "x"),
    wire.call(29, "open@1.0.0", "get", 1), wire.call(30, "open@1.0.0", "get"),
    wire.head(7, wire.CANCEL) + b"\xc0", wire.head(1, wire.CANCEL) + b"\xc3",
    wire.head(31, wire.STREAM_CLOSE) + wire.pack({"streamId": 5, "reason": "r"}),
    wire.head(32, wire.STREAM_ERROR) + wire.pack({"streamId": 5, "message": "m"}),
    wire.call(33, "nope@1.0.0", "add"), wire.call(34, LAB, "nope"), wire.task(35, "nope"),
    wire.task(36, "unsubscribe", "told"), wire.task(37, "authenticate", {"token": "t"}),
    wire.call(38, LAB, "blob", 300), wire.call(39, LAB, "blob", 70_000), wire.call(40, LAB, "blob", 10**6),
    # Answers to what the node asks (id 0: fuzz_session knows it).
    wire.head(0, wire.TASK, 0) + wire.pack(wire.UNDEFINED), wire.head(0, wire.CALL, 0) + wire.pack(5),
    wire.head(0, wire.CALL, wire.ERROR) + wire.pack(wire.Ext(110, wire.pack("E") + wire.pack(404) +
                                                             wire.pack("m") + wire.pack({}) * 2 +
                                                             wire.pack(None) * 8)),
]


def definition(name):
    meta = {"name": name, "version": "1.0.0", "properties": {"level": {}, "name": {"readonly": True},
                                                             "slot": {}},
            "methods": {m: {} for m in ("add", "echo", "keep", "all", "wait_for", "count_to", "drink",
                                        "drip", "blob", "get")}}
    return wire.Ext(109, wire.pack("0190163d-8694-739b-aea5-966c26f8ad91") + wire.pack("") +
                    wire.pack("fuzz") + wire.pack(meta))


def answers():
    """What a server says to a node that dials and runs through visit()."""
    def answer(value, flags=0):
        return wire.head(0, wire.CALL, flags) + wire.pack(value)

    items = [wire.chunk(50 + i, 4, i, i) for i in range(3)] + [wire.chunk(60, 4, 3, None, wire.EOS)]
    undefined, stream = answer(wire.UNDEFINED), answer(wire.stream_reference(4))
    visit = [undefined, answer(definition("open")), answer(definition("open")), stream, *items,
             answer(7), undefined, answer([{"name": "open", "version": "1.0.0"}]),
             answer(definition("lab")), answer(5), answer(4), answer(2),
             answer({"name": "n", "size": 1, "temper": "calm"}), stream, *items, undefined,
             answer(definition("open")), answer(7), undefined, answer(8), undefined, undefined, undefined]
    yield visit
    for at in range(len(visit)):
        for odd in (answer(None), answer("text"), answer({}, wire.ERROR), b"\0\0\0\0\3\xc1",
                    wire.task(9, "emit", "told", 7), wire.head(0, wire.STREAM_CLOSE) +
                    wire.pack({"streamId": 4})):
            yield visit[:at] + [odd] + visit[at + 1:]
    for value in (5, None, wire.stream_reference(4), wire.Ext(109, wire.pack("x") * 4)):
        yield [answer(value)] * 12
    yield [wire.task(9, "emit", "told", 7), wire.call(1, LAB, "add", 1, 2)]


def session_seeds():
    for messages in ([CALLS[i:i + 12] for i in range(0, len(CALLS), 8)] + [[c] for c in CALLS]):
        for how in (TALKS | MESSAGES, TALKS | KNOWS | MESSAGES | 1, TALKS | KNOWS | MESSAGES | 2,
                    TALKS | MESSAGES | IN_PLACE | 2):
            yield bytes([how, len(messages) % 4, 0]) + as_messages(messages)
    raw = b"".join(frame(BINARY, c, key=b"\0\0\0\0") for c in CALLS[:6])
    yield bytes([TALKS, 0, 0]) + raw
    yield bytes([TALKS | IN_PLACE, 1, 7]) + raw
    yield bytes([TALKS | KNOWS, 2, 0]) + frame(BINARY, CALLS[0][:9], fin=False, key=bytes(4)) + \
        frame(PING, b"p", key=bytes(4)) + frame(CONTINUATION, CALLS[0][9:], key=bytes(4)) + \
        frame(CLOSE, close_payload(1000), key=bytes(4))
    yield bytes([0, 0, 0]) + b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n" \
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + \
        frame(1, wire.hello(), key=bytes(4)) + raw
    yield bytes([1, 0, 3]) + b"".join(len(m).to_bytes(4, "big") + m for m in [wire.hello()] + CALLS[:4])
    for how in (0, 3, 0x14, 0x2b):
        yield bytes([TALKS | KNOWS | 1, how, 0]) + \
            b"".join(len(m).to_bytes(4, "big") + m for m in CALLS[5:12])
    for i, messages in enumerate(answers()):
        yield bytes([TALKS | DIAL | MESSAGES | (i % 3), 0, 0]) + as_messages(messages)
        yield bytes([TALKS | DIAL | MESSAGES | KNOWS | (1 + i % 2), i % 3, 0]) + as_messages(messages)
    for how in (TALKS | MESSAGES, TALKS | KNOWS | MESSAGES | 1, TALKS | MESSAGES | IN_PLACE):
        for writing in (0, 1, 0x35):
            yield bytes([how, writing, 0]) + as_messages(CALLS[:12] * 2, True)
            yield bytes([how, writing, 0]) + as_messages([CALLS[0], CALLS[-4]] * 9, True)
    for client, server in sessions():
        for base, flow in ((TALKS | MESSAGES, client[1:]), (TALKS | DIAL | MESSAGES, server[1:])):
            for at in range(0, len(flow), 24):
                yield bytes([base | 1, 0, 0]) + as_messages(map(renamed, flow[at:at + 8]))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "corpus")
    for target in ("msgpack", "packet", "session"):
        os.makedirs(os.path.join(folder, target), exist_ok=True)
    for vector in vectors():
        data = bytes.fromhex(vector.get("hex", ""))
        if 0 < len(data) <= MOST:
            write(folder, "packet" if vector.get("kind") == "packet" else "msgpack", data)
    for client, server in sessions():
        for message in (client + server)[::3]:
            if 5 < len(message) <= MOST and message[:1] != b"{":
                write(folder, "packet", message)
    for packet in CALLS:
        write(folder, "packet", packet)
    for seed in session_seeds():
        if len(seed) <= MOST:
            write(folder, "session", seed)


if __name__ == "__main__":
    main()
