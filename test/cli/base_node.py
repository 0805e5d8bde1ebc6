"""An existing (TypeScript) node as far as `netron` meets it, made from PROTOCOL.md: framing of TCP,
the handshake without extensions, query_interface by exact name, CALL, GET, SET, subscribe and emit,
a generator. It lists no services and knows no names of parameters.
"""
import json
import socket
import socketserver
import struct
import threading

SERVICE = "titan@1.0.0"
DEFINITION_ID = "01a204e1-af30-7205-bfc4-f661ec119bb6"
UNDEFINED = object()


class Ext:
    def __init__(self, kind, data):
        self.kind, self.data = kind, data


def pack(value):
    """MessagePack as the reference encodes it (integers beyond 32 bits as float64)."""
    if value is UNDEFINED:
        return b"\xd4\x00\x00"
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if 0 <= value < 128:
            return bytes([value])
        if 0 <= value < 2**32:
            return b"\xce" + struct.pack(">I", value)
        if -(2**31) <= value < 0:
            return b"\xd2" + struct.pack(">i", value)
        value = float(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return b"\xdb" + struct.pack(">I", len(data)) + data
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        items = b"".join(pack(key) + pack(item) for key, item in value.items())
        return b"\xde" + struct.pack(">H", len(value)) + items
    return b"\xc9" + struct.pack(">IB", len(value.data), value.kind) + value.data


class Unpacker:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        self.at += size
        assert self.at <= len(self.data), "truncated"
        return self.data[self.at - size:self.at]

    def number(self, format):
        return struct.unpack(">" + format, self.take(struct.calcsize(format)))[0]

    def value(self):
        head = self.number("B")
        if head < 0x80 or head >= 0xe0:
            return head if head < 0x80 else head - 256
        if head < 0x90:
            return self.map(head & 15)
        if head < 0xa0:
            return [self.value() for _ in range(head & 15)]
        if head < 0xc0:
            return self.take(head & 31).decode()
        return self.wide(head)

    def map(self, count):
        return {self.value(): self.value() for _ in range(count)}

    def wide(self, head):
        simple = {0xc0: None, 0xc2: False, 0xc3: True}
        if head in simple:
            return simple[head]
        numbers = {0xca: "f", 0xcb: "d", 0xcc: "B", 0xcd: "H", 0xce: "I", 0xcf: "Q", 0xd0: "b",
                   0xd1: "h", 0xd2: "i", 0xd3: "q"}
        if head in numbers:
            return self.number(numbers[head])
        if head in (0xc4, 0xc5, 0xc6):
            return self.take(self.number("BHI"[head - 0xc4]))
        if head in (0xd9, 0xda, 0xdb):
            return self.take(self.number("BHI"[head - 0xd9])).decode()
        if head in (0xdc, 0xdd):
            return [self.value() for _ in range(self.number("HI"[head - 0xdc]))]
        if head == 0xde:
            return self.map(self.number("H"))
        if head in (0xc7, 0xc8, 0xc9):
            size = self.number("BHI"[head - 0xc7])
            return self.ext(self.number("b"), size)
        assert 0xd4 <= head <= 0xd8, hex(head)
        return self.ext(self.number("b"), 1 << (head - 0xd4))

    def ext(self, kind, size):
        data = self.take(size)
        return UNDEFINED if kind == 0 else Ext(kind, data)


META = {
    "name": "titan",
    "version": "1.0.0",
    "properties": {"pi": {"type": "Number", "readonly": True},
                   "label": {"type": "String", "readonly": False}},
    "methods": {
        "add": {"type": "Number", "arguments": [{"index": 0, "type": "Number"},
                                                {"index": 1, "type": "Number"}]},
        "greet": {"type": "Promise", "arguments": [{"index": 0, "type": "String"}]},
        "echo": {"type": "Object", "arguments": [{"index": 0, "type": "Object"}]},
        "countTo": {"type": "Object", "arguments": [{"index": 0, "type": "Number"}]},
        "fire": {"type": "void", "arguments": []},
    },
    "contract": UNDEFINED,
}


class Failure(Exception):
    def __init__(self, code, message, details=None):
        super().__init__(message)
        error = ["TitanError", code, message, details or {}, {}, 1700000000000.0, UNDEFINED,
                 UNDEFINED, UNDEFINED, UNDEFINED, None, None, None]
        self.value = Ext(110, b"".join(map(pack, error)))


class Connection(socketserver.StreamRequestHandler):
    def setup(self):
        super().setup()
        self.next_id = 1
        self.label = "unset"
        self.client_id = ""

    def handle(self):
        self.write(json.dumps({"type": "id", "id": "server-0001"}).encode())
        self.client_id = json.loads(self.read())["id"]
        while True:
            message = self.read()
            if message is None:
                return
            self.packet(message)

    def read(self):
        head = self.rfile.read(4)
        if len(head) < 4:
            return None
        return self.rfile.read(struct.unpack(">I", head)[0])

    def write(self, message):
        try:
            self.wfile.write(struct.pack(">I", len(message)) + message)
        except OSError:
            pass

    def packet(self, message):
        packet_id, flags = struct.unpack(">IB", message[:5])
        if not flags & 0x40 or flags & 15 in (5, 6, 7):
            return  # an answer to an emit, or of a stream
        self.after = []
        try:
            result = self.answer(flags & 15, Unpacker(message[5:]).value())
            self.write(struct.pack(">IB", packet_id, flags & 15) + pack(result))
        except Failure as failure:
            self.write(struct.pack(">IB", packet_id, flags & 15 | 0x80) + pack(failure.value))
        for step in self.after:
            step()

    def answer(self, kind, args):
        if kind == 0:
            return args
        handler = {1: self.get, 2: self.set, 3: self.call, 4: self.task}[kind]
        return handler(*args)

    def task(self, name, *args):
        self.server.tasks.append([name, *args])
        if name in self.server.answers:
            answer = self.server.answers[name]
            if isinstance(answer, Failure):
                raise answer
            return answer
        if name == "query_interface":
            if args[0] not in (SERVICE, "titan"):
                raise Failure(404, f"Service '{args[0]}' not found", {"serviceName": args[0]})
            return Ext(109, b"".join(map(pack, [DEFINITION_ID, "", "server-0001", META])))
        if name in ("subscribe", "unsubscribe", "unref_service"):
            if name == "subscribe":
                self.after.append(lambda: self.emit(args[0]))
            return UNDEFINED
        raise Failure(404, "Task not found", {"resource": "Task", "id": name})

    def emit(self, name):
        body = pack(["emit", name, {"peerId": "p1"}])
        self.write(struct.pack(">IB", self.new_id(), 0x44) + body)

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def get(self, service, name):
        return {"pi": 3.14159, "label": self.label}.get(name, UNDEFINED)

    def set(self, service, name, value):
        self.label = value
        return UNDEFINED

    def call(self, service, method, *args):
        if method == "add":
            return args[0] + args[1]
        if method == "greet":
            return "Hello, " + args[0]
        if method == "echo":
            return args[0]
        if method == "fire":
            return UNDEFINED
        if method == "countTo":
            self.after.append(lambda: self.stream(1, int(args[0])))
            return Ext(107, pack("1") + b"\x01\x01" + pack(self.client_id))
        raise Failure(404, f"Method '{SERVICE}.{method}' not found")

    def stream(self, stream_id, count):
        for index in range(count + 1):
            is_last = index == count
            head = struct.pack(">IB", self.new_id(), 0x75 if is_last else 0x65)
            body = pack(None if is_last else index + 1)
            self.write(head + body + struct.pack(">II", stream_id, index))


class BaseNode(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Connection)
        self.tasks = []
        self.answers = {}  # to further tasks, by name: a value, or a Failure
        self.url = "tcp://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


def unused_port():
    """A port on which nobody listens: bound, not listening, and kept by the caller."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder
