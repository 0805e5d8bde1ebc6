"""Memory: what peers can make the node keep, all of them together."""

import threading

import link
import wire
from case import MIB, case, expect
from attack_flood import send_quietly
from link import BINARY, CONTINUATION, frame

CALCULATOR, LAB = "calculator@1.0.0", "lab@1.0.0"
PLAIN = b"\0\0\0\0"


def half(peer, size):
    """The first half of a message of `size` bytes."""
    packet = bytes(size)
    whole = frame(BINARY, packet, key=PLAIN) if peer.is_ws else peer.framed(packet)
    return whole[:len(whole) // 2]


def many_halves(c, count, size):
    """Connections that each send half a message; returns how many the node keeps."""
    kept = 0
    data = {}
    for i in range(count):
        scheme = ("ws", "tcp", "unix")[i % 3]
        peer = c.connect(scheme)
        data.setdefault(scheme, half(peer, size))
        try:
            peer.raw(data[scheme], 5)
            kept += 1
        except (link.Closed, link.Failure):
            pass
        if i % 100 == 0:
            c.bystander.add()
    return kept


@case("plain", limit=300)
def half_messages(c):
    """2,000 connections with half a message of 200 KB each: max_pinned_bytes (256 MiB) holds, and who
    sends whole messages is served all the while."""
    many_halves(c, 2000 if not c.is_asan or c.is_long else 1000, 200_000)
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.add()
        peer.dribble(peer.framed(wire.call(9, CALCULATOR, "add", 1, 2)))
        expect(peer.reply_to(9).value == 3, "a dribbled call beside 2,000 half messages")


@case("tight", limit=40)
def half_messages_tight(c):
    """The same with a budget of 16 MiB, filled to the brim by ever smaller halves: most are closed,
    and those whose small messages arrive in pieces are not among them."""
    early = [c.connect(scheme) for scheme in c.urls]
    for peer in early:
        peer.raw(peer.framed(wire.call(9, CALCULATOR, "add", 1, 2))[:9])
    for size, count in ((400_000, 100), (40_000, 100), (6_000, 300), (1_000, 300)):
        many_halves(c, count, size)
    for peer in early:
        peer.raw(peer.framed(wire.call(9, CALCULATOR, "add", 1, 2))[9:])
        expect(peer.reply_to(9).value == 3, "a call whose first half came before the flood")
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.dribble(peer.framed(wire.call(9, CALCULATOR, "add", 1, 2)))
        expect(peer.reply_to(9).value == 3, "a dribbled call beside the flood")


@case("tight", limit=48)
def half_fragmented(c):
    """Fragments that are waiting for their last one count like any other unfinished input."""
    part = frame(BINARY, bytes(300_000), fin=False, key=PLAIN) + \
        frame(CONTINUATION, bytes(300_000), fin=False, key=PLAIN)
    for i in range(200):
        peer = c.connect("ws")
        try:
            peer.raw(part, 5)
        except (link.Closed, link.Failure):
            pass
        if i % 20 == 0:
            c.bystander.add()
    c.connect("ws").add()


@case("tight", limit=40)
def pinned(c):
    """Large arguments that waiting handlers hold: 16 MiB of them, then 429 or the end of that
    connection; calls of others go on, in pieces too."""
    peer = c.connect("tcp")
    block = b"".join(peer.framed(wire.call(i, LAB, "measure", bytes(200_000), 3_600_000))
                     for i in range(150))
    sender = threading.Thread(target=send_quietly, args=(peer, block), daemon=True)
    sender.start()
    try:
        while True:
            got = peer.next_packet()
            expect(got.is_error and got.value.code == 429, f"30 MB held by waiting handlers: {got}")
            other = c.connect("ws")
            other.dribble(other.framed(wire.call(9, CALCULATOR, "add", 1, 2)))
            expect(other.reply_to(9).value == 3, "a dribbled call of another connection")
            if got.id == 149:
                break
    except link.Closed:
        c.bystander.add()


@case("plain", limit=160)
def many_arguments(c):
    """A call and a task with 8 million arguments, where any are taken."""
    count = 8_000_000
    body = b"\xdd" + (count + 2).to_bytes(4, "big") + wire.pack("open@1.0.0") + wire.pack("count") + \
        b"\xc0" * count
    for scheme in ("tcp", "ws"):
        peer = c.connect(scheme)
        got = peer.ask(wire.head(1, wire.CALL) + body, 60)
        expect(got.is_error and got.value.code == 413 or got.value == count, f"a call: {got}")
        body_of_task = b"\xdd" + (count + 1).to_bytes(4, "big") + wire.pack("count") + b"\xc0" * count
        got = peer.ask(wire.head(1, wire.TASK) + body_of_task, 60)
        expect(got.is_error and got.value.code == 413 or got.value == count, f"a task: {got}")


@case("plain", limit=160)
def amplified(c):
    """Lists, maps and sets that are small on the wire and large once decoded: 413."""
    count = 8_000_000
    for name, data in (("a list", b"\xdd" + count.to_bytes(4, "big") + b"\xc0" * count),
                       ("lists in lists", b"\xdd" + (count // 2).to_bytes(4, "big") + b"\x91\xc0" *
                        (count // 2)),
                       ("a set", wire.ext(123, count.to_bytes(4, "big") + b"\xc0" * count)),
                       ("maps", b"\xdc\x03\xe8" + (b"\xde\x0f\xa0" + b"\xa0\xc0" * 4000) * 1000)):
        peer = c.connect("tcp")
        got = peer.ask(wire.call(1, LAB, "echo", wire.Raw(data)), 60)
        expect(got.is_error and got.value.code == 413, f"{name}: {got!r:.100}")
        got = peer.ask(wire.call(1, LAB, "total", wire.Raw(data)), 60)
        expect(got.is_error and got.value.code in (400, 413), f"{name}: {got!r:.100}")


@case("plain", limit=64)
def remembered_errors(c):
    """Errors that name what was asked for do not keep megabytes of it, once per waiting handler."""
    peer = c.connect("tcp")
    name = "n" * (2 * MIB)
    for i in range(100):
        peer.send(wire.task(1, "query_interface", name), wire.call(100 + i, LAB, "wait_for", 3_600_000))
        peer.reply_to(1)
    peer.vanish()


@case("relay", limit=64)
def exposed(c):
    """Services that one peer publishes again and again, with a megabyte each: not kept for ever."""
    peer = c.connect("tcp")
    for i in range(100):
        peer.task("expose_service", {"name": f"s{i % 2}", "doc": "d" * MIB})
    peer.vanish()
