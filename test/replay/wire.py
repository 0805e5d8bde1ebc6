"""The packet and MessagePack dialect of PROTOCOL.md, as trees that can be compared.

A value is a tuple that starts with its kind, so that 3 and 3.0, null and undefined, a map and a
Map stay apart:

    ('nil',) ('undefined',) ('bool', b) ('int', n) ('float', eight bytes) ('str', text)
    ('bin', bytes) ('list', [value]) ('map', [(key, value)]) ('date', ms) ('long', unsigned, n)
    ('bigint', digits) ('regexp', source, flags) ('set', [value]) ('dict', [(key, value)])
    ('stream', id, writable, live, peer id) ('ref', id) ('def', id, parent, peer id, meta)
    ('titan', [13 values]) ('error', std id, name, stack, message, [(key, value)])

The encoder writes the forms that existing nodes write, so a packet that does not survive decode
and encode was not written in them.
"""

import struct
from dataclasses import dataclass, replace

PING, GET, SET, CALL, TASK, STREAM, STREAM_ERROR, STREAM_CLOSE = range(8)
TYPES = ["PING", "GET", "SET", "CALL", "TASK", "STREAM", "STREAM_ERROR", "STREAM_CLOSE"]
TITAN_FIELDS = ["name", "code", "message", "details", "context", "timestamp", "requestId",
                "correlationId", "spanId", "traceId", "stack", "cause", "extras"]

NIL, UNDEFINED = ("nil",), ("undefined",)


