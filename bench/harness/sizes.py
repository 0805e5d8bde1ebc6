"""How many bytes ours moves, so that the floor can move as many: counted by a relay in between."""
import re
import socket
import threading

from .process import Server, run_client

TIMEOUT = 60


class Relay:
    """Passes bytes between a port of its own and the server's, and counts them."""

    def __init__(self, url):
        self.scheme, self.host, self.port = re.match(r"(\w+)://(.*):(\d+)", url).groups()
        self.counted = [0, 0]  # to the server, from it
        self.lock = threading.Lock()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{self.scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        try:
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection((self.host, int(self.port)))
                threading.Thread(target=self._pass, args=(client, server, 0), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, 1), daemon=True).start()
        except OSError:
            pass  # closed

    def _pass(self, source, target, which):
        try:
            while data := source.recv(65536):
                with self.lock:
                    self.counted[which] += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other direction has ended


# A frame's head, the packet's, and undefined.
ANSWER = {"ws": 6 + 5 + 3, "tcp": 4 + 5 + 3}


class Sizes(dict):
    """ws_request, ws_reply, ws_item, ws_event, ws_answer and the same for tcp, found when asked for."""

    def __init__(self, programs):
        super().__init__()
        self.programs = programs

    def __missing__(self, name):
        scheme, _, what = name.partition("_")
        if scheme not in ("ws", "tcp"):
            raise KeyError(name)
        if what in ("request", "reply"):
            up, down = self._per_thing(scheme, 1000, lambda n: ["calls", "--calls", str(n)])
            self[f"{scheme}_request"], self[f"{scheme}_reply"] = up, down
        elif what == "item":
            stream = ["stream", "--calls", "1", "--items"]
            self[name] = self._per_thing(scheme, 1000000, lambda n: [*stream, str(n)])[1]
        elif what in ("event", "answer"):
            events = ["events", "--calls", "1", "--items"]
            up, down = self._per_thing(scheme, 1000, lambda n: [*events, str(n)])
            # Peers of ours answer no events; everyone else does, and so does the floor.
            self[f"{scheme}_event"], self[f"{scheme}_answer"] = down, up or ANSWER[scheme]
        else:
            raise KeyError(name)
        return self[name]

    def _per_thing(self, scheme, count, words):
        few, many = (self._count(scheme, words(n)) for n in (1, 1 + count))
        return [round((b - a) / count) for a, b in zip(few, many)]

    def _count(self, scheme, words):
        url = f"{scheme}://127.0.0.1:0"
        with Server([f"{self.programs}/node", url], url) as server:
            with Relay(server.url) as relay:
                run_client([f"{self.programs}/client", *words, relay.url], TIMEOUT)
                return list(relay.counted)
