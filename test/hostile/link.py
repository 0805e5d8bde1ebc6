"""Connections of a peer that may misbehave: bytes go out as they are, what comes in is checked.

Every wait has a deadline; nothing sleeps.
"""

import base64
import hashlib
import json
import os
import socket
import struct
import time

import wire

DEADLINE = 20.0  # seconds; generous, for a busy machine under a sanitizer
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Failure(Exception):
    """The node did something else than it should."""


class Closed(Exception):
    """The connection is over. code: of a WebSocket close frame, or None; is_reset: by RST."""

    def __init__(self, code=None, reason="", is_reset=False):
        super().__init__(f"closed, code {code} {reason!r}{' by reset' if is_reset else ''}")
        self.code, self.reason, self.is_reset = code, reason, is_reset


def mask_bytes(data, key):
    if not data or key == b"\0\0\0\0":
        return data
    long_key = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(long_key, "big")).to_bytes(len(data), "big")


def frame(op, data=b"", fin=True, rsv=0, key=b"\x17\x2a\x93\xc4", size=None, form=None):
    """A frame. key None: no mask; size: another length than the truth; form: 7, 16 or 64 bits."""
    length = len(data) if size is None else size
    form = form or (7 if length < 126 else 16 if length < 65536 else 64)
    mask = 0x80 if key is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | op])
    if form == 7:
        head += bytes([mask | length])
    elif form == 16:
        head += bytes([mask | 126]) + struct.pack(">H", length)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", length)
    return head + data if key is None else head + key + mask_bytes(data, key)


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


class Link:
    """A socket with a buffer."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, bytearray()
        self.is_over, self.is_reset = False, False
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def raw(self, data, seconds=DEADLINE):
        """All of data; Closed when the node has closed."""
        self.sock.settimeout(seconds)
        try:
            self.sock.sendall(data)
        except socket.timeout:
            raise Failure(f"the node did not take {len(data)} bytes in {seconds} s") from None
        except OSError:
            raise Closed(is_reset=True) from None

    def dribble(self, data):
        for i in range(len(data)):
            self.raw(data[i:i + 1])

    def fill(self, deadline):
        """More bytes into the buffer. False at the end."""
        if self.is_over:
            return False
        rest = deadline - time.monotonic()
        if rest <= 0:
            raise Failure("nothing came in time")
        self.sock.settimeout(rest)
        try:
            data = self.sock.recv(1 << 18)
        except socket.timeout:
            raise Failure("nothing came in time") from None
        except OSError:
            self.is_reset, data = True, b""
        self.is_over = not data
        self.buffer += data
        return bool(data)

    def take(self, size, deadline):
        while len(self.buffer) < size:
            if not self.fill(deadline):
                raise Closed(is_reset=self.is_reset)
        piece = bytes(self.buffer[:size])
        del self.buffer[:size]
        return piece

    def read_to_end(self, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        while self.fill(deadline):
            pass
        return bytes(self.buffer)

    def shut(self):
        self.sock.close()

    def vanish(self):
        """Gone without a goodbye: the node gets RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # ---- packets ----

    def send(self, *packets):
        self.raw(b"".join(map(self.framed, packets)))

    def next_packet(self, seconds=DEADLINE):
        return wire.Packet(self.message(seconds))

    def reply_to(self, number, seconds=DEADLINE):
        """The reply with that id; other packets are dropped."""
        deadline = time.monotonic() + seconds
        while True:
            got = self.next_packet(max(0.001, deadline - time.monotonic()))
            if got.id == number and not got.is_request:
                return got

    def ask(self, packet, seconds=DEADLINE):
        self.send(packet)
        return self.reply_to(struct.unpack(">I", packet[:4])[0], seconds)

    def call(self, service, method, *args, seconds=DEADLINE):
        self.counter = getattr(self, "counter", 0x10000) + 1
        return self.ask(wire.call(self.counter, service, method, *args), seconds)

    def task(self, name, *args, seconds=DEADLINE):
        self.counter = getattr(self, "counter", 0x10000) + 1
        return self.ask(wire.task(self.counter, name, *args), seconds)

    def add(self, seconds=DEADLINE):
        got = self.call("calculator@1.0.0", "add", 40, 2, seconds=seconds)
        if got.value != 42 or got.is_error:
            raise Failure(f"40 + 2 gave {got}")

    def greet(self, name="hostile", extensions=()):
        """The handshake, this side first; returns the node's half."""
        self.send_text(wire.hello(name, extensions))
        said = json.loads(self.message(DEADLINE))
        if said.get("type") != "id" or not said.get("id"):
            raise Failure(f"the node's hello is {said}")
        return said


