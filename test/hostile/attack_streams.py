"""Streams: chunks for nobody, twice, out of order, ends that are none. PROTOCOL.md §8 and §12."""

import link
import wire
from case import MIB, case, expect, expect_fault, expect_silence

LAB = "lab@1.0.0"


def drink(peer, stream, number=1, wait_ms=0, **options):
    """Hand the node a stream to read."""
    return wire.call(number, LAB, "drink", wire.stream_reference(stream, **options), wait_ms)


def result(peer, number=1):
    got = peer.reply_to(number)
    expect(not got.is_error, f"drink failed: {got}")
    return got.value


@case()
def strays(c):
    """Chunks, errors and closes for streams that nobody knows; payloads of every kind."""
    values = [None, 5, "text", [], {}, {"streamId": 1}, {"streamId": "1", "message": 5},
              {"streamId": -1, "reason": "x"}, {"streamId": 2**40}, {"streamId": 1.5, "reason": None},
              {"message": "no id"}, wire.UNDEFINED, [1, 2], {"streamId": {"streamId": 1}}, b"bytes"]
    for peer in c.everywhere():
        packets = [wire.chunk(1, stream, index, value, flags) for value in values
                   for stream in (0, 1, 0xffffffff) for index in (0, 1, 0xffffffff)
                   for flags in (0, wire.EOS, wire.LIVE, wire.EOS | wire.LIVE, wire.ERROR)]
        packets += [wire.head(2, kind, flags) + wire.pack(value) for value in values
                    for kind in (wire.STREAM_ERROR, wire.STREAM_CLOSE)
                    for flags in (wire.IMPULSE, wire.IMPULSE | wire.ERROR, 0)]
        packets += [wire.head(3, kind) + data for kind in (wire.STREAM, wire.STREAM_ERROR,
                                                           wire.STREAM_CLOSE)
                    for data in (b"", b"\xc1", b"\xc0", b"\xc0" * 8, b"\xc0" * 9, b"\x92\1", b"\0" * 4)]
        expect_silence(peer, packets, "a stray of a stream")


@case()
def odd_references(c):
    """References that no stream can be: each a coded reply."""
    for peer in c.everywhere():
        for reference in (wire.stream_reference(0), wire.stream_reference(5, writable=False), 5, None,
                          "5", {"streamId": 5}, wire.Ext(108, wire.pack("x"))):
            got = peer.call(LAB, "drink", reference, 0)
            expect(got.is_error and 400 <= got.value.code < 510, f"drink({reference}): {got}")
        for reference in (wire.stream_reference(5), 5, None):
            got = peer.call(LAB, "drip", reference, 3)
            expect(got.is_error and 400 <= got.value.code < 510, f"drip({reference}): {got}")
        peer.send(drink(peer, 5), drink(peer, 5, 2), wire.chunk(1, 5, 0, None, wire.EOS))
        got = [peer.next_packet() for _ in range(2)]
        errors = [g for g in got if g.is_error]
        expect(len(errors) == 1 and errors[0].id == 2, f"one stream handed over twice: {got}")


@case()
def orders(c):
    """Out of order, duplicates, gaps, nil in the middle, data after the end."""
    for peer in c.everywhere():
        def items(*chunks, expected, code=0, label=""):
            peer.send(drink(peer, 7), *chunks)
            got = result(peer)
            expect((got["items"], got["code"]) == (expected, code), f"{label}: {got}")

        def one(index, value="x", flags=0):
            return wire.chunk(50, 7, index, value, flags)

        end = wire.EOS
        items(one(0), one(1), one(2, None, end), expected=2, label="in order")
        items(one(1), one(0), one(2, None, end), expected=2, label="swapped")
        items(one(0), one(2, None, end), one(1), expected=1, code=502, label="an end too early")
        items(one(2, None, end), one(1), one(0), expected=0, code=502, label="backwards")
        items(one(0), one(0), one(0), one(1), one(1), one(2, None, end), expected=2, label="twice")
        items(one(1), one(1), one(0), one(0), one(2, None, end), expected=2, label="early twice")
        items(one(0, None, end), one(1), one(2), expected=0, label="after the end")
        items(one(0, "last", end), expected=1, label="an end with data")
        items(one(0), one(1, None), one(2), expected=1, label="nil in the middle")
        items(*(one(i) for i in reversed(range(2000))), one(2000, None, end), expected=2000,
              label="2,000 backwards")
        peer.send(drink(peer, 7), one(0),
                  wire.head(9, wire.STREAM_ERROR) + wire.pack({"streamId": 7, "message": "why"}), one(1))
        got = result(peer)
        expect(got["items"] == 1 and got["code"] != 0, f"STREAM_ERROR in the middle: {got}")
        peer.send(drink(peer, 7), one(0), wire.head(9, wire.STREAM) + b"\xc1" + b"\0\0\0\7\0\0\0\1")
        got = result(peer)
        expect(got["items"] == 1 and got["code"] == 502, f"a chunk that cannot be read: {got}")
        peer.send(drink(peer, 7), one(0), one(0xffffffff), one(0x80000000),
                  wire.head(9, wire.STREAM_CLOSE) + wire.pack({"streamId": 7}))
        result(peer)


