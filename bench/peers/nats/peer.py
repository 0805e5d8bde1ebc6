"""NATS: requests through a server in between, with its client for C; the encoding is a struct."""
from harness.peer import Peer

PEER = Peer(
    name="nats",
    title="NATS, through nats-server",
    packages=("nats-server", "libnats-dev"),
    programs=("nats-server",),
    headers=("nats/nats.h",),
    build=(("cc", "-O2", "-g", "-D_GNU_SOURCE", "-I{bench}", "{here}/nats.c", "{bench}/measure.c",
            "{bench}/sockets.c", "-lnats", "-lpthread", "-o", "{out}/nats"),),
    server=("{out}/nats", "serve", "{url}"),
    url="tcp://127.0.0.1:PORT",
    client=("{out}/nats",),
    shapes=("1", "64", "1024", "100x64", "stream", "download", "upload", "events", "idle"),
    more={"download": ("--inflight", "16"), "upload": ("--inflight", "16")},
    most={"items": 100000, "bytes": 1 << 28},
    minor=("1024", "100x64", "idle"),
    is_slow=True,
    version=("nats-server", "--version"),
    note="has three processes: the figures of its server are of nats-server and of the responder together; "
         "bulk is 16 calls with a chunk each at a time; its subscribers do not answer events",
)
