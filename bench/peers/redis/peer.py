"""Redis: what a well-known server makes of the least there is to ask, PING in pipelines."""
from harness.peer import Peer

PEER = Peer(
    name="redis",
    title="Redis PING",
    packages=("redis-server", "redis-tools"),
    programs=("redis-server", "redis-benchmark"),
    server=("redis-server", "--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--maxclients", "12000"),
    url="tcp://127.0.0.1:PORT",
    ready="Ready to accept connections",
    client=("{here}/client.py",),
    shapes=("1", "64", "1024", "100x64", "idle"),
    version=("redis-server", "--version"),
    note="moves 14 bytes there and 7 back, and its client does not look at the answers",
)
