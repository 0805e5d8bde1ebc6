"""ws for Node.js: WebSocket messages alone, no RPC."""
from harness.peer import Peer

PEER = Peer(
    name="nodews",
    title="npm ws, messages only",
    packages=("nodejs", "npm"),
    programs=("node", "npm"),
    build=(("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", "{out}", "ws@8"),
           ("cp", "{here}/ws.js", "{here}/../client.js", "{out}")),
    server=("node", "{out}/ws.js", "serve"),
    url="ws://127.0.0.1:0",
    client=("node", "{out}/ws.js"),
    shapes=("1", "64", "1024", "100x64", "download", "upload", "events", "idle"),
    minor=("1024", "100x64", "idle"),
    is_slow=True,
    least={"warm_up": 0.3},  # until it is compiled
    version=("node", "-p", "require('{out}/node_modules/ws/package.json').version + ', Node.js ' + "
             "process.version"),
)
