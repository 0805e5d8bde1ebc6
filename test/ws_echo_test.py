#!/usr/bin/env python3
"""RFC 6455 against ws-echo, in the spirit of Autobahn's cases: framing, pings, reserved bits, opcodes,
fragments, UTF-8, closes, sizes, and bytes that arrive in any pieces.

usage: ws_echo_test.py [WS_ECHO] [--only WORD]... [-v]      WS_ECHO: else build/release/test/ws-echo
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "hostile"))

import attack_frames  # noqa: E402
import link  # noqa: E402
import node  # noqa: E402
from link import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed, Failure,  # noqa: E402
                  close_payload, frame)

CASES = []
MIB = 1 << 20


def case(run):
    CASES.append(run)
    return run


class Echo:
    """The server, and connections to it."""

    def __init__(self, binary):
        self.errors = tempfile.TemporaryFile()
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1")
        self.process = subprocess.Popen([binary, "0"], stdout=subprocess.PIPE, stderr=self.errors,
                                        env=env)
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().decode().split()
        watchdog.cancel()
        if line[:2] != ["listening", "on"]:
            raise Failure(f"ws-echo said {line}")
        self.url, self.links = line[2], []

    def connect(self):
        made = link.dial(self.url)
        self.links.append(made)
        return made

    def check(self):
        for made in self.links:
            made.shut()
        self.links.clear()
        peer = self.connect()
        echoed(peer, BINARY, b"still there")
        peer.shut()
        self.errors.seek(0)
        said = self.errors.read()
        if any(sign in said for sign in node.SIGNS):
            raise Failure(f"a sanitizer says\n{said.decode(errors='replace')}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("ws-echo does not stop") from None
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace")
        if self.process.returncode != 0 or any(sign.decode() in said for sign in node.SIGNS):
            raise Failure(f"ws-echo ended with {self.process.returncode}\n{said}")


def expect(claim, text):
    if not claim:
        raise Failure(text)


def message(peer, op, data, label=""):
    got = peer.message()
    expect((peer.last_op, got) == (op, data),
           f"{label}: {op} {data[:40]!r} of {len(data)} was expected, got {peer.last_op} "
           f"{got[:40]!r} of {len(got)}")


def echoed(peer, op, data, label="", **options):
    peer.raw(frame(op, data, **options))
    message(peer, op, data, label)


def pong(peer, data, label=""):
    got = peer.next_frame()
    expect(got == (True, PONG, data), f"{label}: a pong of {data!r} was expected, got {got}")


def refused(echo, data, code, label, before=()):
    """`data` makes the server close with that code; `before` comes back first."""
    peer = echo.connect()
    try:
        peer.raw(data)
    except Closed:
        pass
    for op, sent in before:
        message(peer, op, sent, label)
    codes = code if isinstance(code, tuple) else (code,)
    end = link.closing(peer)
    expect(end.code in codes, f"{label}: close {codes} was expected, got {end}")
    peer.shut()


# ---- framing and sizes (Autobahn 1, 9, 10) ----

SIZES = (0, 1, 124, 125, 126, 127, 128, 65535, 65536, 65537, MIB)


@case
def sizes(echo):
    """Text and binary of every size at a border of the length's forms, in one write."""
    peer = echo.connect()
    for size in SIZES:
        echoed(peer, TEXT, b"*" * size, f"text of {size}")
        echoed(peer, BINARY, bytes(i & 0xff for i in range(size)), f"binary of {size}")


@case
def large(echo):
    """16 MiB, in one frame and in frames of 64 bytes to 1 MiB."""
    for op in (TEXT, BINARY):
        peer = echo.connect()
        data = b"0123456789abcdef" * MIB
        echoed(peer, op, data, "16 MiB", key=b"\0\0\0\0")
        for part in (4096, 65536, MIB):
            peer.raw(fragments(op, data[:4 * MIB], part))
            message(peer, op, data[:4 * MIB], f"4 MiB in frames of {part}")
        peer.raw(fragments(op, data[:MIB], 64))
        message(peer, op, data[:MIB], "1 MiB in frames of 64")


