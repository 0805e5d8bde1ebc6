"""Packets: cut, lying, of wrong types, to what is not there. PROTOCOL.md §3 to §6 and §12."""

import wire
from case import MIB, case, expect, expect_close, expect_fault, expect_refusal, expect_silence

CALCULATOR, LAB = "calculator@1.0.0", "lab@1.0.0"


def echo(number, data):
    """A call of lab.echo with these bytes where its argument should be."""
    return wire.call(number, LAB, "echo", wire.Raw(data))


@case()
def truncated(c):
    """Every truncation of requests is dropped, and so is a packet without its payload."""
    value = [1, "text", b"bytes", {"k": [2.5, None, wire.Ext(125, bytes(8))]}]
    whole = [wire.call(1, CALCULATOR, "add", 5, 300), wire.call(2, LAB, "echo", value),
             wire.request(3, wire.GET, CALCULATOR, "version"),
             wire.request(4, wire.SET, CALCULATOR, "precision", 1000),
             wire.task(5, "query_interface", CALCULATOR), wire.task(6, "subscribe", "abc"),
             wire.task(7, "emit", "abc", value), wire.task(8, "count", value),
             wire.task(9, "unref_service", "abc"), wire.task(10, "expose_service", {"name": "x"})]
    for peer in c.everywhere():
        for packet in whole:
            expect_silence(peer, (packet[:n] for n in range(len(packet))),
                           f"a truncation of {packet!r}")


@case()
def surplus(c):
    """Bytes after the payload: the packet is dropped (§3)."""
    for peer in c.everywhere():
        for packet in (wire.call(1, CALCULATOR, "add", 5, 6), wire.call(1, LAB, "echo", 1),
                       wire.call(1, LAB, "figures"), wire.call(1, "open@1.0.0", "count", 1),
                       wire.request(1, wire.GET, CALCULATOR, "version"),
                       wire.request(1, wire.GET, "open@1.0.0", "slot"),
                       wire.request(1, wire.SET, CALCULATOR, "precision", 3),
                       wire.task(1, "query_interface", CALCULATOR), wire.task(1, "subscribe", "a"),
                       wire.task(1, "unsubscribe", "a"), wire.task(1, "emit", "a", 1),
                       wire.task(1, "list_services"), wire.task(1, "abilities"),
                       wire.task(1, "count", 1), wire.task(1, "invalidate_cache")):
            for more in (b"\0", b"\xc0\xc0", b"\xc1", b"junk" * 100):
                expect_silence(peer, [packet + more], f"{packet!r} + {more[:4]!r}")


@case()
def unknown_types(c):
    """Types 8 to 15, as requests and as responses."""
    for peer in c.everywhere():
        packets = [wire.head(7, kind, flags) + payload for kind in range(8, 16)
                   for flags in (0x40, 0, 0xc0, 0x80, 0x70, 0xf0)
                   for payload in (b"\xc0", b"\x93\xa1a\xa1b\x01", b"\xc3", b"")]
        expect_silence(peer, packets, "an unknown type")


@case()
def no_list(c):
    """A payload that is no list (§3): refused, never half read."""
    for peer in c.everywhere():
        payloads = [None, 5, -1, 2.5, True, "emit", "", b"bytes", {"defId": CALCULATOR, "args": []},
                    wire.UNDEFINED, wire.Ext(125, bytes(8)), {}]
        packets = [wire.head(9, kind) + wire.pack(value) for value in payloads
                   for kind in (wire.GET, wire.SET, wire.CALL, wire.TASK)]
        expect_refusal(peer, packets, "a payload that is no list")


@case()
def nested(c):
    """65 levels, 200, 10,000, a million: lists, maps, ext values, mixed."""
    def lists(n):
        return b"\x91" * n + b"\xc0"

    def maps(n):
        return b"\x81\xa1k" * n + b"\xc0"

    def sets(n):
        value = b"\xc0"
        for _ in range(n):
            value = wire.ext(123, b"\0\0\0\1" + value)
        return value

    for peer in c.everywhere():
        for n in (1, 30, 62):
            for make in (lists, maps):
                got = peer.ask(echo(1, make(n)))
                expect(not got.is_error, f"{make.__name__}({n}): {got}")
        for n in (65, 200, 201, 256, 10000):
            for make in (lists, maps, sets):
                for name in ("echo", "total", "keep", "drink"):
                    packet = wire.call(2, LAB, name, wire.Raw(make(n)))
                    expect_refusal(peer, [packet], f"{name}({make.__name__}({n}))")
        for kind in (wire.TASK, wire.CALL, wire.GET, wire.SET):
            packets = [wire.head(4, kind) + b"\x92" + lists(n) + b"\xa1a" for n in (1, 70, 5000)]
            expect_refusal(peer, packets, "a deep first element")


