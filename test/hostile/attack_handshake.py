"""Before a peer is known: HTTP heads, hellos, and peers that are slow or silent."""

import json
import select
import time

import link
import wire
from case import case, expect, expect_close, expect_silence

CALCULATOR = "calculator@1.0.0"
KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
FIELDS = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade",
          "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}


def head(first="GET / HTTP/1.1", change=None, more=(), end="\r\n"):
    fields = {**FIELDS, **(change or {})}
    lines = [first] + [f"{k}: {v}" for k, v in fields.items() if v is not None] + list(more)
    return (end.join(lines) + end * 2).encode("latin-1")


def bad_heads():
    """(what, bytes, status)."""
    yield "no HTTP", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200), 400
    yield "binary", bytes(range(256)), 400
    yield "a tcp hello", b"\0\0\0\x20" + wire.hello(), 400
    yield "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400
    yield "HTTP/1.0", head("GET / HTTP/1.0"), 400
    yield "HTTP/0.9", b"GET /\r\n\r\n", 400
    yield "HTTP/9", head("GET / HTTP/9.9"), 400
    for method in ("POST", "PUT", "HEAD", "OPTIONS", "DELETE", "get", "FOO"):
        yield method, head(f"{method} / HTTP/1.1"), 405
    yield "a space too many", head("GET  / HTTP/1.1"), 400
    yield "no target", head("GET HTTP/1.1"), 400
    yield "a control character", head("GET /\x01 HTTP/1.1"), 400
    yield "a byte above 0x7f", head("GET /\xe9 HTTP/1.1"), 400
    yield "plain HTTP", head(change={k: None for k in FIELDS if k != "Host"}), 426
    for name, status in (("Host", 400), ("Upgrade", 426), ("Connection", 400),
                         ("Sec-WebSocket-Key", 400), ("Sec-WebSocket-Version", 426)):
        yield f"no {name}", head(change={name: None}), status
    yield "another upgrade", head(change={"Upgrade": "h2c"}), 426
    yield "no upgrade token", head(change={"Connection": "keep-alive"}), 400
    for version in ("8", "0", "13x", "14", "-13", "", "013"):
        yield f"version {version!r}", head(change={"Sec-WebSocket-Version": version}), 426
    for key in ("", "short", KEY[:-1], KEY + "=", "A" * 24, "!" * 22 + "==", "A" * 1000, "=" * 24):
        yield f"key {key[:30]!r}", head(change={"Sec-WebSocket-Key": key}), 400
    for name in ("Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"):
        yield f"{name} twice", head(more=[f"{name}: {FIELDS[name]}"]), 400
    yield "bare LF", head(end="\n"), 400
    yield "one bare LF", head().replace(b"\r\nUpgrade", b"\nUpgrade"), 400
    yield "a folded line", head(more=["X-A: b", " c"]), 400
    yield "a leading space", head().replace(b"\r\nHost", b"\r\n Host"), 400
    yield "a space before the colon", head(more=["X-A : b"]), 400
    yield "a name with a space", head(more=["X A: b"]), 400
    yield "no colon", head(more=["XA"]), 400
    yield "an empty name", head(more=[": b"]), 400
    yield "a NUL", head(more=["X-A: b\0c"]), 400
    yield "both lengths", head(more=["Content-Length: 5", "Transfer-Encoding: chunked"]), 400
    yield "65 headers", head(more=[f"X-{i}: {i}" for i in range(70)]), 400
    yield "17 KiB in one header", head(more=["X-A: " + "a" * 17000]), 400
    yield "17 KiB in the target", head("GET /" + "a" * 17000 + " HTTP/1.1"), 400
    yield "17 KiB without an end", b"GET /" + b"a" * 17000, 400
    yield "a bad subprotocol", head(more=["Sec-WebSocket-Protocol: a b"]), 400
    yield "a long subprotocol", head(more=["Sec-WebSocket-Protocol: " + "a" * 129]), 400
    yield "a host that is none", head(change={"Host": "a/b"}), 400


def good_heads():
    yield "as usual", head()
    yield "any path", head("GET /a/b?id=x&token=y HTTP/1.1")
    yield "an absolute target", head("GET http://x/ HTTP/1.1")
    yield "other cases", head(change={"Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE"})
    yield "an empty host", head(change={"Host": ""})
    yield "an extension", head(more=["Sec-WebSocket-Extensions: permessage-deflate"])
    yield "an origin", head(more=["Origin: http://evil.example"])
    yield "60 headers", head(more=[f"X-{i}: {i}" for i in range(55)])
    yield "subprotocols", head(more=["Sec-WebSocket-Protocol: x, netron.2"])
    yield "one subprotocol", head(more=["Sec-WebSocket-Protocol: other"])
    yield "bytes above 0x7f", head(more=["X-A: \xe9\xff"])


