"""What a case is, and what cases share: nodes of several kinds, connections, expectations."""

import link
import wire

MIB = 1 << 20

# Nodes by kind: options of hostile_node. "tight" has every limit low, to be reached quickly.
KINDS = {
    "plain": {},
    "tight": {"max_message_bytes": MIB, "max_unsent_bytes": MIB, "max_pinned_bytes": 16 * MIB,
              "max_stream_bytes": 4 * MIB, "max_streams": 50, "max_peer_fibers": 200,
              "handshake_timeout_ms": 700, "stalled_timeout_ms": 1500, "max_fibers": 4000,
              "call_timeout_ms": 1000, "task_timeout_ms": 1000},
    "relay": {"allow_remote_expose": "*", "call_timeout_ms": 1000, "task_timeout_ms": 1000},
    "resume": {"resume_timeout_ms": 700, "max_pinned_bytes": 16 * MIB},
    "idle": {"idle_timeout_ms": 500, "ping_interval_ms": 100, "max_peers": 20},
}

ALL = []


class Case:
    def __init__(self, run, kind, limit):
        self.run, self.kind, self.limit = run, kind, limit
        self.name = f"{run.__module__.removeprefix('attack_')}.{run.__name__}"
        self.what = (run.__doc__ or "").split("\n")[0]


def case(kind="plain", limit=32):
    """A case on the node `kind` (None: it brings its own). limit: MiB that the node may grow by,
    threefold under a sanitizer; None: the case measures itself."""
    def add(run):
        ALL.append(Case(run, kind, limit))
        return run
    return add


class Context:
    """What a case works with. Connections made here are closed at its end."""

    def __init__(self, options, target):
        self.options, self.target = options, target
        self.is_long = options.long
        self.links, self.notes = [], []
        if target is not None:
            self.node, self.bystander = target.node, target.bystander
            self.urls, self.is_asan = self.node.urls, self.node.is_asan

    def note(self, text):
        self.notes.append(text)

    def keep(self, made):
        self.links.append(made)
        return made

    def connect(self, scheme="ws", name="hostile", extensions=(), small=False):
        """small: the kernel keeps little for this side."""
        return self.keep(link.connect(self.urls[scheme], name, extensions, small))

    def dial(self, scheme="ws", small=False):
        return self.keep(link.dial(self.urls[scheme], small))

    def socket(self, scheme="ws"):
        """No upgrade, no handshake."""
        sock = link.open_socket(self.urls[scheme])
        return self.keep(link.WebSocket(sock) if scheme == "ws" else link.LengthLink(sock))

    def everywhere(self, **options):
        for scheme in self.urls:
            yield self.connect(scheme, **options)

    def end(self):
        for made in self.links:
            made.shut()


def expect(claim, text):
    if not claim:
        raise link.Failure(text)


def expect_silence(peer, packets, label):
    """Each packet is dropped without an answer, and the connection goes on."""
    packets = list(packets)
    for at in range(0, len(packets), 64):
        batch = packets[at:at + 64]
        peer.send(*batch, wire.call(0xfeed, "calculator@1.0.0", "add", 1, 1))
        got = peer.next_packet()
        expect(got.id == 0xfeed and got.value == 2, f"{label}: no answer was expected, got {got}")


def expect_refusal(peer, packets, label):
    """Each packet is dropped, or refused with a 4xx; the connection goes on."""
    for packet in packets:
        number = int.from_bytes(packet[:4], "big")
        peer.send(packet, wire.call(0xfeed, "calculator@1.0.0", "add", 1, 1))
        got = peer.next_packet()
        if got.id == number:
            expect(got.is_error and 400 <= got.value.code < 500, f"{label}: {packet!r:.60}: {got}")
            got = peer.next_packet()
        expect(got.id == 0xfeed and got.value == 2, f"{label}: {packet!r:.60}: {got}")


def expect_fault(peer, packet, code, label, *words):
    got = peer.ask(packet)
    expect(got.is_error, f"{label}: an error {code} was expected, got {got}")
    expect(isinstance(got.value, wire.Fault) and got.value.code == code,
           f"{label}: an error {code} was expected, got {got}")
    expect(got.flags == (got.type | wire.ERROR), f"{label}: flags {got.flags:#x}")
    for word in words:
        expect(word in got.value.message, f"{label}: {word!r} is not in {got.value.message!r}")
    return got.value


def expect_close(peer, data, code, label):
    """After `data` the node closes: with that code, or one of several; other transports just end."""
    try:
        peer.raw(data)
    except link.Closed:
        pass
    end = link.closing(peer)
    codes = code if isinstance(code, tuple) else (code,)
    expect(not peer.is_ws or end.code in codes, f"{label}: close {codes} was expected, got {end}")
    return end
