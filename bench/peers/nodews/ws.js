// ws.js - the package ws: a binary message for each call, {u32 slot, f64 a, f64 b} and {u32 slot, f64 sum}.
'use strict';
const { WebSocket, WebSocketServer } = require('ws');

function serve() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      const reply = Buffer.allocUnsafe(12);
      reply.writeUInt32LE(data.readUInt32LE(0), 0);
      reply.writeDoubleLE(data.readDoubleLE(4) + data.readDoubleLE(12), 4);
      socket.send(reply);
    });
  });
  server.on('listening', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
}

function open(url, answered) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('message', (data) => answered(data.readUInt32LE(0), data.readDoubleLE(4)));
  const ask = (slot, a, b) => {
    const request = Buffer.allocUnsafe(20);
    request.writeUInt32LE(slot, 0);
    request.writeDoubleLE(a, 4);
    request.writeDoubleLE(b, 12);
    socket.send(request);
  };
  return new Promise((resolve) => socket.on('open', () => resolve(ask)));
}

if (process.argv[2] === 'serve') serve();
else require('./client.js').run(open);
