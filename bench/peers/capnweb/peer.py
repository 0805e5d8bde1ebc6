"""Cap'n Web: object-capability RPC over WebSocket for JavaScript."""
from harness.peer import Peer

PEER = Peer(
    name="capnweb",
    title="capnweb",
    packages=("nodejs", "npm"),
    programs=("node", "npm"),
    build=(("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", "{out}", "capnweb", "ws@8"),
           ("cp", "{here}/capnweb.mjs", "{here}/../client.js", "{out}")),
    server=("node", "{out}/capnweb.mjs", "serve"),
    url="ws://127.0.0.1:0",
    client=("node", "{out}/capnweb.mjs"),
    minor=("1024", "100x64"),
    is_slow=True,
    least={"warm_up": 0.3},  # until it is compiled
    version=("node", "-p", "require('{out}/node_modules/capnweb/package.json').version + ', Node.js ' + "
             "process.version"),
)