@case()
def deep_megabyte(c):
    """A million levels, as an argument, a name, an error, a chunk, a hello."""
    deep = b"\x91" * 1_000_000 + b"\xc0"
    for peer in c.everywhere():
        peer.send(echo(1, deep), wire.head(2, wire.TASK) + b"\x91" + deep,
                  wire.head(3, wire.CALL, 0x80) + deep, wire.head(4, wire.STREAM) + deep + bytes(8),
                  wire.head(5, wire.STREAM_ERROR) + deep, wire.head(6, wire.STREAM_CLOSE) + deep,
                  wire.head(7, wire.CALL) + deep)
        peer.add()


@case()
def lying_lengths(c):
    """Counts and lengths beyond the packet's end are dropped, and cost no memory."""
    lies = [b"\xdd\xff\xff\xff\xff", b"\xdd\x7f\xff\xff\xff\xc0", b"\xdc\xff\xff\xc0", b"\x9f\xc0",
            b"\xde\xff\xff\xa1k", b"\x8f\xa1k\x01", b"\xdb\xff\xff\xff\xffabc", b"\xdb\x80\0\0\0",
            b"\xda\xff\xffabc", b"\xd9\xffabc", b"\xbfabc", b"\xc6\xff\xff\xff\xffabc",
            b"\xc5\xff\xffabc", b"\xc4\xffabc", b"\xc9\xff\xff\xff\xff\x7d", b"\xc8\xff\xff\x7d",
            b"\xc7\xff\x7d", b"\xd8\x7dabc", b"\xd7\x7dabc", b"\xcb\0\0", b"\xcf\0", b"\xd3",
            wire.ext(123, b"\xff\xff\xff\xff"), wire.ext(124, b"\xff\xff\xff\xff\xc0"),
            wire.ext(123, b"\0\0\1\0\xc0"), wire.ext(126, b"\0\1\xc0\xc0\xc0\xff\xff")]
    for peer in c.everywhere():
        expect_silence(peer, [echo(5, lie) for lie in lies], "a lying length")
        expect_silence(peer, [wire.call(5, "open@1.0.0", "count", wire.Raw(lie)) for lie in lies],
                       "a lying length")
        expect_silence(peer, [wire.task(5, "count", wire.Raw(lie)) for lie in lies[:-4]],
                       "a lying length")
        for kind in (wire.GET, wire.SET, wire.CALL, wire.TASK):
            heads = [b"\xdd\xff\xff\xff\xff\xa1a", b"\xdc\xff\xff\xa1a", b"\x9f\xa1a\xa1b"]
            expect_refusal(peer, [wire.head(6, kind) + lie for lie in heads], "a lying list")


@case()
def unknown_ext(c):
    """Ext types that nobody knows, map32 and 0xc1: the packet is dropped (§12)."""
    known = {107, 108, 109, 110, 119, 120, 121, 123, 124, 125, 126}
    unknown = [kind for kind in range(-128, 128) if kind not in known and kind != 0]
    bad = [wire.ext(kind, b"\1" * size) for kind in unknown for size in (1, 4, 9)]
    bad += [b"\xc1", b"\xdf\0\0\0\0", b"\xdf\0\0\0\1\xa1k\1", wire.ext(0, b"\1"),
            wire.ext(0, b"\0\0"), b"\xc7\0\0"]
    for peer in c.everywhere():
        expect_silence(peer, [echo(8, data) for data in bad], "an unknown ext")
        expect_silence(peer, [echo(8, b"\x92\1" + data) for data in bad[::7]], "a nested one")
        expect_silence(peer, [echo(8, b"\x81\xa1k" + data) for data in bad[::7]], "one in a map")


