"""The node as a client of a server that lies. Each run is a process of its own: hostile_node --dial."""

import base64
import hashlib
import socket
import threading

import link
import node
import wire
from case import MIB, case, expect
from link import BINARY, CLOSE, PING, TEXT, close_payload, frame

OPTIONS = {"max_message_bytes": MIB, "max_stream_bytes": MIB}
BRIEF = {"handshake_timeout_ms": 300, "call_timeout_ms": 300}  # where a time-out is what comes


class Guest:
    """The node that dialled, seen by the server."""

    def __init__(self, sock, is_ws):
        self.sock, self.is_ws, self.buffer = sock, is_ws, bytearray()
        sock.settimeout(link.DEADLINE)

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        piece = bytes(self.buffer[:size])
        del self.buffer[:size]
        return piece

    def raw(self, data):
        self.sock.sendall(data)

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        end = self.buffer.index(b"\r\n\r\n") + 4
        return self.take(end)

    def upgrade(self, status=b"101 Switching Protocols", accept=None, more=(), without=""):
        head = self.head()
        key = [line.split(b":")[1].strip() for line in head.split(b"\r\n")
               if line.lower().startswith(b"sec-websocket-key:")][0]
        real = base64.b64encode(hashlib.sha1(key + link.GUID).digest())
        lines = [b"Upgrade: websocket", b"Connection: Upgrade",
                 b"Sec-WebSocket-Accept: " + (accept or real)] + list(more)
        lines = [line for line in lines if not (without and line.lower().startswith(without.encode()))]
        self.raw(b"\r\n".join([b"HTTP/1.1 " + status] + lines + [b"", b""]))

    def send(self, data, op=BINARY):
        self.raw(frame(op, data, key=None) if self.is_ws
                 else len(data).to_bytes(4, "big") + data)

    def message(self):
        """The next message's bytes; pings are dropped."""
        if not self.is_ws:
            return self.take(int.from_bytes(self.take(4), "big"))
        while True:
            head = self.take(2)
            size = head[1] & 0x7f
            expect(head[1] & 0x80, "a client has to mask")
            if size >= 126:
                size = int.from_bytes(self.take(2 if size == 126 else 8), "big")
            key = self.take(4)
            data = link.mask_bytes(self.take(size), key)
            if head[0] & 15 == CLOSE:
                raise EOFError
            if head[0] & 15 in (TEXT, BINARY):
                return data

    def greet(self, extensions=()):
        if self.is_ws:
            self.upgrade()
        self.send(wire.hello("server", extensions, kind="id"))
        self.message()

    def request(self):
        """The next request of the node, as a packet."""
        while True:
            got = wire.Packet(self.message())
            if got.is_request:
                return got


def definition(meta):
    return wire.Ext(109, wire.pack("0190163d-8694-739b-aea5-966c26f8ad91") + wire.pack("") +
                    wire.pack("server") + wire.pack(meta))


CALCULATOR = {"name": "calculator", "version": "1.0.0",
              "properties": {"version": {"type": "String", "readonly": True},
                             "precision": {"type": "Number", "readonly": False}},
              "methods": {"add": {"type": "Number", "arguments": []},
                          "divide": {"type": "Number", "arguments": []}}}
LAB = {"name": "lab", "version": "1.0.0", "properties": {}, "methods": {
    name: {"type": "any", "arguments": []} for name in (
        "echo", "measure", "total", "keep", "wait_for", "blob", "count_to", "endless", "drink",
        "drip", "emit", "figures")}}


