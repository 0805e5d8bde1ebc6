"""Floods: more than the node can answer, from peers that read, read later, or never read."""

import select
import socket
import threading
import time

import link
import wire
from case import MIB, case, expect
from link import BINARY, PING, frame

CALCULATOR, LAB = "calculator@1.0.0", "lab@1.0.0"
PLAIN = b"\0\0\0\0"  # a mask that changes nothing: cheap to make


def pour(peer, block, count, seconds=60, reads=True):
    """Send `block` `count` times, reading meanwhile if told. Returns (blocks sent, bytes read): fewer
    when the node closes, or, for one who does not read, takes no more for a while."""
    peer.sock.setblocking(False)
    deadline = time.monotonic() + seconds
    sent, read, at = 0, 0, 0
    view = memoryview(block)
    while sent < count:
        ready = select.select([peer.sock] if reads else [], [peer.sock], [], 5 if reads else 0.4)
        expect(time.monotonic() < deadline, f"only {sent} of {count} blocks in {seconds} s")
        if not ready[0] and not ready[1]:
            break
        try:
            if ready[0]:
                data = peer.sock.recv(1 << 20)
                if not data:
                    break
                read += len(data)
            if ready[1]:
                at += peer.sock.send(view[at:])
                if at == len(block):
                    sent, at = sent + 1, 0
        except BlockingIOError:
            pass
        except OSError:
            break
    peer.sock.setblocking(True)
    return sent, read


class Watch:
    """Calls of the bystander all the time, on a thread: how long the slowest took."""

    def __init__(self, c):
        self.c, self.is_over, self.slowest, self.count, self.error = c, False, 0.0, 0, None
        self.link = link.connect(c.urls["tcp"], "watch")
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.is_over:
                began = time.monotonic()
                self.link.add()
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.count += 1
        except Exception as caught:
            self.error = caught

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *caught):
        self.is_over = True
        self.thread.join()
        self.link.shut()
        self.c.note(f"slowest of {self.count} other calls {self.slowest * 1000:.0f} ms")
        if caught[0] is None:
            most = 8 if self.c.is_asan else 3
            expect(self.error is None, f"another connection: {self.error}")
            expect(self.slowest < most, f"a call of another connection took {self.slowest:.1f} s")