@case()
def malformed_ext(c):
    """Known ext types with a body that is not theirs: dropped, never half read."""
    text = wire.pack
    bad = [(107, b""), (107, text("1")), (107, text("1") + b"\1"), (107, text("x") + b"\1\1\xa1p"),
           (107, text("99999999999999999999") + b"\1\1\xa1p"), (107, b"\1\1\1\xa1p"),
           (107, text("4294967296") + b"\1\1\xa1p"), (107, text("-1") + b"\1\1\xa1p"),
           (108, b""), (108, text("")), (108, b"\xc0"), (108, b"\xa5ab"),
           (109, b""), (109, text("id")), (109, text("id") * 3), (110, b""), (110, b"\xc0" * 12),
           (119, b"\0" * 8), (119, b""), (120, b""), (120, text("")), (120, text("-")),
           (120, text("12a")), (120, text("1.5")), (120, b"\5"), (121, text("a")), (121, b"\1\1"),
           (123, b"\0\0\0"), (123, b"\0\0\0\2\1"), (124, b"\0\0\0\1\1"), (124, b""),
           (125, b"\0" * 7), (125, b"\xff" * 8), (126, b"\0"), (126, b"\0\0\xa1n\xa1s\xa1m\0\0"),
           (126, b"\0\x08\xa1n\xa1s\xa1m\0\0"), (126, b"\0\1\xa1n\xa1s\xa1m"),
           (126, b"\0\1\xa1n\xa1s\xa1m\0\1")]
    for peer in c.everywhere():
        expect_silence(peer, [echo(8, wire.ext(kind, body)) for kind, body in bad], "a bad ext")
        got = peer.ask(echo(9, wire.ext(125, bytes(8) + b"surplus")))
        expect(not got.is_error, f"surplus bytes inside an ext are ignored (§4): {got}")


@case()
def bad_text(c):
    """Text that is not UTF-8, wherever text may stand: dropped or refused, the node goes on."""
    bad = [b"\x80", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xe2\x82",
           b"\xf8\x88\x80\x80\x80", b"ok\xc3"]
    for peer in c.everywhere():
        for data in bad:
            s = wire.Raw(bytes([0xa0 | len(data)]) + data)
            packets = [wire.call(1, s, "add", 1, 2), wire.call(1, CALCULATOR, s, 1, 2),
                       wire.call(1, LAB, "echo", s), wire.call(1, LAB, "echo", {"k": s}),
                       wire.call(1, LAB, "echo", wire.Raw(b"\x81" + s.data + b"\1")),
                       wire.request(1, wire.GET, CALCULATOR, s), wire.task(1, s),
                       wire.task(1, "query_interface", s), wire.task(1, "subscribe", s),
                       wire.task(1, "emit", s, 1), wire.task(1, "emit", "e", s),
                       wire.task(1, "unref_service", s)]
            for packet in packets:
                peer.send(packet, wire.call(2, CALCULATOR, "add", 1, 1))
                got = peer.next_packet()
                if got.id == 1:  # some tasks take anything and answer undefined
                    expect(got.is_error or got.value == wire.UNDEFINED, f"{packet!r}: {got}")
                    got = peer.next_packet()
                expect(got.id == 2 and got.value == 2, f"after {packet!r}: {got}")