@case()
def wrong_heads(c):
    """Every wrong request is refused with its status, and the connection ends."""
    for what, data, status in bad_heads():
        for split in (None, len(data) // 2):
            peer = c.socket()
            try:
                peer.raw(data[:split])
                if split is not None:
                    peer.raw(data[split:])
            except link.Closed:
                pass
            answer = peer.read_to_end()
            line = answer.split(b"\r\n")[0].decode()
            expect(line.startswith(f"HTTP/1.1 {status} "), f"{what}: {line!r}")
            expect(answer.endswith(b"\n") and b"\r\n\r\n" in answer, f"{what}: {answer!r}")
            peer.shut()


@case()
def right_heads(c):
    """What is unusual but right is accepted; what follows the head at once is not lost."""
    for what, data in good_heads():
        peer = c.socket()
        peer.raw(data + link.frame(link.TEXT, wire.hello()) +
                 link.frame(link.BINARY, wire.call(1, CALCULATOR, "add", 1, 2)))
        answer = peer.http_head()
        expect(answer.startswith(b"HTTP/1.1 101 "), f"{what}: {answer!r}")
        expect(b"xtensions" not in answer, f"{what}: an extension was accepted")
        json.loads(peer.message())
        expect(peer.reply_to(1).value == 3, f"{what}: the call that came with the head")
        peer.shut()


def bad_hellos():
    yield "nothing", b""
    yield "no JSON", b"hello"
    yield "cut", wire.hello()[:-1]
    yield "more after it", wire.hello() + b"{}"
    yield "a list", b"[]"
    yield "a number", b"5"
    yield "an empty map", b"{}"
    yield "another type", wire.hello(kind="id")
    yield "a type that is no text", b'{"type":5,"id":"x"}'
    yield "an id of 129", wire.hello("x" * 129)
    yield "over 64 KiB", wire.hello(more="x" * 70000)
    yield "bad UTF-8", b'{"type":"client-id","id":"\xff\xfe"}'
    yield "half a surrogate", b'{"type":"client-id","id":"\\ud800x'
    yield "60,000 brackets", b"[" * 60000
    yield "60,000 maps", b'{"a":' * 12000
    yield "a deep value", b'{"type":"client-id","id":"x","a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    yield "a packet", wire.call(1, CALCULATOR, "add", 1, 2)
    yield "a packet that looks like JSON", wire.call(0x7b000000, CALCULATOR, "add", 1, 2)
    yield "a CANCEL", wire.head(1, wire.CANCEL) + b"\xc0"
    yield "NULs", bytes(1000)


@case()
def wrong_hellos(c):
    """A first message that is no client-id ends the connection; nothing after it is served."""
    for scheme in c.urls:
        for what, data in bad_hellos():
            peer = c.dial(scheme)
            call = peer.framed(wire.hello()) + peer.framed(wire.call(7, CALCULATOR, "add", 1, 2))
            try:
                peer.raw(peer.framed(data) + call)
                peer.reply_to(7)
                raise link.Failure(f"{what}: a call was served")
            except link.Closed as closed:
                expect(scheme != "ws" or closed.code in (1002, 1007), f"{what}: {closed}")
            peer.shut()


@case()
def right_hellos(c):
    """Hellos that existing nodes accept (§12): more keys, white space, odd ids."""
    hellos = [wire.hello("x" * 128), wire.hello(""), b'{"type":"client-id"}',
              b'{"type":"client-id","id":42}', b' \n{ "id" : "x" , "type" : "client-id" } ',
              wire.hello(more={"deep": [[[1]]], "big": "y" * 8000}), wire.hello(ext=[1, None, "zzz"]),
              wire.hello(ext="int64"), wire.hello(ext=["int64"] * 1000),
              b'{"type":"client-id","id":"a\\u0000b\\n\\u001b[31m"}',
              '{"type":"client-id","id":"😀é"}'.encode(), wire.hello("../../etc/passwd%s%n")]
    for scheme in c.urls:
        for data in hellos:
            peer = c.dial(scheme)
            peer.raw(peer.framed(data))
            said = json.loads(peer.message())
            expect(said["type"] == "id" and said["id"], f"{data[:60]!r}: {said}")
            peer.add()
            peer.shut()


@case()
def same_id(c):
    """Many connections with one id, the node's own too: all are served, none takes over another."""
    peer = c.dial()
    peer.send_text(wire.hello("x"))
    own = json.loads(peer.message())["id"]
    for name in ("twin", own, "bystander"):
        peers = [c.connect(scheme, name) for scheme in c.urls for _ in range(5)]
        for twin in peers:
            twin.add()
        for twin in peers[:7]:
            twin.shut()
        for twin in peers[7:]:
            twin.add()


@case()
def ping_first(c):
    """PING is answered before the hello (§2); a second hello is ignored."""
    for scheme in c.urls:
        peer = c.dial(scheme)
        peer.send(wire.head(1, wire.PING) + wire.pack(1.5), wire.head(2, wire.PING) + b"\xc0")
        got, has_id = [], False
        while len(got) < 2 or not has_id:
            data = peer.message()
            has_id = has_id or data[:1] == b"{"
            if data[:1] != b"{":
                got.append(wire.Packet(data).value)
        expect(got == [1.5, None], f"PING before the hello: {got}")
        peer.send(wire.hello())
        peer.add()
        expect_silence(peer, [wire.hello("again"), wire.hello("x", ("int64",)), b"{}", b"[]"],
                       "a second hello")


@case("tight")
def silence(c):
    """A peer that says nothing is closed after handshake_timeout_ms, at every stage."""
    began = time.monotonic()
    sockets = [c.socket(scheme) for scheme in c.urls for _ in range(10)]
    cut = c.socket()
    cut.raw(head()[:-4])
    ends = [(peer, None) for peer in sockets + [cut]] + \
        [(c.dial(scheme), 1008 if scheme == "ws" else None) for scheme in c.urls for _ in range(5)]
    half = c.dial("tcp")
    half.raw(b"\0\0\0\x10{")
    for peer, code in ends + [(half, None)]:
        deadline = time.monotonic() + link.DEADLINE
        if code is None:
            while peer.fill(deadline):
                pass
        else:
            end = link.closing(peer)
            expect(end.code == code, f"a silent peer: {end}")
    took = time.monotonic() - began
    expect(took < 15, f"silent peers were closed after {took:.1f} s")


@case("tight")
def slow_loris(c):
    """A head, and a hello, that never end, a byte at a time, do not outlive the time-out."""
    peers = [(c.socket(), head(more=["X-A: " + "a" * 10000])) for _ in range(20)]
    peers += [(c.dial("tcp"), b"\0\0\x10\0" + b" " * 4096) for _ in range(20)]
    peers += [(c.dial("ws"), b"\x82\xfe\x10\0mask" + b" " * 4096) for _ in range(20)]
    deadline = time.monotonic() + link.DEADLINE
    at = 0
    while peers:
        expect(time.monotonic() < deadline, f"{len(peers)} slow peers are still connected")
        for entry in list(peers):
            peer, data = entry
            try:
                peer.raw(data[at:at + 1] or b" ")
            except link.Closed:
                peers.remove(entry)
                continue
            readable, _, _ = select.select([peer.sock], [], [], 0.002)
            if readable and not peer.fill(deadline):
                peers.remove(entry)
        c.bystander.add()
        at += 1


@case("tight")
def ping_before_hello(c):
    """PINGs do not keep a connection alive that never says who it is."""
    peer = c.dial("tcp")
    began = time.monotonic()
    try:
        while True:
            expect(time.monotonic() - began < link.DEADLINE, "PINGs keep a nameless peer connected")
            peer.send(wire.head(1, wire.PING) + b"\xc0")
            data = peer.message()
            while data[:1] == b"{":
                data = peer.message()
    except link.Closed:
        pass


@case("idle")
def idle(c):
    """idle_timeout_ms: silent peers are closed, WebSockets are pinged before, busy ones stay."""
    quiet = [c.connect(scheme) for scheme in c.urls]
    busy = c.connect("tcp")
    began = time.monotonic()
    for peer in quiet:
        pings = 0
        try:
            while True:
                busy.add()
                c.bystander.add()
                readable, _, _ = select.select([peer.sock], [], [], 0.02)
                if readable and peer.is_ws:
                    _, op, _ = peer.next_frame()
                    pings += op == link.PING
                    if op == link.CLOSE:
                        break
                elif readable and not peer.fill(time.monotonic() + 1):
                    break
                expect(time.monotonic() - began < link.DEADLINE, "a silent peer stays connected")
        except link.Closed:
            pass
        expect(pings > 0 or not peer.is_ws, "no ping came before the end")
    busy.add()


@case("idle")
def too_many(c):
    """max_peers: one more is refused at once, those that are there stay, and room comes back."""
    peers = [c.connect("tcp") for _ in range(19)]
    for _ in range(30):
        extra = c.socket("tcp")
        extra.read_to_end()
        extra.shut()
        c.bystander.add()
    for peer in peers:
        peer.add()
        peer.shut()
    c.target.settle()
    c.connect("tcp").add()
