// capnweb.mjs - Cap'n Web: a method of an RpcTarget, called over WebSocket.
import { createRequire } from 'module';
import { RpcTarget, newWebSocketRpcSession } from 'capnweb';
import { WebSocket, WebSocketServer } from 'ws';

globalThis.WebSocket ??= WebSocket; // Node.js has one of its own from version 22 on

class Calculator extends RpcTarget {
  add(a, b) {
    return a + b;
  }
}

function serve() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => newWebSocketRpcSession(socket, new Calculator()));
  server.on('listening', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
}

async function open(url, answered) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve) => socket.on('open', resolve));
  const calculator = newWebSocketRpcSession(socket);
  return (slot, a, b) => calculator.add(a, b).then((sum) => answered(slot, sum));
}

if (process.argv[2] === 'serve') serve();
else createRequire(import.meta.url)('./client.js').run(open);