@case()
def wrong_arguments(c):
    """Wrong types and counts get 400 with the parameter's name."""
    for peer in c.everywhere():
        for args, words in ((("x", 3), ("a", "i64")), ((3, "x"), ("b", "i64")), ((1.5, 3), ("a",)),
                            ((None, 3), ("a",)), (([1], 3), ("a",)), (({}, 3), ("a",)),
                            ((2**63, 3), ("a",)), ((wire.Ext(120, wire.pack("9" * 30)), 3), ("a",)),
                            ((True, 3), ("a",)), ((b"5", 3), ("a",)), ((float("nan"), 3), ("a",)),
                            ((float("inf"), 3), ("a",)), ((1e300, 3), ("a",)), ((5,), ("b",)),
                            ((), ("a",)), ((1, 2, 3), ("2 arguments",)), ((2**63 - 1, 1), ("fit",))):
            expect_fault(peer, wire.call(1, CALCULATOR, "add", *args), 400, f"add{args}", *words)
        keep = {"name": "n", "size": 1, "temper": "calm"}
        got = peer.ask(wire.call(1, LAB, "keep", {**keep, "more": [1]}))
        expect(not got.is_error, f"unknown keys are ignored: {got}")
        for change, word in (({"name": 1}, "name"), ({"size": "x"}, "size"), ({"temper": "x"}, "temper"),
                             ({"temper": 1}, "temper"), ({"note": 5}, "note")):
            expect_fault(peer, wire.call(1, LAB, "keep", {**keep, **change}), 400, str(change), word)
        for missing in keep:
            less = {k: v for k, v in keep.items() if k != missing}
            expect_fault(peer, wire.call(1, LAB, "keep", less), 400, f"without {missing}", missing)
        for value in (5, "x", None, [1]):
            expect_fault(peer, wire.call(1, LAB, "keep", value), 400, f"keep({value})")
        expect_fault(peer, wire.call(1, LAB, "total", [1, 2, "x"]), 400, "total", "[2]")
        expect_fault(peer, wire.call(1, LAB, "total", {"a": 1}), 400, "total")
        expect_fault(peer, wire.request(1, wire.SET, CALCULATOR, "precision", "x"), 400, "set", "i32")
        expect_fault(peer, wire.request(1, wire.SET, CALCULATOR, "precision", 2**31), 400, "set")
        expect_fault(peer, wire.request(1, wire.SET, CALCULATOR, "precision"), 400, "set")
        expect_fault(peer, wire.request(1, wire.SET, CALCULATOR, "precision", 1, 2), 400, "set")


@case()
def not_there(c):
    """Unknown services, versions, methods and properties: 404 and 400 as §3 has them."""
    uuid = "0190163d-8694-739b-aea5-966c26f8ad91"
    for peer in c.everywhere():
        for name in ("nobody", "calculator", "calculator@1.0.1", "calculator@2.0.0", "lab@1.0.0-x",
                     "Calculator@1.0.0", "x" * 300, "a" * 100_000):
            expect_fault(peer, wire.call(1, name, "add", 1, 2), 404, name[:40], "Service with id")
        for name in ("", "@", "calculator@", "a.b", "calculator@^1", "calculator@*", "a b", "a@b@c",
                     "../etc/passwd", "a\0b", "é", "{}", "calculator@1.0.0 ", 5, None, [], {}, True,
                     wire.UNDEFINED, b"calculator@1.0.0"):
            expect_fault(peer, wire.call(1, name, "add", 1, 2), 400, repr(name))
        for name in (uuid, uuid.upper(), "0" * 8 + "-0000-0000-0000-" + "0" * 12):
            expect_fault(peer, wire.call(1, name, "add", 1, 2), 404, name, "Definition with id")
        for name in ("nope", "constructor", "toString", "Add", "precision", "changed", "a" * 255):
            expect_fault(peer, wire.call(1, CALCULATOR, name, 1, 2), 404, name, "not found")
        for name in ("", "a" * 256, "a b", "a.b", "é", "add\0", "add()", 5, None, []):
            expect_fault(peer, wire.call(1, CALCULATOR, name, 1, 2), 400, repr(name))
        for name in ("nope", "add", "changed", "constructor", "$def", "then"):
            expect_fault(peer, wire.request(1, wire.GET, CALCULATOR, name), 400, name,
                         "Unknown member")
            expect_fault(peer, wire.request(1, wire.SET, CALCULATOR, name, 1), 400, name)
        expect_fault(peer, wire.request(1, wire.SET, CALCULATOR, "version", "2"), 400, "readonly",
                     "Property is not writable: 'version' is marked as readonly")
        for kind in (wire.GET, wire.SET, wire.CALL):
            for values in ((), (CALCULATOR,), (None,), (5,)):
                expect_fault(peer, wire.request(1, kind, *values), 400, f"{kind} {values}")
        got = peer.ask(wire.request(1, wire.GET, CALCULATOR, "version"))
        expect(got.value == "1.0.0", f"the property changed: {got}")


@case()
def dirty_flags(c):
    """Flags that make no sense in a request are not sent back (§3)."""
    for peer in c.everywhere():
        for flags in range(0x40, 0x100, 0x10):
            if flags & wire.IMPULSE:
                got = peer.ask(wire.request(1, wire.CALL, CALCULATOR, "add", 1, 2, flags=flags))
                expect(got.flags == wire.CALL and got.value == 3, f"flags {flags:#x}: {got}")


