"""Cap'n Proto RPC in C++."""
from harness.peer import Peer

PEER = Peer(
    name="capnp",
    title="Cap'n Proto C++",
    packages=("libcapnp-dev", "capnproto", "g++"),
    programs=("capnp", "g++"),
    headers=("capnp/ez-rpc.h",),
    build=(
        ("capnp", "compile", "-oc++:.", "--src-prefix={here}", "{here}/calculator.capnp"),
        ("cc", "-O2", "-D_GNU_SOURCE", "-I{bench}", "-c", "{bench}/measure.c"),
        ("g++", "-std=c++17", "-O2", "-I.", "-I{bench}", "{here}/capnp.cc", "calculator.capnp.c++",
         "measure.o", "-lcapnp-rpc", "-lcapnp", "-lkj-async", "-lkj", "-o", "capnp"),
    ),
    server=("{out}/capnp", "serve", "{url}"),
    url="tcp://127.0.0.1:0",
    client=("{out}/capnp",),
    shapes=("1", "64", "1024", "100x64", "idle"),
    minor=("1024", "100x64", "idle"),
    is_slow=True,
    version=("capnp", "--version"),
)