class WireError(Exception):
    """Bytes that are not a packet of the dialect."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise WireError("truncated")
        piece = self.data[self.at:self.at + size]
        self.at += size
        return piece

    def uint(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self, size):
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise WireError(f"bad UTF-8: {error}") from None

    def string(self):
        value = self.value()
        if value[0] != "str":
            raise WireError(f"text expected, {value[0]} found")
        return value[1]

    def pairs(self, count):
        return [(self.value(), self.value()) for _ in range(count)]

    def value(self):
        tag = self.uint(1)
        if tag < 0x80:
            return ("int", tag)
        if tag < 0x90:
            return ("map", self.pairs(tag & 15))
        if tag < 0xa0:
            return ("list", [self.value() for _ in range(tag & 15)])
        if tag < 0xc0:
            return ("str", self.text(tag & 31))
        if tag >= 0xe0:
            return ("int", tag - 256)
        if tag == 0xc0:
            return NIL
        if tag in (0xc2, 0xc3):
            return ("bool", tag == 0xc3)
        if tag in (0xc4, 0xc5, 0xc6):
            return ("bin", self.take(self.uint(1 << (tag - 0xc4))))
        if tag in (0xc7, 0xc8, 0xc9):
            size = self.uint(1 << (tag - 0xc7))
            return ext_value(self.uint(1), self.take(size))
        if tag == 0xca:
            return ("float", struct.pack(">d", struct.unpack(">f", self.take(4))[0]))
        if tag == 0xcb:
            return ("float", self.take(8))
        if tag in (0xcc, 0xcd, 0xce, 0xcf):
            return ("int", self.uint(1 << (tag - 0xcc)))
        if tag in (0xd0, 0xd1, 0xd2, 0xd3):
            return ("int", int.from_bytes(self.take(1 << (tag - 0xd0)), "big", signed=True))
        if 0xd4 <= tag <= 0xd8:
            kind = self.uint(1)
            return ext_value(kind, self.take(1 << (tag - 0xd4)))
        if tag in (0xd9, 0xda, 0xdb):
            return ("str", self.text(self.uint(1 << (tag - 0xd9))))
        if tag in (0xdc, 0xdd):
            return ("list", [self.value() for _ in range(self.uint(2 << (tag - 0xdc)))])
        if tag == 0xde:
            return ("map", self.pairs(self.uint(2)))
        raise WireError(f"byte 0x{tag:02x} starts no value")


def ext_value(kind, body):
    reader = Reader(body)
    if kind == 0 and body == b"\0":
        value, reader.at = UNDEFINED, 1
    elif kind == 107:
        stream_id = int(reader.string())
        writable, live = reader.uint(1) == 1, reader.uint(1) == 1
        value = ("stream", stream_id, writable, live, reader.string())
    elif kind == 108:
        value = ("ref", reader.string())
        if value[1] == "":
            raise WireError("empty reference")
    elif kind == 109:
        value = ("def", reader.string(), reader.string(), reader.string(), reader.value())
    elif kind == 110:
        value = ("titan", [reader.value() for _ in range(13)])
    elif kind == 119:
        unsigned = reader.uint(1) == 1
        value = ("long", unsigned, int.from_bytes(reader.take(8), "big", signed=not unsigned))
    elif kind == 120:
        value = ("bigint", reader.string())
    elif kind == 121:
        value = ("regexp", reader.string(), reader.string())
    elif kind == 123:
        value = ("set", [reader.value() for _ in range(reader.uint(4))])
    elif kind == 124:
        value = ("dict", reader.pairs(reader.uint(4)))
    elif kind == 125:
        value = ("date", reader.uint(8))
    elif kind == 126:
        std = reader.uint(2)
        if not 1 <= std <= 7:
            raise WireError(f"standard error {std}")
        name, stack, message = reader.value(), reader.value(), reader.value()
        value = ("error", std, name, stack, message, reader.pairs(reader.uint(2)))
    else:
        raise WireError(f"ext type {kind}")
    if reader.at != len(body):
        raise WireError(f"{len(body) - reader.at} surplus bytes in ext {kind}")
    return value


def sized(size, tags):
    """A head with the least length field that holds `size`; tags: (tag, bytes of length)."""
    for tag, width in tags:
        if size < 1 << (8 * width):
            return bytes([tag]) + size.to_bytes(width, "big")
    raise WireError("too large")


def encode_int(number):
    if 0 <= number < 128:
        return bytes([number])
    if -32 <= number < 0:
        return bytes([number + 256])
    if number > 0:
        for tag, width in ((0xcc, 1), (0xcd, 2), (0xce, 4)):
            if number < 1 << (8 * width):
                return bytes([tag]) + number.to_bytes(width, "big")
    for tag, width in ((0xd0, 1), (0xd1, 2), (0xd2, 4)):
        if -(1 << (8 * width - 1)) <= number < 0:
            return bytes([tag]) + number.to_bytes(width, "big", signed=True)
    raise WireError(f"{number} is not written as an integer")


def encode_text(text):
    data = text.encode("utf-8")
    if len(data) < 32:
        return bytes([0xa0 | len(data)]) + data
    return sized(len(data), ((0xd9, 1), (0xda, 2), (0xdb, 4))) + data


def encode_ext(kind, body):
    fixed = {1: 0xd4, 2: 0xd5, 4: 0xd6, 8: 0xd7, 16: 0xd8}.get(len(body))
    if fixed is not None:
        return bytes([fixed, kind]) + body
    return sized(len(body), ((0xc7, 1), (0xc8, 2), (0xc9, 4))) + bytes([kind]) + body


def encode_pairs(pairs):
    return b"".join(encode(key) + encode(value) for key, value in pairs)


def encode_many(values):
    return b"".join(encode(value) for value in values)


def encode_count(count, small, wide):
    if count < 16:
        return bytes([small | count])
    return sized(count, wide)


def encode(value):
    kind, rest = value[0], value[1:]
    if kind == "nil":
        return b"\xc0"
    if kind == "undefined":
        return b"\xd4\0\0"
    if kind == "bool":
        return b"\xc3" if rest[0] else b"\xc2"
    if kind == "int":
        return encode_int(rest[0])
    if kind == "float":
        return b"\xcb" + rest[0]
    if kind == "str":
        return encode_text(rest[0])
    if kind == "bin":
        return sized(len(rest[0]), ((0xc4, 1), (0xc5, 2), (0xc6, 4))) + rest[0]
    if kind == "list":
        return encode_count(len(rest[0]), 0x90, ((0xdc, 2), (0xdd, 4))) + encode_many(rest[0])
    if kind == "map":
        return encode_count(len(rest[0]), 0x80, ((0xde, 2),)) + encode_pairs(rest[0])
    if kind == "stream":
        return encode_ext(107, encode_text(str(rest[0])) + bytes([rest[1], rest[2]])
                          + encode_text(rest[3]))
    if kind == "ref":
        return encode_ext(108, encode_text(rest[0]))
    if kind == "def":
        return encode_ext(109, b"".join(map(encode_text, rest[:3])) + encode(rest[3]))
    if kind == "titan":
        return encode_ext(110, encode_many(rest[0]))
    if kind == "long":
        return encode_ext(119, bytes([rest[0]])
                          + rest[1].to_bytes(8, "big", signed=not rest[0]))
    if kind == "bigint":
        return encode_ext(120, encode_text(rest[0]))
    if kind == "regexp":
        return encode_ext(121, encode_text(rest[0]) + encode_text(rest[1]))
    if kind == "set":
        return encode_ext(123, len(rest[0]).to_bytes(4, "big") + encode_many(rest[0]))
    if kind == "dict":
        return encode_ext(124, len(rest[0]).to_bytes(4, "big") + encode_pairs(rest[0]))
    if kind == "date":
        return encode_ext(125, rest[0].to_bytes(8, "big"))
    if kind == "error":
        std, name, stack, message, fields = rest
        return encode_ext(126, std.to_bytes(2, "big") + encode_many([name, stack, message])
                          + len(fields).to_bytes(2, "big") + encode_pairs(fields))
    raise WireError(f"no such kind: {kind}")


@dataclass
class Packet:
    id: int
    type: int
    impulse: bool
    error: bool
    last: bool
    live: bool
    data: tuple
    stream: int = 0
    index: int = 0

    def bytes(self):
        flags = (self.type | self.last << 4 | self.live << 5 | self.impulse << 6
                 | self.error << 7)
        trailer = struct.pack(">II", self.stream, self.index) if self.type == STREAM else b""
        return struct.pack(">IB", self.id, flags) + encode(self.data) + trailer

    def with_(self, **changes):
        return replace(self, **changes)

    def is_stream(self):
        return self.type in (STREAM, STREAM_ERROR, STREAM_CLOSE)

    def stream_id(self):
        """The stream that a stream packet is about, else None."""
        if self.type == STREAM:
            return self.stream
        if self.is_stream() and self.data[0] == "map":
            for key, value in self.data[1]:
                if key == ("str", "streamId") and value[0] == "int":
                    return value[1]
        return None

    def __str__(self):
        kind = TYPES[self.type] if self.type < 8 else f"type {self.type}"
        flags = "".join(name for name, on in ((" error", self.error), (" last", self.last),
                                              (" live", self.live)) if on)
        way = "request" if self.impulse else "response"
        where = f" stream={self.stream}/{self.index}" if self.type == STREAM else ""
        return f"{kind} {way}{flags} id={self.id}{where} {show(self.data)}"


def decode_packet(data):
    """Packet of the bytes, or WireError. The second result: written as existing nodes write."""
    if len(data) < 6:
        raise WireError("shorter than a packet")
    reader = Reader(data)
    ident, flags = reader.uint(4), reader.uint(1)
    value = reader.value()
    stream = index = 0
    if flags & 15 == STREAM:
        stream, index = reader.uint(4), reader.uint(4)
    if reader.at != len(data):
        raise WireError(f"{len(data) - reader.at} trailing bytes")
    packet = Packet(ident, flags & 15, bool(flags & 0x40), bool(flags & 0x80),
                    bool(flags & 0x10), bool(flags & 0x20), value, stream, index)
    try:
        canonical = packet.bytes() == data
    except WireError:
        canonical = False
    return packet, canonical


def decode(data):
    reader = Reader(data)
    value = reader.value()
    if reader.at != len(data):
        raise WireError("trailing bytes")
    return value


def plain(value):
    """The value in the notation of vectors.json ({"$": ...} for what JSON has not)."""
    kind, rest = value[0], value[1:]
    if kind == "nil":
        return None
    if kind == "undefined":
        return {"$": "undefined"}
    if kind in ("bool", "int", "str"):
        return rest[0]
    if kind == "float":
        number = struct.unpack(">d", rest[0])[0]
        if number != number:
            return {"$": "nan"}
        return number if abs(number) != float("inf") else {"$": "+inf" if number > 0 else "-inf"}
    if kind == "bin":
        return {"$": "bin", "len": len(rest[0]), "hex": rest[0].hex()}
    if kind == "list":
        return [plain(item) for item in rest[0]]
    if kind == "map":
        return {str(plain(key)): plain(item) for key, item in rest[0]}
    if kind == "stream":
        return {"$": "StreamReference", "streamId": rest[0],
                "type": "writable" if rest[1] else "readable", "isLive": rest[2],
                "peerId": rest[3]}
    if kind == "ref":
        return {"$": "Reference", "defId": rest[0]}
    if kind == "def":
        return {"$": "Definition", "id": rest[0], "parentId": rest[1], "peerId": rest[2],
                "meta": plain(rest[3])}
    if kind == "titan":
        return {"$": "TitanError", **{key: plain(item) for key, item in zip(TITAN_FIELDS, rest[0])}}
    if kind == "error":
        return {"$": "Error", "std": rest[0], "name": plain(rest[1]), "stack": plain(rest[2]),
                "message": plain(rest[3]),
                "custom": {str(plain(key)): plain(item) for key, item in rest[4]}}
    if kind == "date":
        return {"$": "date", "ms": rest[0]}
    if kind == "long":
        return {"$": "long", "unsigned": rest[0], "v": str(rest[1])}
    if kind == "bigint":
        return {"$": "bigint", "v": rest[0]}
    if kind == "regexp":
        return {"$": "regexp", "source": rest[0], "flags": rest[1]}
    if kind == "set":
        return {"$": "set", "items": [plain(item) for item in rest[0]]}
    return {"$": "map", "entries": [[plain(key), plain(item)] for key, item in rest[0]]}


def show(value, limit=300):
    kind = value[0]
    if kind == "titan":
        fields = dict(zip(TITAN_FIELDS, value[1]))
        extra = "" if fields["extras"] == NIL else f" extras {plain(fields['extras'])}"
        text = (f"TitanError({plain(fields['name'])} {plain(fields['code'])} "
                f"{plain(fields['message'])!r} {plain(fields['details'])}{extra})")
    elif kind == "error":
        text = f"Error({value[1]} {plain(value[2])} {plain(value[4])!r})"
    elif kind == "def":
        text = f"Definition({value[1]} parent={value[2]!r} peer={value[3]} {plain(value[4])})"
    else:
        text = str(plain(value))
    return text if len(text) <= limit else text[:limit] + "…"
