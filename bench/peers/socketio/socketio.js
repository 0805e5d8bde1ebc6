// socketio.js - socket.io: an event with an acknowledgement for each call.
'use strict';
const http = require('http');

function serve() {
  const { Server } = require('socket.io');
  const server = http.createServer();
  new Server(server, { transports: ['websocket'], perMessageDeflate: false }).on('connection', (socket) => {
    socket.on('add', (a, b, acknowledge) => acknowledge(a + b));
  });
  server.listen(0, '127.0.0.1', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
}

function open(url, answered) {
  const { io } = require('socket.io-client');
  const socket = io(url.replace('ws:', 'http:'), { transports: ['websocket'], forceNew: true });
  const ask = (slot, a, b) => socket.emit('add', a, b, (sum) => answered(slot, sum));
  return new Promise((resolve) => socket.on('connect', () => resolve(ask)));
}

if (process.argv[2] === 'serve') serve();
else require('./client.js').run(open);