@case
def pieces(echo):
    """Messages whose bytes arrive one by one, or in pieces of 997."""
    for size in (0, 1, 125, 126, 300, 2000):
        for op in (TEXT, BINARY):
            peer = echo.connect()
            data = b"*" * size
            peer.dribble(frame(op, data))
            message(peer, op, data, f"{size} bytes one by one")
    for size in (65535, 65536, 200_000):
        peer = echo.connect()
        whole = frame(BINARY, b"x" * size)
        for at in range(0, len(whole), 997):
            peer.raw(whole[at:at + 997])
        message(peer, BINARY, b"x" * size, f"{size} in pieces of 997")


@case
def many(echo):
    """10,000 small messages in one write; 1,000 of mixed sizes, types and pieces."""
    peer = echo.connect()
    texts = [b"message %d" % i for i in range(10_000)]
    peer.raw(b"".join(frame(TEXT, t) for t in texts))
    for text in texts:
        message(peer, TEXT, text, "in one write")
    dice = random.Random(6455)
    sent, data = [], b""
    for _ in range(1000):
        op = dice.choice((TEXT, BINARY))
        body = bytes([dice.randrange(32, 127)]) * dice.choice((0, 1, 5, 125, 126, 127, 1000, 70_000))
        sent.append((op, body))
        data += fragments(op, body, dice.choice((1000, 100_000)), key=dice.randbytes(4))
    writer = threading.Thread(target=write_in_pieces, args=(peer, data, dice), daemon=True)
    writer.start()
    for i, (op, body) in enumerate(sent):
        message(peer, op, body, f"message {i} of a mix")
    writer.join()


def write_in_pieces(peer, data, dice):
    at = 0
    while at < len(data):
        size = dice.choice((1, 3, 100, 5000, 65536, 300_000))
        peer.sock.sendall(data[at:at + size])
        at += size


@case
def masks(echo):
    """Any mask, the zero one too, and the server's frames have none."""
    peer = echo.connect()
    for key in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0", b"\0\0\0\x80", b"abcd"):
        for size in list(range(0, 66)) + [125, 126, 127, 1000, 65536]:
            echoed(peer, BINARY, bytes(i * 31 & 0xff for i in range(size)), f"key {key!r}", key=key)


# ---- control frames (Autobahn 2) ----

@case
def pings(echo):
    """Each ping has its pong with the same payload, up to 125 bytes, in any pieces."""
    peer = echo.connect()
    for payload in (b"", b"Hello", b"\0\xff\xfe\xfd\xfc\xfb\0\xff", b"\xfe" * 125):
        peer.raw(frame(PING, payload))
        pong(peer, payload, "a ping")
        peer.dribble(frame(PING, payload))
        pong(peer, payload, "a ping in pieces")
    for i in range(1000):
        peer.raw(frame(PING, b"payload-%d" % i))
    for i in range(1000):
        pong(peer, b"payload-%d" % i, "many pings")
    peer.raw(frame(PONG, b"unsolicited") + frame(PONG) + frame(PING, b"x") + frame(PONG, b"y" * 125))
    pong(peer, b"x", "between unsolicited pongs")
    echoed(peer, TEXT, b"after them")


# ---- fragments (Autobahn 5) ----

def fragments(op, data, size, between=b"", **options):
    """A message in frames of `size`, with `between` after each but the last."""
    parts = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
    out = b""
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        out += frame(CONTINUATION if i else op, part, fin=last, **options)
        out += b"" if last else between
    return out


@case
def fragmented(echo):
    """Messages in fragments, with pings, pongs and empty fragments between them."""
    for op in (TEXT, BINARY):
        peer = echo.connect()
        for size in (1, 2, 3, 10, 125, 126, 499):
            peer.raw(fragments(op, b"fragment " * 100, size))
            message(peer, op, b"fragment " * 100, f"fragments of {size}")
        between = frame(PING, b"in between") + frame(PONG, b"too") + frame(CONTINUATION, b"", fin=False)
        peer.raw(fragments(op, b"fragment " * 10, 9, between))
        for _ in range(9):
            pong(peer, b"in between", "between fragments")
        message(peer, op, b"fragment " * 10, "with pings between")
        peer.dribble(fragments(op, b"slow", 1, frame(PING, b"p")))
        for _ in range(3):
            pong(peer, b"p", "between slow fragments")
        message(peer, op, b"slow", "byte by byte")
        peer.raw(frame(op, b"", fin=False) + frame(CONTINUATION, b"", fin=False) + frame(CONTINUATION))
        message(peer, op, b"", "three empty fragments")
        peer.raw(frame(op, b"", fin=False) + frame(CONTINUATION, b"middle", fin=False) +
                 frame(CONTINUATION))
        message(peer, op, b"middle", "empty around one")
        for _ in range(100):
            peer.raw(fragments(op, b"one two", 3) + frame(op, b"three"))
        for _ in range(100):
            message(peer, op, b"one two", "fragments and whole")
            message(peer, op, b"three", "whole and fragments")