@case()
def two_million_pings(c):
    """Two million WebSocket pings, each answered, in bounded memory."""
    peer = c.connect()
    count = 2_000_000 if c.is_long or not c.is_asan else 500_000
    block = frame(PING, b"", key=PLAIN) * 10_000
    with Watch(c):
        sent, read = pour(peer, block, count // 10_000)
    expect(sent == count // 10_000, f"{sent * 10_000} pings were taken")
    deadline = time.monotonic() + link.DEADLINE
    while read < 2 * count:
        expect(peer.fill(deadline), "the node closed")
        read += len(peer.buffer)
        peer.buffer.clear()
    expect(read == 2 * count, f"{read} bytes of pongs")
    peer.add()


@case("tight", limit=16)
def pings_unread(c):
    """Pings of 125 bytes from a peer that does not read the pongs: the node stops reading them at
    max_unsent_bytes (1 MiB here) and closes the connection after stalled_timeout_ms."""
    peer = c.connect(small=True)
    block = frame(PING, b"x" * 125, key=PLAIN) * 1000
    with Watch(c):
        sent, _ = pour(peer, block, 1000, reads=False)
        expect(sent < 900, f"{sent} blocks of 131 KB were taken from a peer that does not read")
        c.target.settle(peers=1)


@case("tight", limit=16)
def packet_pings_unread(c):
    """The same with PING packets of 100 KB, on each transport, also before the hello."""
    for scheme in c.urls:
        for make in (c.connect, c.dial):
            peer = make(scheme, small=True)
            block = peer.framed(wire.head(1, wire.PING) + wire.pack("x" * 100_000))
            sent, _ = pour(peer, block, 400, reads=False)
            expect(sent < 390, f"{scheme}: {sent} PINGs of 100 KB were taken")
    c.target.settle()


def calls_unread(c, packet, count, label):
    with Watch(c):
        for scheme in c.urls:
            peer = c.connect(scheme, small=True)
            framed = frame(BINARY, packet, key=PLAIN) if scheme == "ws" else peer.framed(packet)
            sent, _ = pour(peer, framed * 1000, count // 1000, reads=False)
            expect(sent < count // 1000, f"{label}, {scheme}: all {count} calls were taken")
        c.target.settle(peers=1)


@case("tight", limit=16)
def calls_never_read(c):
    """A peer that pipelines a million calls and reads no reply: stopped, then closed; others serve."""
    calls_unread(c, wire.call(1, CALCULATOR, "add", 1, 2), 1_000_000, "add")


@case("tight", limit=16)
def echoes_never_read(c):
    """The same with replies of 10 KB."""
    calls_unread(c, wire.call(1, LAB, "echo", "x" * 10_000), 10_000, "echo")


@case("tight", limit=80)
def waiting_never_read(c):
    """The same with handlers that wait before they answer with 100 KB: what max_peer_fibers (200 here)
    of them leave unsent comes on top, 20 MB for each of three peers, and no more."""
    calls_unread(c, wire.call(1, LAB, "blob", 100_000, 1), 1_000_000, "blob")


@case("tight", limit=16)
def faults_never_read(c):
    """The same with errors."""
    calls_unread(c, wire.call(1, "no" * 500, "add"), 200_000, "faults")


@case()
def reads_later(c):
    """A peer that sends 200,000 calls and only then begins to read gets every reply, in any case
    how the sending was cut."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        count = 200_000
        packet = wire.call(1, LAB, "echo", "x" * 40)
        framed = frame(BINARY, packet, key=PLAIN) if scheme == "ws" else peer.framed(packet)
        sender = threading.Thread(target=send_quietly, args=(peer, framed * count), daemon=True)
        sender.start()
        sender.join(1.0)  # by now it is stuck: the node has stopped reading
        deadline = time.monotonic() + 3 * link.DEADLINE
        got = 0
        while got < count:
            data = peer.message(max(0.001, deadline - time.monotonic()))
            expect(data[:5] == b"\0\0\0\1\3", f"reply {got} is {data[:20]!r}")
            got += 1
        sender.join()
        peer.add()


def send_quietly(peer, data):
    """On a thread, so that this side can read meanwhile. A duplicate has a time-out of its own, but must
    have one: whether the descriptor blocks is one flag for both, and with a time-out it does not."""
    twin = socket.socket(fileno=socket.dup(peer.sock.fileno()))
    twin.settimeout(600)
    try:
        twin.sendall(data)
    except OSError:
        pass
    twin.close()


@case()
def greedy(c):
    """One connection floods with calls and reads all replies; another's calls stay quick."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        packet = wire.call(1, CALCULATOR, "add", 1, 2)
        framed = frame(BINARY, packet, key=PLAIN) if scheme == "ws" else peer.framed(packet)
        with Watch(c) as watch:
            sent, _ = pour(peer, framed * 1000, 1000)
        expect(sent == 1000, f"{sent} blocks were taken")
        expect(watch.count > 3, f"{watch.count} calls of the other connection meanwhile")


@case("tight")
def all_waiting(c):
    """A peer with every one of its calls waiting: 429 for it beyond max_peer_fibers (here 200)."""
    peer = c.connect("tcp")
    for first in range(1, 401, 100):
        peer.send(*(wire.call(i, LAB, "wait_for", 3_600_000) for i in range(first, first + 100)))
    refused = 0
    while refused < 200:
        got = peer.next_packet()
        expect(got.is_error and got.value.code == 429, f"beyond max_calls: {got}")
        refused += 1
    c.bystander.add()
    peer.vanish()
    c.target.settle()


@case(limit=200)
def all_fibers(c):
    """One peer that leaves 9,000 calls waiting, more than there are fibers by default, does not keep
    others from being served."""
    peer = c.connect("tcp")
    data = b"".join(peer.framed(wire.call(i, LAB, "wait_for", 3_600_000)) for i in range(1, 9001))
    sender = threading.Thread(target=send_quietly, args=(peer, data), daemon=True)
    sender.start()
    sender.join(10)
    for _ in range(3):
        c.bystander.add()
        expect(c.bystander.call(LAB, "wait_for", 5).value == 5, "a call that waits, of another")
    for scheme in c.urls:
        c.connect(scheme).add()
    peer.vanish()
    c.target.settle(peers=3)


@case(limit=200)
def cancels_of_many(c):
    """100,000 CANCELs of nothing beside 5,000 calls in flight do not hold up the node."""
    peer = c.connect("tcp", extensions=("cancel",))
    data = b"".join(peer.framed(wire.call(i, LAB, "wait_for", 3_600_000)) for i in range(1, 5001))
    peer.raw(data)
    block = peer.framed(wire.head(0x7fffffff, wire.CANCEL) + b"\xc0") * 1000
    with Watch(c):
        sent, _ = pour(peer, block, 100)
    expect(sent == 100, f"{sent} blocks were taken")
    peer.vanish()


@case(limit=48)
def duplicates_ahead(c):
    """A stream with 9,999 chunks held back, then 50,000 duplicates of the last: cheap to drop."""
    peer = c.connect("tcp")
    peer.send(wire.call(1, LAB, "drink", wire.stream_reference(7), 0))
    with Watch(c):
        block = b"".join(peer.framed(wire.chunk(9, 7, i, 1)) for i in range(1, 9999))
        pour(peer, block, 1)
        pour(peer, peer.framed(wire.chunk(9, 7, 9998, 1)) * 1000, 50)
        peer.send(wire.chunk(9, 7, 0, 1), wire.chunk(9, 7, 9999, None, wire.EOS))
        got = peer.reply_to(1, 60)
    expect(got.value["items"] == 9999, f"{got}")


@case()
def come_and_go(c):
    """Thousands of connections that come and vanish at every stage."""
    for scheme in c.urls:
        for round_ in range(400):
            stage = round_ % 6
            if stage == 0:
                c.socket(scheme).vanish()
            elif stage == 1:
                link.dial(c.urls[scheme]).vanish()
            else:
                peer = link.connect(c.urls[scheme])
                if stage == 2:
                    peer.send(*(wire.call(i, LAB, "wait_for", 60_000) for i in range(20)))
                elif stage == 3:
                    peer.send(wire.call(1, LAB, "endless", 5000),
                              wire.call(2, LAB, "drink", wire.stream_reference(4), 0))
                elif stage == 4:
                    peer.send(wire.task(1, "subscribe", "x"), wire.call(2, LAB, "emit", "x", 3))
                elif stage == 5:
                    peer.raw(peer.framed(wire.call(1, LAB, "echo", "x" * 3000))[:-7])
                if round_ % 4:
                    peer.vanish()
                else:
                    peer.shut()
        c.bystander.add()
    c.links.clear()
