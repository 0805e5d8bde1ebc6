"""ZeroMQ: messages, queues and threads of a library's own; the encoding is a struct."""
from harness.peer import Peer

PEER = Peer(
    name="zeromq",
    title="ZeroMQ ROUTER and DEALER",
    packages=("libzmq3-dev",),
    headers=("zmq.h",),
    build=(("cc", "-O2", "-g", "-D_GNU_SOURCE", "-I{bench}", "{here}/zeromq.c", "{bench}/measure.c", "-lzmq",
            "-o", "{out}/zeromq"),),
    server=("{out}/zeromq", "serve", "{url}"),
    url="tcp://127.0.0.1:*",
    client=("{out}/zeromq",),
    shapes=("1", "64", "1024", "100x64", "stream", "download", "upload", "events", "idle"),
    most={"subscribers": 9000, "idle": 9000},  # its client has two files for each
    note="sends events by PUB and SUB: its subscribers do not answer them",
    minor=("1024", "idle"),
    version=("dpkg-query", "-W", "-f", "${Version}", "libzmq3-dev"),
)
