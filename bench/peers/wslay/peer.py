"""wslay: WebSocket frames in C, and nothing else; the loop, the sockets and the handshake are the user's."""
from harness.peer import Peer

PEER = Peer(
    name="wslay",
    title="wslay, frames only",
    packages=("libwslay-dev", "libssl-dev"),
    headers=("wslay/wslay.h", "openssl/sha.h"),
    build=(("cc", "-O2", "-g", "-D_GNU_SOURCE", "-I{bench}", "{here}/wslay.c", "{bench}/measure.c",
            "{bench}/sockets.c", "-lwslay", "-lcrypto", "-o", "{out}/wslay"),),
    server=("{out}/wslay", "serve", "{url}"),
    url="tcp://127.0.0.1:0",
    client=("{out}/wslay",),
    shapes=("1", "64", "1024", "100x64", "idle"),
    minor=("1024", "100x64", "idle"),
    version=("dpkg-query", "-W", "-f", "${Version}", "libwslay-dev"),
    note="does frames only, no RPC: 16 bytes there and 8 back, fewer than the floor moves, without id, name or "
         "encoding; answers are told apart by their order, and all that a wake-up brings is one send",
)
