"""socket.io for Node.js: events with acknowledgements over WebSocket."""
from harness.peer import Peer

PEER = Peer(
    name="socketio",
    title="socket.io",
    packages=("nodejs", "npm"),
    programs=("node", "npm"),
    build=(("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", "{out}", "socket.io@4",
            "socket.io-client@4"),
           ("cp", "{here}/socketio.js", "{here}/../client.js", "{out}")),
    server=("node", "{out}/socketio.js", "serve"),
    url="ws://127.0.0.1:0",
    client=("node", "{out}/socketio.js"),
    minor=("1024", "100x64"),
    is_slow=True,
    least={"warm_up": 0.3},  # until it is compiled
    version=("node", "-p", "require('{out}/node_modules/socket.io/package.json').version + "
             "', Node.js ' + process.version"),
)
