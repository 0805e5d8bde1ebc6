"""libwebsockets: a well-known WebSocket library in C, on its own event loop; the encoding is a struct."""
from harness.peer import Peer

PEER = Peer(
    name="lws",
    title="libwebsockets, messages only",
    packages=("libwebsockets-dev",),
    headers=("libwebsockets.h",),
    build=(("cc", "-O2", "-g", "-D_GNU_SOURCE", "-I{bench}", "{here}/lws.c", "{bench}/measure.c", "-lwebsockets",
            "-o", "{out}/lws"),),
    server=("{out}/lws", "serve", "{url}"),
    url="ws://127.0.0.1:0",
    client=("{out}/lws",),
    shapes=("1", "64", "1024", "100x64", "stream", "download", "upload", "events", "idle"),
    most={"items": 100000, "bytes": 1 << 28, "idle": 3000, "subscribers": 1000},
    minor=("1024", "100x64", "idle"),
    is_slow=True,
    version=("dpkg-query", "-W", "-f", "${Version}", "libwebsockets-dev"),
    note="waits in poll, its default, which looks at every connection each time, and makes a system call of each message",
)