@case()
def odd_ids(c):
    """Ids 0 and the last, ids in flight twice, a first packet whose id looks like JSON."""
    for number in (0x7b000000, 0x7b227479, 0x5b000001, 0x5b5b5b5b, 0, 0xffffffff):
        for peer in c.everywhere():
            got = peer.ask(wire.call(number, CALCULATOR, "add", 1, 2))
            expect(got.value == 3, f"id {number:#x} as the first: {got}")
    for peer in c.everywhere():
        slow, fast = wire.call(7, LAB, "wait_for", 50), wire.call(7, CALCULATOR, "add", 1, 2)
        peer.send(slow, fast, slow, fast, fast)
        got = sorted(peer.reply_to(7).value for _ in range(5))
        expect(got == [3, 3, 3, 50, 50], f"one id in flight five times: {got}")


@case()
def stray_responses(c):
    """Answers to what was never asked, of every type and flag."""
    for peer in c.everywhere():
        packets = [wire.head(number, kind, flags) + wire.pack(value) for kind in range(16)
                   for flags in (0, wire.ERROR, wire.EOS, wire.LIVE | wire.ERROR)
                   for number in (0, 1, 2, 64, 0x10000, 0xffffffff)
                   for value in (None, 5, ["emit", "x"])]
        expect_silence(peer, packets, "a stray response")


@case()
def pings(c):
    """PING packets come back with their payload; those that are no packet are dropped."""
    for peer in c.everywhere():
        for value in (None, 1.5, "text", {"k": [1]}, wire.UNDEFINED, b"x" * 1000, "x" * 70000):
            got = peer.ask(wire.head(1, wire.PING) + wire.pack(value))
            expect(got.flags == wire.PING and got.value == value, f"PING {value!r:.40}: {got!r:.80}")
        expect_silence(peer, [wire.head(2, wire.PING, 0) + b"\xc0"], "an answer to no PING")
        bad = [b"\xc1", b"\x92\1", b"\xc0\xc0", b"\xdb\xff\xff\xff\xff"]
        expect_silence(peer, [wire.head(2, wire.PING) + data for data in bad], "a bad PING")


@case()
def empty_messages(c):
    """Messages of no bytes, and of fewer than a packet has, are ignored after the handshake."""
    for peer in c.everywhere():
        expect_silence(peer, [b"", b"\0", b"\0" * 4, b"\0\0\0\1\x43"] * 50, "a short message")


@case()
def dribbled(c):
    """Every byte in a send of its own works, and so do several connections at once."""
    for scheme in c.urls:
        peer = c.socket(scheme)
        if scheme == "ws":
            peer.dribble(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                         b"Sec-WebSocket-Version: 13\r\n\r\n")
            expect(b" 101 " in peer.http_head(), "no upgrade")
        peer.dribble(peer.framed(wire.hello("dribble")))
        peer.message()
        for value in (1, "x" * 200, [1, {"k": "v"}], "y" * 1500):
            peer.dribble(peer.framed(wire.call(3, LAB, "echo", value)))
            expect(peer.reply_to(3).value == value, "the echo of a dribbled call")
    peers = [c.connect(scheme) for scheme in c.urls for _ in range(3)]
    texts = [f"{i}" * 600 for i in range(len(peers))]
    wholes = [peer.framed(wire.call(4, LAB, "echo", text)) for peer, text in zip(peers, texts)]
    for at in range(max(map(len, wholes))):
        for peer, whole in zip(peers, wholes):
            if at < len(whole):
                peer.raw(whole[at:at + 1])
    for peer, text in zip(peers, texts):
        expect(peer.reply_to(4).value == text, "the echo of interleaved bytes")


@case()
def full_reads(c):
    """Reads that fill the node's buffer to the last byte, with a message cut there: what another
    connection sends then must not get into this one's."""
    first = wire.call(1, LAB, "measure", b"\1" * 300, 0)
    for scheme in c.urls:
        other = c.connect(scheme, "other")
        for rest in (1, 3, 200):
            peer = c.connect(scheme, "peer")
            last = peer.framed(wire.call(2, LAB, "echo", "A" * 400))
            size = 65536 - rest
            filler = peer.framed(first)
            count = size // len(filler) - 4
            pad = size - count * len(filler)
            body = 65536 * 3
            for spare in range(0, 40):
                body = wire.call(9, LAB, "measure", b"\2" * (pad - 60 + spare), 0)
                if len(peer.framed(body)) == pad:
                    break
            else:
                continue
            peer.raw(filler * count + peer.framed(body) + last[:rest])
            expect(peer.reply_to(9).value > 0, "the calls before")
            for _ in range(20):
                got = other.call(LAB, "echo", "B" * 400)
                expect(got.value == "B" * 400, f"the other connection got {got!r:.80}")
            peer.raw(last[rest:])
            got = peer.reply_to(2)
            expect(got.value == "A" * 400, f"the cut message arrived as {got!r:.80}")


