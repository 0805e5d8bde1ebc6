"""WebSocket frames that RFC 6455 does not allow, against the node. ws_echo_test.py has the long list."""

import link
import wire
from case import MIB, case, expect, expect_close, expect_silence
from link import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame

CALCULATOR, LAB = "calculator@1.0.0", "lab@1.0.0"


def bad_frames():
    """(what, bytes, close code or codes)."""
    for op in (TEXT, BINARY, PING, CLOSE):
        yield f"unmasked {op}", frame(op, b"", key=None), 1002
        yield f"unmasked {op} with data", frame(op, b"\0\0\0\1\x40\xc0", key=None), 1002
    for rsv in range(1, 8):
        for op in (TEXT, BINARY, PING, CLOSE, CONTINUATION):
            yield f"rsv {rsv} op {op}", frame(op, b"", rsv=rsv), 1002
    for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f"opcode {op}", frame(op, b""), 1002
        yield f"opcode {op} with data", frame(op, b"data"), 1002
        yield f"opcode {op} as a fragment", frame(op, b"data", fin=False), 1002
    for op in (PING, PONG, CLOSE):
        yield f"control {op} of 126", frame(op, b"\3\xe8" + b"x" * 124), 1002
        yield f"control {op} of 70000", frame(op, b"\3\xe8" + b"x" * 69998), 1002
        yield f"control {op} in 64 bits", frame(op, b"\3\xe8", form=64), 1002
        yield f"control {op} in fragments", frame(op, b"\3\xe8", fin=False), 1002
    yield "continuation of nothing", frame(CONTINUATION, b"data"), 1002
    yield "continuation of nothing, unfinished", frame(CONTINUATION, b"data", fin=False), 1002
    for op in (TEXT, BINARY):
        for fin in (True, False):
            start = frame(BINARY, b"one", fin=False)
            yield f"a new {op} inside fragments", start + frame(op, b"two", fin=fin), 1002
    yield "continuation after the end", frame(BINARY, b"\0", fin=False) + \
        frame(CONTINUATION, b"") + frame(CONTINUATION, b""), 1002
    for size, form in ((0, 16), (5, 16), (125, 16), (0, 64), (126, 64), (65535, 64)):
        yield f"a length of {size} in {form} bits", frame(BINARY, b"x" * size, form=form), 1002
    for size in (2**63, 2**64 - 1):
        yield f"a length of {size}", frame(BINARY, b"x", size=size, form=64), 1002
    for size in (16 * MIB + 1, 17 * MIB, 2**32, 2**63 - 1):
        yield f"a length of {size}", frame(BINARY, b"x", size=size, form=64), 1009
        yield f"text of {size}", frame(TEXT, b"x", size=size, form=64), 1009
    part = frame(BINARY, b"x" * MIB, fin=False)
    yield "17 MiB in fragments", part + frame(CONTINUATION, bytes(MIB), fin=False) * 16, 1009
    yield "a long continuation", part + frame(CONTINUATION, b"x", size=16 * MIB, form=64), 1009
    for bad in (b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ab\xe2\x82"):
        yield f"text {bad!r}", frame(TEXT, bad), 1007
        yield f"text {bad!r} in fragments", frame(TEXT, b"ok", fin=False) + \
            frame(CONTINUATION, bad), 1007
        yield f"text {bad!r} byte by byte", frame(TEXT, bad[:1], fin=False) + b"".join(
            frame(CONTINUATION, bad[i:i + 1], fin=False) for i in range(1, len(bad))) + \
            frame(CONTINUATION), 1007
    yield "a close of one byte", frame(CLOSE, b"\3"), 1002
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield f"close code {code}", frame(CLOSE, close_payload(code)), 1002
    for bad in (b"\x80", b"\xed\xa0\x80", b"x" * 10 + b"\xc3"):
        yield f"close reason {bad!r}", frame(CLOSE, close_payload(1000, bad)), (1002, 1007)


def good_closes():
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield code, close_payload(code), code
        yield code, close_payload(code, b"because " + b"x" * 115), code
    yield 1005, b"", 1005


@case()
def after_handshake(c):
    """Each bad frame ends the connection with its code; what follows it is not looked at."""
    for what, data, code in bad_frames():
        peer = c.connect()
        after = peer.framed(wire.call(1, CALCULATOR, "add", 1, 2))
        for more in (b"", after * 3):
            end = expect_close(peer, data + more, code, what)
            expect(end.reason or what.startswith("close code"), f"{what}: no reason was given")
            peer.shut()
            peer = c.connect()
        peer.shut()


@case()
def before_handshake(c):
    """The same before the node knows who it is."""
    for what, data, code in bad_frames():
        peer = c.dial()
        if what.startswith("opcode") or "fragments" not in what:
            expect_close(peer, data, code, what)
        peer.shut()


@case()
def inside_fragments(c):
    """The same while a message is being joined; calls before it are answered."""
    for what, data, code in bad_frames():
        if what.startswith("continuation") or "new" in what or "text" in what.lower():
            continue
        peer = c.connect()
        data = peer.framed(wire.call(5, CALCULATOR, "add", 1, 2)) + \
            frame(BINARY, b"half", fin=False) + data
        try:
            peer.raw(data)
        except link.Closed:
            pass
        expect(peer.reply_to(5).value == 3, f"{what}: the call before it")
        end = link.closing(peer)
        expect(end.code in (*(code if isinstance(code, tuple) else (code,)), 1002),
               f"{what}: close {code} was expected, got {end}")
        peer.shut()


@case()
def orderly_closes(c):
    """A close frame is answered with its code, then the socket ends."""
    for code, payload, answer in good_closes():
        peer = c.connect()
        end = expect_close(peer, frame(CLOSE, payload) + frame(PING, b"late"), answer, f"close {code}")
        expect(end.reason == "", f"close {code}: the answer has the reason {end.reason!r}")
        peer.shut()
    for _ in range(20):
        peer = c.connect()
        peer.raw(peer.framed(wire.call(1, CALCULATOR, "add", 1, 2)) * 100 +
                 frame(CLOSE, close_payload(1000)))
        for _ in range(100):
            expect(peer.next_packet().value == 3, "calls before a close are answered")
        expect(link.closing(peer).code == 1000, "the close is answered last")


@case()
def fragments(c):
    """Calls in any fragments, with control frames between them, work; so do empty fragments."""
    peer = c.connect()
    packet = wire.call(1, LAB, "echo", "text " * 50)
    for size in (1, 2, 7, 100, 1000):
        parts = [packet[i:i + size] for i in range(0, len(packet), size)]
        data = b""
        for i, part in enumerate(parts):
            data += frame(BINARY if i == 0 else CONTINUATION, part, fin=False)
            data += frame(PING, b"p%d" % i) + frame(PONG) + frame(CONTINUATION, b"", fin=False)
        peer.raw(data + frame(CONTINUATION))
        for i in range(len(parts)):
            fin, op, payload = peer.next_frame()
            expect((fin, op, payload) == (True, PONG, b"p%d" % i), f"pong {i}: {op} {payload!r}")
        expect(peer.reply_to(1).value == "text " * 50, f"the call in fragments of {size}")
    peer.raw(frame(BINARY, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 10000 +
             frame(CONTINUATION, packet))
    expect(peer.reply_to(1).value == "text " * 50, "10,000 empty fragments")
    kept = wire.call(2, LAB, "measure", b"\1" * 4000, 30)
    for _ in range(20):
        peer.raw(frame(BINARY, kept[:1999], fin=False) + frame(CONTINUATION, kept[1999:]))
        peer.raw(frame(BINARY, b"\2" * 5000, fin=False) + frame(CONTINUATION, b"\2" * 5000))
    for _ in range(20):
        expect(peer.reply_to(2).value == 4000 + (4000 << 32), "joined input kept by a waiting call")


@case()
def text_frames(c):
    """Text after the handshake is ignored (§2), whatever it says."""
    peer = c.connect()
    for text in (wire.hello("again"), b"{}", b"", b"hello", wire.call(1, CALCULATOR, "add", 1, 2)[:5],
                 b"x" * 100_000, "ünïcödé 😀".encode()):
        peer.raw(frame(TEXT, text) + frame(TEXT, text, fin=False) + frame(CONTINUATION))
        expect_silence(peer, [], "text")
        peer.add()


@case()
def masks(c):
    """Any mask, the zero one too, for every alignment and size."""
    peer = c.connect()
    for size in list(range(0, 40)) + [118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 65400, 66000]:
        for key in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\2\3\4", b"\x80\0\x7f\xff"):
            data = bytes(i * 7 & 0xff for i in range(size))
            peer.raw(frame(BINARY, wire.call(3, LAB, "echo", data), key=key))
            expect(peer.reply_to(3).value == data, f"size {size} key {key.hex()}")