class LengthLink(Link):
    """A u32 length before each message: tcp and unix."""

    is_ws = False

    def framed(self, packet):
        return struct.pack(">I", len(packet)) + packet

    def send_text(self, data):
        self.raw(self.framed(data))

    def message(self, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        size = struct.unpack(">I", self.take(4, deadline))[0]
        return self.take(size, deadline)


class WebSocket(Link):
    is_ws = True

    def framed(self, packet):
        return frame(BINARY, packet)

    def send_text(self, data):
        self.raw(frame(TEXT, data))

    def upgrade(self, headers=None, target="/"):
        key = base64.b64encode(os.urandom(16))
        fields = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Key": key.decode(), "Sec-WebSocket-Version": "13",
                  **(headers or {})}
        lines = [f"GET {target} HTTP/1.1"] + [f"{k}: {v}" for k, v in fields.items()]
        self.raw("\r\n".join(lines + ["", ""]).encode())
        answer = self.http_head()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        if not answer.startswith(b"HTTP/1.1 101 ") or b"Accept: " + accept + b"\r\n" not in answer:
            raise Failure(f"no upgrade: {answer[:200]!r}")
        return self

    def http_head(self, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill(deadline):
                raise Closed(is_reset=self.is_reset)
        end = self.buffer.index(b"\r\n\r\n") + 4
        head = bytes(self.buffer[:end])
        del self.buffer[:end]
        return head

    def next_frame(self, seconds=DEADLINE):
        """(fin, opcode, payload), checked as RFC 6455 asks of a client."""
        deadline = time.monotonic() + seconds
        head = self.take(2, deadline)
        op, size = head[0] & 15, head[1] & 0x7f
        if head[0] & 0x70 or head[1] & 0x80 or op not in (0, 1, 2, 8, 9, 10):
            raise Failure(f"the node sent a bad frame: {head.hex()}")
        if op >= 8 and (size > 125 or not head[0] & 0x80):
            raise Failure(f"the node sent a bad control frame: {head.hex()}")
        if size >= 126:
            more = self.take(2 if size == 126 else 8, deadline)
            least = 126 if size == 126 else 65536
            size = int.from_bytes(more, "big")
            if size < least:
                raise Failure("the node sent a length that is not minimal")
        return bool(head[0] & 0x80), op, self.take(size, deadline)

    def message(self, seconds=DEADLINE):
        """The next message's bytes; Closed at a close frame. Pings are answered."""
        deadline = time.monotonic() + seconds
        data, self.last_op = b"", None
        while True:
            fin, op, payload = self.next_frame(max(0.001, deadline - time.monotonic()))
            if op == CLOSE:
                raise Closed(int.from_bytes(payload[:2], "big") if payload else 1005,
                             payload[2:].decode())
            if op == PING:
                self.raw(frame(PONG, payload))
            elif op != PONG:
                self.last_op = self.last_op or op
                data += payload
                if fin:
                    return data


def open_socket(url, seconds=DEADLINE, small=False):
    scheme, rest = url.split(":", 1)
    deadline = time.monotonic() + seconds
    while True:
        sock = socket.socket(socket.AF_UNIX if scheme == "unix" else socket.AF_INET)
        sock.settimeout(seconds)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            if scheme == "unix":
                sock.connect(rest.removeprefix("//"))
            else:
                host, port = rest.removeprefix("//").rstrip("/").rsplit(":", 1)
                sock.connect((host, int(port)))
            return sock
        except BlockingIOError:  # a unix backlog that is full
            sock.close()
            if time.monotonic() > deadline:
                raise Failure("the node does not accept connections") from None


def dial(url, small=False):
    """A connection without its handshake (ws: upgraded)."""
    sock = open_socket(url, small=small)
    return WebSocket(sock).upgrade() if url.startswith("ws:") else LengthLink(sock)


def connect(url, name="hostile", extensions=(), small=False):
    """A connection with its handshake."""
    link = dial(url, small)
    link.greet(name, extensions)
    return link


def closing(link, seconds=DEADLINE):
    """What the connection's end looks like: Closed. Packets before it are dropped. For a WebSocket
    the end of the socket has to follow the close frame."""
    deadline = time.monotonic() + seconds
    end = None
    try:
        while True:
            link.message(max(0.001, deadline - time.monotonic()))
    except Closed as closed:
        end = closed
    if end.code is not None:
        while link.fill(deadline):
            pass
    return end