@case()
def ends_in_half(c):
    """Connections that end within a message, at the moment when others send what a waiting handler
    keeps: their input stays theirs."""
    busy, keeper, third = c.connect("ws"), c.connect("tcp"), c.connect("unix")
    block = busy.framed(wire.call(1, LAB, "total", [5] * 20_000)) * 20
    for round_ in range(30):
        quitter = c.connect(("ws", "tcp")[round_ % 2])
        quitter.raw(quitter.framed(wire.call(2, LAB, "echo", "q" * 500))[:-9])
        busy.raw(block)  # so that the node sees all that follows at once
        quitter.raw(b"")
        quitter.shut()
        data = bytes([round_ + 1]) * 3000
        keeper.send(wire.call(3, LAB, "measure", data, 30))
        third.send(wire.call(4, LAB, "echo", "t" * 3000), wire.call(5, LAB, "measure", data, 1))
        expect(third.reply_to(4).value == "t" * 3000, "the third connection's echo")
        want = 3000 + (3000 * (round_ + 1) << 32)
        expect(third.reply_to(5).value == want, "the third connection's bytes")
        got = keeper.reply_to(3).value
        expect(got == want, f"kept input has changed: {got}, not {want}")
        for _ in range(20):
            expect(busy.reply_to(1).value == 100_000, "a total")


@case(limit=160)
def oversized(c):
    """16 MiB is the limit: a message of that size works, one byte more ends the connection."""
    limit = 16 * MIB
    for scheme in c.urls:
        peer = c.connect(scheme)
        room = limit - len(wire.call(1, LAB, "measure", b"", 0)) - 4
        packet = wire.call(1, LAB, "measure", bytes(room), 0)
        expect(limit - 8 <= len(packet) <= limit, "the test's own size")
        got = peer.ask(packet)
        expect(got.value == room, f"a message of {len(packet)} bytes: {got}")
        expect_close(peer, peer.framed(bytes(limit + 1)), 1009, "one byte too much")
        peer = c.connect(scheme)
        expect_close(peer, peer.framed(bytes(17 * MIB)), 1009, "17 MiB")
        if scheme != "ws":
            for size in (limit + 1, 17 * MIB, 2**31, 2**32 - 1):
                peer = c.connect(scheme)
                expect_close(peer, size.to_bytes(4, "big") + b"x", None, f"a claim of {size}")


@case(limit=160)
def long_names(c):
    """Names of megabytes, and names whose 256th byte is inside a character: always a coded reply."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        for size in (250, 251, 252, 253, 254, 255, 256, 257, 999, 1000, 1001, 1002, 1020, 4000):
            name = "a" * size + "é€😀" * 200
            expect_fault(peer, wire.task(1, "query_interface", name), 404, f"a name of {size}")
            expect_fault(peer, wire.task(1, name), 404, f"a task of {size}")
            expect_fault(peer, wire.task(1, "query_interface", name + "@1.0.0"), 404, f"{size}")
            expect_fault(peer, wire.call(1, name, "add", 1, 2), 400, f"a service of {size}")
            expect_fault(peer, wire.call(1, CALCULATOR, name, 1, 2), 400, f"a method of {size}")
            expect_fault(peer, wire.call(1, LAB, "keep", {"name": "n", "size": 1, "temper": name}),
                         400, f"an enum of {size}")
            expect_fault(peer, wire.call(1, LAB, "keep", {name: 1}), 400, f"a key of {size}")
        huge = "n" * (16 * MIB - 100)
        expect_fault(peer, wire.task(1, "query_interface", huge), 404, "a name of 16 MiB")
        expect_fault(peer, wire.task(1, huge), 404, "a task of 16 MiB")
        expect_fault(peer, wire.call(1, huge, "add"), 404, "a service of 16 MiB")