@case
def fragmented_wrongly(echo):
    """Continuations of nothing, new messages inside another, control frames in fragments: 1002."""
    one = frame(TEXT, b"one")
    for label, data in (
            ("a continuation first", frame(CONTINUATION, b"x")),
            ("an unfinished continuation first", frame(CONTINUATION, b"x", fin=False) + one),
            ("a continuation after a message", one + frame(CONTINUATION, b"x") + one),
            ("a continuation too many", fragments(TEXT, b"ab", 1) + frame(CONTINUATION, b"x")),
            ("a message inside another", frame(TEXT, b"a", fin=False) + one),
            ("a start inside another", frame(TEXT, b"a", fin=False) + frame(BINARY, b"b", fin=False)),
            ("a ping in fragments", frame(PING, b"a", fin=False) + frame(PING, b"b")),
            ("a ping continued", frame(PING, b"a", fin=False) + frame(CONTINUATION, b"b"))):
        before = [(TEXT, b"one")] if data.startswith(one) else []
        if "too many" in label:
            before = [(TEXT, b"ab")]
        refused(echo, data, 1002, label, before)


# ---- reserved bits and opcodes, masks, lengths (Autobahn 3, 4) ----

@case
def not_allowed(echo):
    """The list of attack_frames.py: reserved bits and opcodes, masks, lengths, text, closes."""
    for label, data, code in attack_frames.bad_frames():
        if code == 1009:
            continue  # the limit is another one here
        refused(echo, data, code, label)
        refused(echo, frame(TEXT, b"before") + data + frame(TEXT, b"after"), code, label,
                [(TEXT, b"before")])


@case
def too_large(echo):
    """Over max_message_bytes (64 MiB here) the close code is 1009, told by the length alone."""
    for op in (TEXT, BINARY):
        for size in (64 * MIB + 1, 2**40, 2**63 - 1):
            refused(echo, frame(op, b"", size=size, form=64), 1009, f"{size} bytes")
    refused(echo, frame(BINARY, b"x", fin=False) + frame(CONTINUATION, b"", size=64 * MIB, form=64),
            1009, "64 MiB and one in fragments")


# ---- UTF-8 (Autobahn 6) ----

GOOD = [b"", b"Hello", "Hello-µ@ßöäüàá-UTF-8!!".encode(), "κόσμε".encode(), "日本語".encode(),
        "\U0001f600\U00010000\U0010ffff".encode(), b"\x00", b"\x7f", b"\xc2\x80", b"\xdf\xbf",
        b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xef\xbf\xbe",
        b"\xef\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", "\ufeffbom".encode(),
        b"\xf0\x9f\xbf\xbe", b"\xe2\x82\xac" * 1000]
BAD = [b"\x80", b"\xbf", b"\x80\xbf", b"\xc0", b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xc2",
       b"\xc2\x20", b"\xc2\xc2", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe0\xa0", b"\xe0\xa0\x20",
       b"\xe2\x82", b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80",
       b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80", b"\xf0\x90\x80\x20",
       b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xf8\x88\x80\x80\x80",
       b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
       "κόσμε".encode() + b"\xed\xa0\x80edited", b"a" * 1000 + b"\xce", b"\xce" + b"a" * 1000]


@case
def text(echo):
    """Valid text comes back, in one frame and split at every byte."""
    peer = echo.connect()
    for data in GOOD:
        echoed(peer, TEXT, data, f"{data[:20]!r}")
        for at in range(1, min(len(data), 40)):
            peer.raw(frame(TEXT, data[:at], fin=False) + frame(CONTINUATION, data[at:]))
            message(peer, TEXT, data, f"{data[:20]!r} split at {at}")
        if len(data) < 50:
            peer.raw(fragments(TEXT, data, 1, frame(PING, b"u")))
            for _ in range(max(0, len(data) - 1)):
                pong(peer, b"u")
            message(peer, TEXT, data, f"{data[:20]!r} byte by byte")


