"""Moleculer: microservices for Node.js, by its TCP transporter."""
from harness.peer import Peer

PEER = Peer(
    name="moleculer",
    title="moleculer, over TCP",
    packages=("nodejs", "npm"),
    programs=("node", "npm"),
    build=(("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", "{out}", "moleculer@0.14"),
           ("cp", "{here}/moleculer.js", "{here}/../client.js", "{out}")),
    server=("node", "{out}/moleculer.js", "serve", "{url}"),
    url="tcp://127.0.0.1:PORT",
    client=("node", "{out}/moleculer.js"),
    shapes=("1", "64", "1024"),
    note="has one connection between two nodes, so there is no run with 100 of them",
    minor=("1024",),
    is_slow=True,
    least={"warm_up": 0.3},  # until it is compiled
    version=("node", "-p", "require('{out}/node_modules/moleculer/package.json').version + ', Node.js ' + "
             "process.version"),
)
