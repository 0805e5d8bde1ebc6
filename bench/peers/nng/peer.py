"""nng: the successor of nanomsg; REQ and REP as raw sockets, the encoding is a struct."""
from harness.peer import Peer

PEER = Peer(
    name="nng",
    title="nng REQ and REP",
    packages=("libnng-dev",),
    headers=("nng/nng.h",),
    build=(("cc", "-O2", "-g", "-D_GNU_SOURCE", "-I{bench}", "{here}/nng.c", "{bench}/measure.c", "-lnng",
            "-o", "{out}/nng"),),
    server=("{out}/nng", "serve", "{url}"),
    url="tcp://127.0.0.1:0",
    client=("{out}/nng",),
    shapes=("1", "64", "100x64", "download", "upload", "idle"),
    more={"download": ("--inflight", "16"), "upload": ("--inflight", "16")},
    note="drops answers when more than 64 wait on a connection, so not more are in flight; its bulk is 16 "
         "calls with a chunk each at a time",
    minor=("100x64", "idle"),
    is_slow=True,
    version=("dpkg-query", "-W", "-f", "${Version}", "libnng-dev"),
)