def visit(c, serve, scheme="ws", options=None):
    """Let hostile_node dial a server that does serve(guest). Returns {step: code} of what it said."""
    listener = socket.create_server(("127.0.0.1", 0))
    guests = []

    def run():
        try:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            guests.append(sock)
            serve(Guest(sock, scheme == "ws"))
            while sock.recv(65536):  # until the node has left
                pass
        except (OSError, EOFError):
            pass
        finally:
            for guest in guests:
                guest.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    process = node.Node(c.options.node, {**OPTIONS, **(options or {})},
                        dial=f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    try:
        process.finish(link.DEADLINE)
        process.check_output()
        expect(process.process.returncode == 0 and "done" in process.lines,
               f"status {process.process.returncode}: {process.lines}\n{process.tail()}")
        words = [line.split(" ", 2) for line in process.lines if line != "done"]
        return {step[0]: int(step[1]) for step in words}
    finally:
        listener.close()
        thread.join()
        process.discard()


@case(None)
def honest(c):
    """The harness itself: a server that does all right."""
    def serve(guest):
        guest.greet()
        number = 0
        while True:
            got = guest.request()
            if got.type == wire.TASK and got.value[0] == "query_interface":
                meta = CALCULATOR if "calculator" in got.value[1] else LAB
                guest.send(wire.head(got.id, wire.TASK, 0) + wire.pack(definition(meta)))
            elif got.type == wire.TASK:
                guest.send(wire.head(got.id, wire.TASK, 0) + wire.pack(wire.UNDEFINED))
            elif got.value[1] == "add":
                guest.send(wire.head(got.id, wire.CALL, 0) + wire.pack(sum(got.value[2:])))
            else:
                guest.send(wire.head(got.id, wire.CALL, 0) + wire.pack(wire.stream_reference(4)))
                for i in range(got.value[2]):
                    guest.send(wire.chunk(100 + i, 4, i, i))
                guest.send(wire.chunk(99, 4, got.value[2], None, wire.EOS))
                number += 1

    for scheme in ("ws", "tcp"):
        said = visit(c, serve, scheme)
        expect(said == {"connect": 0, "describe": 0, "call": 0, "query": 0, "add": 0, "sum": 5,
                        "query_lab": 0, "stream": 0, "items": 10}, f"{said}")


@case(None)
def wrong_upgrades(c):
    """Servers that are none, or answer the upgrade wrongly."""
    def raw(data):
        def serve(guest):
            guest.head()
            guest.raw(data)
        return serve

    def upgraded(**change):
        return lambda guest: (guest.upgrade(**change), guest.send(wire.hello("s", kind="id")))

    cases = [
        ("closes at once", lambda guest: guest.sock.close(), (502, 503)),
        ("closes after the request", lambda guest: (guest.head(), guest.sock.close()), (502, 503)),
        ("says nothing", lambda guest: None, (408,)),
        ("404", raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), (404,)),
        ("500", raw(b"HTTP/1.1 500 Oops\r\n\r\n"), (500,)),
        ("301", raw(b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere\r\n\r\n"), (502,)),
        ("200", raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"), (502,)),
        ("999", raw(b"HTTP/1.1 999 \xff\xfe\r\n\r\n"), (502, 999)),
        ("no HTTP", raw(b"SSH-2.0-OpenSSH_9.2\r\n"), (502,)),
        ("binary", raw(bytes(range(256))), (502,)),
        ("a bare LF", raw(b"HTTP/1.1 101 Switching\n\n"), (502,)),
        ("a long head", raw(b"HTTP/1.1 101 Switching\r\nX: " + b"a" * 20000 + b"\r\n\r\n"), (502,)),
        ("a head without an end", raw(b"HTTP/1.1 101 Switching\r\nX: y\r\n"), (408,)),
        ("100 headers", raw(b"HTTP/1.1 101 S\r\n" + b"X: y\r\n" * 100 + b"\r\n"), (502,)),
        ("another key's accept", upgraded(accept=b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), (502,)),
        ("a cut accept", upgraded(accept=b"s3pP"), (502,)),
        ("no accept", upgraded(without="sec-"), (502,)),
        ("no upgrade", upgraded(without="upgrade"), (502,)),
        ("no connection", upgraded(without="connection"), (502,)),
        ("an extension", upgraded(more=[b"Sec-WebSocket-Extensions: permessage-deflate"]), (502,)),
        ("another subprotocol", upgraded(more=[b"Sec-WebSocket-Protocol: soap"]), (502,)),
        ("two subprotocols", upgraded(more=[b"Sec-WebSocket-Protocol: netron.2, x"]), (502,)),
    ]
    for what, serve, codes in cases:
        said = visit(c, serve, options=BRIEF if 408 in codes else None)
        expect(said.get("connect") in codes, f"{what}: {codes} was expected, got {said}")


@case(None)
def wrong_hellos(c):
    """Servers whose first message is no id, or never comes."""
    hellos = [b"", b"hello", b"[]", b"{}", b'{"type":"id"', wire.hello("x"), wire.hello("x" * 200, kind="id"),
              b"[" * 50000, b'{"type":"id","id":"\xff"}', bytes(100), wire.call(1, "a", "b"),
              wire.hello("x", kind="id", more="y" * 70000)]
    for scheme in ("ws", "tcp"):
        def first(data):
            return lambda guest: (guest.is_ws and guest.upgrade(), guest.send(data))
        for data in hellos:
            said = visit(c, first(data), scheme)
            expect(said.get("connect") in (502, 503), f"{scheme} {data[:40]!r}: {said}")
        said = visit(c, lambda guest: guest.is_ws and guest.upgrade(), scheme, BRIEF)
        expect(said.get("connect") == 408, f"{scheme}, no hello: {said}")
        said = visit(c, lambda guest: (guest.is_ws and guest.upgrade(), guest.sock.close()), scheme)
        expect(said.get("connect") in (502, 503), f"{scheme}, closed before the hello: {said}")
    for size in (MIB + 1, 2**31, 2**32 - 1):
        said = visit(c, lambda guest, size=size: guest.raw(size.to_bytes(4, "big") + b"x"), "tcp")
        expect(said.get("connect") in (413, 502, 503), f"a claim of {size}: {said}")


@case(None)
def wrong_frames(c):
    """Servers that break RFC 6455: masked frames, reserved bits, huge frames, bad closes."""
    frames = [frame(BINARY, b"x"), frame(PING, b""), frame(BINARY, b"x", key=None, rsv=4),
              frame(3, b"", key=None), frame(11, b"", key=None), frame(0, b"x", key=None),
              frame(PING, b"x" * 126, key=None), frame(PING, b"x", key=None, fin=False),
              frame(BINARY, b"x", key=None, size=2 * MIB, form=64), frame(TEXT, b"\xff", key=None),
              frame(BINARY, b"x", key=None, size=2**63, form=64), frame(CLOSE, b"\3", key=None),
              frame(BINARY, b"x", key=None, form=16), frame(CLOSE, close_payload(1005), key=None),
              frame(CLOSE, close_payload(1000, b"\xff"), key=None)]
    for data in frames:
        def serve(guest, data=data):
            guest.upgrade()
            guest.raw(data)
        said = visit(c, serve)
        expect(said.get("connect") in (413, 502, 503), f"before the hello, {data[:20].hex()}: {said}")

        def later(guest, data=data):
            guest.greet()
            guest.request()
            guest.raw(data)
        said = visit(c, later)
        expect(said.get("connect") == 0 and said.get("describe") in (413, 502, 503), f"later: {said}")
    for payload in (b"", close_payload(1000), close_payload(1001, b"bye"), close_payload(4001, b"no")):
        said = visit(c, lambda guest, p=payload: (guest.upgrade(),
                                                  guest.raw(frame(CLOSE, p, key=None))))
        expect(said.get("connect") in (502, 503), f"a close {payload!r}: {said}")


def answers():
    """Bytes of an answer's payload."""
    values = [None, 5, -1, 2.5, True, "text", b"bytes", [], {}, [1], {"a": 1}, wire.UNDEFINED, "x" * 100_000,
              wire.Ext(125, bytes(8)), wire.Ext(108, wire.pack("x")), wire.Ext(120, wire.pack("9" * 40)),
              wire.stream_reference(0), wire.stream_reference(3), wire.stream_reference(3, False),
              wire.Ext(110, wire.pack(None) * 13), wire.Ext(126, b"\0\1\xc0\xc0\xc0\0\0"),
              definition(None), definition(5), definition({}), definition({"name": "calculator"}),
              definition({"name": 5, "version": [], "methods": 7, "properties": "x"}),
              definition({"name": "calculator", "methods": {"add": None, 5: {}, "divide": []}}),
              definition({**CALCULATOR, "methods": {"add": {"arguments": [None] * 1000}, "divide": {}}}),
              definition({**CALCULATOR, "types": {"x": {"kind": "struct", "fields": "no"}}, "events": 5}),
              wire.Ext(109, wire.pack("x" * 5000) + wire.pack("") * 2 + wire.pack(CALCULATOR)),
              wire.Ext(109, wire.pack(5) * 3 + wire.pack(CALCULATOR)),
              wire.Ext(109, wire.pack("id") + wire.pack("p" * 5000) * 2 + wire.pack(CALCULATOR))]
    for value in values:
        yield wire.pack(value)
    yield b"\xc1"
    yield b"\x91" * 100_000 + b"\xc0"
    yield b"\xdd\xff\xff\xff\xff"
    yield b"\x05\x05"
    yield wire.pack(wire.Ext(99, b"?"))


@case(None)
def wrong_answers(c):
    """Servers that answer every request with the same odd value, as a result and as an error."""
    for data in answers():
        for flags in (0, wire.ERROR):
            def serve(guest, data=data, flags=flags):
                guest.greet(("int64", "cancel") if flags else ())
                while True:
                    got = guest.request()
                    guest.send(wire.head(got.id, wire.CALL, flags) + data)
                    guest.send(wire.head(got.id, wire.TASK, flags) + data)  # and once more
            said = visit(c, serve, "tcp", {"call_timeout_ms": 300})
            expect(said.get("connect") == 0, f"{data[:40]!r}: {said}")


@case(None)
def wrong_streams(c):
    """Servers whose streams never end, end twice, flood, or carry what was not declared."""
    def serving(chunks, late=False):
        def serve(guest):
            guest.greet(("cancel",))
            while True:
                got = guest.request()
                reply = wire.pack(wire.UNDEFINED)
                if got.type == wire.TASK and got.value[0] == "query_interface":
                    reply = wire.pack(definition(CALCULATOR if "calculator" in got.value[1] else LAB))
                elif got.type == wire.CALL and got.value[1] == "count_to":
                    reply = wire.pack(wire.stream_reference(4))
                answer = wire.head(got.id, wire.CALL, 0) + reply
                if got.type == wire.CALL and got.value[1] == "count_to":
                    for packet in (*chunks, answer) if late else (answer, *chunks):
                        guest.send(packet)
                else:
                    guest.send(answer)
        return serve

    one, end = wire.chunk, wire.EOS
    close = wire.head(9, wire.STREAM_CLOSE) + wire.pack({"streamId": 4, "reason": "why"})
    error = wire.head(9, wire.STREAM_ERROR) + wire.pack({"streamId": 4, "message": "why",
                                                         "error": {"code": 7}})
    whole = [one(1, 4, 0, 7), one(2, 4, 1, None, end)]
    # (what, chunks, before the answer?, codes of the stream's end)
    cases = [("nothing more", [], False, None),
             ("chunks before the answer", whole, True, None),
             ("ends twice", whole + [one(3, 4, 1, None, end), one(3, 4, 2, 8)], False, (0,)),
             ("text for a number", [one(1, 4, 0, "text"), whole[1]], False, (422,)),
             ("a chunk that cannot be read", [one(1, 4, 0, wire.Raw(b"\xc1"))], False, (502,)),
             ("a close", [one(1, 4, 0, 7), close], False, (500,)),
             ("an error", [one(1, 4, 0, 7), error], False, (500,)),
             ("an end too early", [one(1, 4, 0, 7), one(1, 4, 5, None, end)], False, (502,)),
             ("a flood", [one(1, 4, i, "x" * 100_000) for i in range(100)], False, (422, 429)),
             ("a flood out of order", [one(1, 4, i, 1) for i in range(1, 10_100)], False, (429,))]
    for what, chunks, late, codes in cases:
        if codes is None:
            continue  # it would wait for ever: reading a stream has no time-out
        said = visit(c, serving(chunks, late), "tcp")
        expect(said.get("stream") in codes, f"{what}: {codes} was expected, got {said}")


@case(None)
def asks_back(c):
    """Servers that send requests of their own, to a client that serves nothing."""
    def serve(guest):
        guest.greet(("int64", "cancel"))
        got = guest.request()
        packets = [wire.call(1, "x", "y"), wire.task(2, "subscribe", "e"), wire.task(3, "emit", "e", 1),
                   wire.task(4, "query_interface", "x"), wire.request(5, wire.GET, "x", "y"),
                   wire.task(6, "expose_service", {"name": "x"}), wire.head(7, wire.PING) + b"\xc0",
                   wire.head(8, wire.CANCEL) + b"\xc0", wire.head(9, wire.CALL) + b"\xc0"]
        for packet in packets:
            guest.send(packet)
        answered = {wire.Packet(guest.message()).id for _ in (1, 2, 3, 4, 5, 6, 7, 9)}
        expect(answered >= {1, 2, 3, 4, 5, 6, 7}, f"{answered}")
        guest.send(wire.head(got.id, wire.TASK, 0) + wire.pack(definition(CALCULATOR)))
        got = guest.request()
        guest.send(wire.head(got.id, wire.TASK, wire.ERROR) + b"\xc0")
        guest.sock.close()

    for scheme in ("ws", "tcp"):
        said = visit(c, serve, scheme)
        expect(said.get("describe") == 0, f"{scheme}: {said}")