@case()
def ahead(c):
    """More than 10,000 chunks out of order break the stream off with 429."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.send(drink(peer, 7))
        chunks = [wire.chunk(9, 7, index, 1) for index in range(1, 10_300)]
        peer.raw(b"".join(map(peer.framed, chunks)))
        got = result(peer)
        expect((got["items"], got["code"]) == (0, 429), f"10,299 chunks too early: {got}")


@case("tight", limit=24)
def ahead_bytes(c):
    """Chunks held back count into max_stream_bytes (here 4 MiB): 500 of 100 KB do not fit."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.send(drink(peer, 7))
        body = "x" * 100_000
        for index in range(1, 501):
            peer.send(wire.chunk(9, 7, index, body))
        peer.send(wire.chunk(9, 7, 0, body), wire.chunk(9, 7, 501, None, wire.EOS))
        got = result(peer)
        expect(got["code"] == 429, f"50 MB held back: {got}")


@case("tight", limit=24)
def unread(c):
    """A reader that does not read: 4 MiB, then 429, whatever comes after."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.send(drink(peer, 7, wait_ms=400))
        body = "x" * 100_000
        for index in range(0, 1000):
            peer.send(wire.chunk(9, 7, index, body))
        got = result(peer)
        expect(got["code"] == 429 and got["bytes"] < 5 * MIB, f"100 MB unread: {got}")


@case("tight", limit=24)
def unread_after_gap(c):
    """The same when the bytes come out of a gap that closes at last."""
    peer = c.connect("tcp")
    body = "x" * 100_000
    peer.send(drink(peer, 7, wait_ms=2000), *(wire.chunk(9, 7, i, body) for i in range(1, 60)))
    peer.send(*(wire.chunk(9, 7, i, body) for i in [0] + list(range(60, 500))))
    peer.send(wire.chunk(9, 7, 500, None, wire.EOS))
    got = result(peer)
    expect(got["code"] == 429 and got["bytes"] < 9 * MIB, f"after a gap: {got}")


@case("tight")
def too_many(c):
    """max_streams (here 50) in each direction: 429, and room again when they end."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.send(*(drink(peer, 100 + i, 100 + i) for i in range(60)))
        peer.send(*(wire.chunk(9, 100 + i, 0, None, wire.EOS) for i in range(50)))
        got = [peer.next_packet() for _ in range(60)]
        refused = [g for g in got if g.is_error]
        expect(len(refused) == 10 and all(g.value.code == 429 for g in refused), f"{refused}")
        peer.send(drink(peer, 500), wire.chunk(9, 500, 0, None, wire.EOS))
        result(peer)


@case("tight")
def endless(c):
    """Generators that nobody reads, more than max_streams: bounded memory, gone with the peer."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.send(*(wire.call(10 + i, LAB, "endless", 1000) for i in range(60)))
        c.bystander.add()
        peer.vanish()
        c.target.settle()


@case("tight")
def stalled_stream(c):
    """Readers that do not read their sockets: the generators wait, the node closes them in time."""
    peers = list(c.everywhere())
    for peer in peers:
        peer.send(wire.call(1, LAB, "endless", 10_000))
    c.target.settle()  # without these peers reading anything
    for peer in peers:
        data = peer.read_to_end()
        expect(len(data) < 64 * MIB, f"{len(data)} bytes came")


@case()
def cancels(c):
    """CANCEL of what is not there, of what has ended, from a peer that never announced it, and of
    everything in flight."""
    base = c.connect("ws")
    forms = [b"\xc0", b"\xc3", b"\xc2", b"\x05", b"\xc1", b"", b"\x93\1\2", b"\xc3" * 9]
    base.send(wire.call(5, LAB, "wait_for", 30), *(wire.head(5, wire.CANCEL) + f for f in forms))
    expect(base.reply_to(5).value == 30, "a base peer's CANCEL is no packet")
    for peer in c.everywhere(extensions=("int64", "cancel")):
        packets = [wire.head(number, wire.CANCEL, flags) + form for number in (0, 1, 99, 0xffffffff)
                   for flags in (wire.IMPULSE, 0, 0xf0) for form in forms]
        expect_silence(peer, packets * 4, "a CANCEL of nothing")
        count = 500
        peer.send(*(wire.call(i, LAB, "wait_for", 600_000) for i in range(1, count + 1)))
        peer.send(*(wire.head(i, wire.CANCEL) + b"\xc0" for i in range(1, count + 1)))
        for i in range(count):
            got = peer.next_packet()
            expect(got.is_error and got.value.code == 499, f"a cancelled call: {got}")
        for _ in range(5):
            peer.send(wire.call(2, LAB, "endless", 10_000))
            reference = peer.reply_to(2).value
            stream = int(wire.Reader(reference.data).value())
            peer.send(wire.head(stream, wire.CANCEL) + b"\xc3", wire.head(stream, wire.CANCEL) + b"\xc3",
                      wire.head(2, wire.CANCEL) + b"\xc0")
        peer.send(wire.head(77, wire.PING) + b"\xc0")
        while True:
            got = peer.next_packet()
            if got.type == wire.PING:
                break


@case()
def written_streams(c):
    """Streams that the node writes on request: ids in use, a reader that vanishes."""
    for peer in c.everywhere():
        reference = wire.stream_reference(33, writable=False)
        peer.send(wire.call(1, LAB, "drip", reference, 5))
        seen = []
        while True:
            got = peer.next_packet()
            if got.type == wire.STREAM:
                seen.append((got.stream_id, got.stream_index, bool(got.flags & wire.EOS)))
            else:
                break
        expect(seen == [(33, i, i == 5) for i in range(6)], f"a stream written on request: {seen}")
        peer.send(*(wire.call(10 + i, LAB, "drip", reference, 10**9) for i in range(3)))
        refused = 0
        while refused < 2:
            got = peer.next_packet()
            if got.type != wire.STREAM:
                expect(got.is_error and got.value.code in (409, 502), f"the id is in use: {got}")
                refused += 1
        peer.vanish()
    c.target.settle()
