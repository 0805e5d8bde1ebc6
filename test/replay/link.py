"""Connections as the recordings have them: messages over WebSocket or TCP, standard library only."""

import base64
import hashlib
import os
import socket
import struct
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
OPS = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
CODES = {name: code for code, name in OPS.items()}


class LinkError(Exception):
    """The other end broke the framing, or is gone."""


class Timeout(LinkError):
    """Nothing came in time."""


class Link:
    """Bytes with a deadline. recv() gives (op, data); op "end": the connection is over."""

    def __init__(self, sock, left=b""):
        self.sock, self.buffer, self.is_over = sock, left, False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fill(self, deadline):
        rest = deadline - time.monotonic()
        if rest <= 0:
            raise Timeout("nothing came in time")
        self.sock.settimeout(rest)
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise Timeout("nothing came in time") from None
        except OSError:
            data = b""
        if not data:
            self.is_over = True
            return False
        self.buffer += data
        return True

    def take(self, size, deadline):
        """`size` bytes, or None at the end of the connection."""
        while len(self.buffer) < size:
            if self.is_over or not self.fill(deadline):
                return None
        piece, self.buffer = self.buffer[:size], self.buffer[size:]
        return piece

    def write(self, data):
        try:
            self.sock.settimeout(10)
            self.sock.sendall(data)
        except OSError as error:
            self.is_over = True
            raise LinkError(f"cannot send: {error}") from None

    def shut(self):
        self.sock.close()


class TcpLink(Link):
    """A u32 length before each message."""

    def send(self, data, op="binary"):
        del op
        self.write(struct.pack(">I", len(data)) + data)

    def recv(self, deadline):
        head = self.take(4, deadline)
        if head is None:
            return "end", b""
        data = self.take(struct.unpack(">I", head)[0], deadline)
        return ("end", b"") if data is None else ("binary", data)

    def close(self, code, reason):
        del code, reason
        self.sock.shutdown(socket.SHUT_WR)


class WebSocketLink(Link):
    def __init__(self, sock, left, is_client):
        super().__init__(sock, left)
        self.is_client = is_client

    def send(self, data, op="binary"):
        size = len(data)
        mask = 0x80 if self.is_client else 0
        head = bytes([0x80 | CODES[op]])
        if size < 126:
            head += bytes([mask | size])
        elif size < 65536:
            head += bytes([mask | 126]) + struct.pack(">H", size)
        else:
            head += bytes([mask | 127]) + struct.pack(">Q", size)
        if self.is_client:
            key = os.urandom(4)
            head += key
            data = mask_bytes(data, key)
        self.write(head + data)

    def frame(self, deadline):
        head = self.take(2, deadline)
        if head is None:
            return None
        if head[0] & 0x70:
            raise LinkError("reserved bits are set though no extension was agreed on")
        if bool(head[1] & 0x80) == self.is_client:
            raise LinkError("a server masked" if self.is_client else "a client did not mask")
        size = head[1] & 0x7f
        if size > 125:
            more = self.take(2 if size == 126 else 8, deadline)
            if more is None:
                return None
            size = int.from_bytes(more, "big")
        key = b"" if self.is_client else self.take(4, deadline)
        data = self.take(size, deadline)
        if key is None or data is None:
            return None
        return head[0] >> 7, head[0] & 15, mask_bytes(data, key) if key else data

    def recv(self, deadline):
        message, op = b"", 0
        while True:
            frame = self.frame(deadline)
            if frame is None:
                return "end", b""
            last, code, data = frame
            if code in (8, 9, 10):
                if code == 9:
                    self.send(data, "pong")
                elif code == 8:
                    return "close", data
                continue
            op = code or op
            message += data
            if last:
                return OPS.get(op, "?"), message

    def close(self, code, reason):
        self.send(struct.pack(">H", code) + reason.encode(), "close")


def mask_bytes(data, key):
    if not data:
        return data
    long_key = (key * (len(data) // 4 + 1))[:len(data)]
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(long_key, "big")
    return mixed.to_bytes(len(data), "big")


def read_head(link, deadline):
    while b"\r\n\r\n" not in link.buffer:
        if not link.fill(deadline):
            raise LinkError("the connection ended in the HTTP head")
    head, link.buffer = link.buffer.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return lines[0], headers


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def connect_tcp(address):
    return TcpLink(socket.create_connection(address, 10))


def connect_websocket(address, url="/", headers=None, timeout=10):
    """A client as recorded: its request target and headers, and our own key."""
    link = WebSocketLink(socket.create_connection(address, timeout), b"", True)
    key = base64.b64encode(os.urandom(16)).decode()
    fields = {"Host": f"{address[0]}:{address[1]}", "Sec-WebSocket-Key": key,
              **(headers or {"Connection": "Upgrade", "Upgrade": "websocket",
                             "Sec-WebSocket-Version": "13"})}
    lines = [f"GET {url} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items()]
    link.write("\r\n".join(lines + ["", ""]).encode())
    status, answer = read_head(link, time.monotonic() + timeout)
    if not status.startswith("HTTP/1.1 101 "):
        raise LinkError(f"no upgrade: {status}")
    if answer.get("sec-websocket-accept") != accept_key(key):
        raise LinkError("Sec-WebSocket-Accept is wrong")
    if "sec-websocket-extensions" in answer or "sec-websocket-protocol" in answer:
        raise LinkError(f"the server chose what a base client did not ask for: {answer}")
    return link


def accept_websocket(listener, timeout=10):
    """The other side of it: (link, request target, headers)."""
    listener.settimeout(timeout)
    try:
        sock, _ = listener.accept()
    except socket.timeout:
        raise Timeout("no connection came in time") from None
    link = WebSocketLink(sock, b"", False)
    request, headers = read_head(link, time.monotonic() + timeout)
    method, url, version = request.split(" ", 2)
    if method != "GET" or version != "HTTP/1.1" or "sec-websocket-key" not in headers:
        raise LinkError(f"this is no upgrade: {request}")
    answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
              f"Sec-WebSocket-Accept: {accept_key(headers['sec-websocket-key'])}"]
    offered = headers.get("sec-websocket-protocol")
    if offered:  # the reference takes the first, whatever it is
        answer.append(f"Sec-WebSocket-Protocol: {offered.split(',')[0].strip()}")
    link.write("\r\n".join(answer + ["", ""]).encode())
    return link, url, headers


def accept_tcp(listener, timeout=10):
    listener.settimeout(timeout)
    try:
        sock, _ = listener.accept()
    except socket.timeout:
        raise Timeout("no connection came in time") from None
    return TcpLink(sock)