@case
def bad_text(echo):
    """Invalid text is refused with 1007, in one frame and split; as binary it is fine."""
    for data in BAD:
        refused(echo, frame(TEXT, data), 1007, f"{data[:20]!r}")
        refused(echo, frame(TEXT, b"ok" + data + b"ok"), 1007, f"ok{data[:20]!r}ok")
        refused(echo, frame(TEXT, data[:1], fin=False) + frame(CONTINUATION, data[1:]), 1007,
                f"{data[:20]!r} split")
        refused(echo, frame(TEXT, b"fine") + frame(TEXT, data) + frame(TEXT, b"late"), 1007,
                f"{data[:20]!r} after text", [(TEXT, b"fine")])
        peer = echo.connect()
        echoed(peer, BINARY, data, "as binary")


# ---- closing (Autobahn 7) ----

@case
def closes(echo):
    """A close is answered with its code and ends the connection; what follows it is ignored."""
    for code, payload, answer in attack_frames.good_closes():
        refused(echo, frame(CLOSE, payload), answer, f"close {code}")
        refused(echo, frame(TEXT, b"one") + frame(CLOSE, payload) + frame(TEXT, b"two") +
                frame(PING, b"three") + frame(CLOSE, close_payload(1000)), answer, f"close {code}",
                [(TEXT, b"one")])
        refused(echo, frame(TEXT, b"unfinished", fin=False) + frame(CLOSE, payload), answer,
                f"close {code} inside fragments")
    refused(echo, frame(CLOSE, b"\3\xe8" + b"r" * 123), 1000, "a reason of 123 bytes")
    refused(echo, frame(CLOSE, b"\3\xe8" + b"r" * 124), 1002, "a reason of 124 bytes")
    for bad in BAD:
        if len(bad) <= 123:
            refused(echo, frame(CLOSE, b"\3\xe8" + bad), 1007, f"a reason of {bad[:20]!r}")
    for code in (3000, 3333, 3999, 4000, 4321, 4999):
        refused(echo, frame(CLOSE, close_payload(code)), code, f"close {code}")
    peer = echo.connect()
    peer.dribble(frame(CLOSE, close_payload(1001, b"slowly")))
    end = link.closing(peer)
    expect((end.code, end.reason) == (1001, ""), f"a close in pieces: {end}")


@case
def close_delivers(echo):
    """All that was echoed before the close arrives, also when it is much and read late."""
    peer = echo.connect()
    data = b"x" * 100_000
    block = frame(BINARY, data, key=b"\0\0\0\0") * 100 + frame(CLOSE, close_payload(1000, b"bye"))
    writer = threading.Thread(target=lambda: peer.sock.sendall(block), daemon=True)
    writer.start()
    for i in range(100):
        message(peer, BINARY, data, f"message {i} before a close")
    writer.join()
    end = link.closing(peer)
    expect(end.code == 1000, f"after 10 MB: {end}")


@case
def abrupt_ends(echo):
    """Connections that end without a close, at every point, leave nothing."""
    whole = fragments(TEXT, b"abcdef", 2, frame(PING, b"p")) + frame(CLOSE, close_payload(1000))
    for cut in range(len(whole)):
        peer = echo.connect()
        peer.raw(whole[:cut])
        (peer.vanish if cut % 2 else peer.shut)()
    echo.links.clear()


# ---- runs ----

def run_one(echo, run):
    try:
        run(echo)
        echo.check()
        return None
    except Exception as caught:  # whatever goes wrong is the case's failure
        return f"{type(caught).__name__}: {caught}\n{traceback.format_exc()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary", nargs="?",
                        default=os.path.join(HERE, "../build/release/test/ws-echo"))
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    echo = Echo(options.binary)
    passed = failed = 0
    for run in CASES + [None]:
        if run is not None and options.only and run.__name__ not in options.only:
            continue
        began = time.monotonic()
        name = run.__name__ if run is not None else "end"
        try:
            error = run_one(echo, run) if run is not None else echo.stop()
        except Failure as caught:
            error = str(caught)
        passed, failed = passed + (error is None), failed + (error is not None)
        if error is not None:
            print(f"FAIL  {name}\n      {error}", flush=True)
            if run is not None and echo.process.poll() is not None:
                echo = Echo(options.binary)
        elif options.verbose:
            print(f"ok    {name}  {time.monotonic() - began:.1f} s", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
