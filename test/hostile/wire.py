"""Packets of PROTOCOL.md as bytes: just enough to make them right, and to make them wrong."""

import json
import struct

PING, GET, SET, CALL, TASK, STREAM, STREAM_ERROR, STREAM_CLOSE, CANCEL = range(9)
SESSION = 10
EOS, LIVE, IMPULSE, ERROR = 0x10, 0x20, 0x40, 0x80


class Ext:
    """An ext value that is not taken apart."""

    def __init__(self, kind, data):
        self.kind, self.data = kind, data

    def __eq__(self, other):
        return isinstance(other, Ext) and (self.kind, self.data) == (other.kind, other.data)

    def __repr__(self):
        return f"Ext({self.kind}, {self.data[:40]!r})"


class Raw:
    """Bytes that stand where a value should."""

    def __init__(self, data):
        self.data = data


class Fault:
    """A TitanError (ext 110)."""

    def __init__(self, values):
        self.name, self.code, self.message, self.details = values[:4]

    def __repr__(self):
        return f"Fault({self.code}, {self.message!r})"


UNDEFINED = Ext(0, b"\0")


def sized(size, forms):
    for most, tag, width in forms:
        if size <= most:
            return tag if width == 0 else bytes([tag[0]]) + size.to_bytes(width, "big")
    raise ValueError(size)


def ext(kind, data):
    size, kind = len(data), kind & 0xff
    if size in (1, 2, 4, 8, 16):
        return bytes([0xd4 + size.bit_length() - 1, kind]) + data
    forms = [(0xff, b"\xc7", 1), (0xffff, b"\xc8", 2), (0xffffffff, b"\xc9", 4)]
    return sized(size, forms) + bytes([kind]) + data


def pack_int(n):
    if -32 <= n < 128:
        return struct.pack("b", n)
    for least, most, form in ((0, 0xff, ">BB"), (0, 0xffff, ">BH"), (0, 0xffffffff, ">BI"),
                              (-0x80, 0, ">Bb"), (-0x8000, 0, ">Bh"), (-0x80000000, 0, ">Bi"),
                              (0, 2**64 - 1, ">BQ"), (-2**63, 0, ">Bq")):
        if least <= n <= most:
            tags = {">BB": 0xcc, ">BH": 0xcd, ">BI": 0xce, ">BQ": 0xcf,
                    ">Bb": 0xd0, ">Bh": 0xd1, ">Bi": 0xd2, ">Bq": 0xd3}
            return struct.pack(form, tags[form], n)
    raise ValueError(n)


def pack(value):
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Ext):
        return ext(value.kind, value.data)
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return pack_int(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xcb, value)
    if isinstance(value, str):
        data, size = value.encode(), len(value.encode())
        forms = [(31, bytes([0xa0 | min(size, 31)]), 0), (0xff, b"\xd9", 1), (0xffff, b"\xda", 2),
                 (0xffffffff, b"\xdb", 4)]
        return sized(size, forms) + data
    if isinstance(value, (bytes, bytearray)):
        forms = [(0xff, b"\xc4", 1), (0xffff, b"\xc5", 2), (0xffffffff, b"\xc6", 4)]
        return sized(len(value), forms) + bytes(value)
    if isinstance(value, (list, tuple)):
        size = len(value)
        forms = [(15, bytes([0x90 | min(size, 15)]), 0), (0xffff, b"\xdc", 2),
                 (0xffffffff, b"\xdd", 4)]
        return sized(size, forms) + b"".join(map(pack, value))
    size = len(value)
    forms = [(15, bytes([0x80 | min(size, 15)]), 0), (0xffff, b"\xde", 2)]
    return sized(size, forms) + b"".join(pack(k) + pack(v) for k, v in value.items())


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise ValueError("the node sent a value that is cut short")
        piece = self.data[self.at:self.at + size]
        self.at += size
        return piece

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def ext(self, size):
        kind = self.number(1)
        data = self.take(size)
        if kind != 110:
            return Ext(kind, data)
        inner = Reader(data)
        return Fault([inner.value() for _ in range(13)])

    def value(self):
        tag = self.number(1)
        if tag < 0x80 or tag >= 0xe0:
            return tag if tag < 0x80 else tag - 256
        if tag < 0x90:
            return {self.value(): self.value() for _ in range(tag & 15)}
        if tag < 0xa0:
            return [self.value() for _ in range(tag & 15)]
        if tag < 0xc0:
            return self.take(tag & 31).decode()
        if tag in (0xc0, 0xc2, 0xc3):
            return {0xc0: None, 0xc2: False, 0xc3: True}[tag]
        if tag in (0xc4, 0xc5, 0xc6):
            return self.take(self.number(1 << (tag - 0xc4)))
        if tag in (0xc7, 0xc8, 0xc9):
            return self.ext(self.number(1 << (tag - 0xc7)))
        if tag == 0xcb:
            return struct.unpack(">d", self.take(8))[0]
        if tag in (0xcc, 0xcd, 0xce, 0xcf):
            return self.number(1 << (tag - 0xcc))
        if tag in (0xd0, 0xd1, 0xd2, 0xd3):
            return int.from_bytes(self.take(1 << (tag - 0xd0)), "big", signed=True)
        if 0xd4 <= tag <= 0xd8:
            return self.ext(1 << (tag - 0xd4))
        if tag in (0xd9, 0xda, 0xdb):
            return self.take(self.number(1 << (tag - 0xd9))).decode()
        if tag in (0xdc, 0xdd):
            return [self.value() for _ in range(self.number(2 << (tag - 0xdc)))]
        if tag == 0xde:
            return {self.value(): self.value() for _ in range(self.number(2))}
        raise ValueError(f"the node sent 0x{tag:02x} where a value begins")


class Packet:
    """One that the node sent."""

    def __init__(self, data):
        self.data = data
        self.id, self.flags = struct.unpack(">IB", data[:5])
        self.type = self.flags & 15
        self.is_request = bool(self.flags & IMPULSE)
        self.is_error = bool(self.flags & ERROR)
        reader = Reader(data)
        reader.at = 5
        self.value = reader.value()
        left = data[reader.at:]
        self.stream_id = self.stream_index = None
        if self.type == STREAM and len(left) == 8:
            self.stream_id, self.stream_index = struct.unpack(">II", left)
        elif left:
            raise ValueError("the node sent a packet with surplus bytes")

    def __repr__(self):
        return f"packet {self.id} flags {self.flags:#x} {self.value!r}"


def head(number, kind, flags=IMPULSE):
    return struct.pack(">IB", number & 0xffffffff, kind | flags)


def request(number, kind, *values, flags=IMPULSE):
    return head(number, kind, flags) + pack(list(values))


def call(number, service, method, *args):
    return request(number, CALL, service, method, *args)


def task(number, name, *args):
    return request(number, TASK, name, *args)


def chunk(number, stream, index, value, flags=0):
    return (head(number, STREAM, IMPULSE | flags) + pack(value) +
            struct.pack(">II", stream & 0xffffffff, index & 0xffffffff))


def stream_reference(stream, writable=True, live=False, peer="me"):
    return Ext(107, pack(str(stream)) + bytes([writable, live]) + pack(peer))


def hello(name="hostile", extensions=(), kind="client-id", **more):
    said = {"type": kind, "id": name, **more}
    if extensions:
        said["ext"] = list(extensions)
    return json.dumps(said).encode()
