// ws.js - the package ws: a binary message for each call, {u32 slot, f64 a, f64 b} and {u32 slot, f64 sum}.
// A chunk is a binary message that begins with its number; everything else is asked for in text.
'use strict';
const { WebSocket, WebSocketServer } = require('ws');
const { Meter, hold, run } = require('./client.js');

const CHUNK = 64 * 1024;
const ROOM = 16 * CHUNK; // that may wait in a socket

// ---- the server ----

const subscribers = new Set();
let publisher, due;

function answer(socket, data) {
  const reply = Buffer.allocUnsafe(12);
  reply.writeUInt32LE(data.readUInt32LE(0), 0);
  reply.writeDoubleLE(data.readDoubleLE(4) + data.readDoubleLE(12), 4);
  socket.send(reply);
}

function makeChunk(number) {
  const chunk = Buffer.alloc(CHUNK);
  chunk.writeUInt32LE(number, 0);
  return chunk;
}

function checkChunk(chunk, number) {
  if (chunk.length !== CHUNK || chunk.readUInt32LE(0) !== number) throw new Error('a wrong chunk');
}

// Chunks as fast as the socket takes them.
function sendChunks(socket, count, next = 0) {
  while (next < count && socket.bufferedAmount < ROOM) {
    const number = next++;
    const goOn = socket.bufferedAmount + CHUNK >= ROOM || next === count;
    socket.send(makeChunk(number), goOn ? () => sendChunks(socket, count, next) : undefined);
    if (goOn) return;
  }
}

const orders = {
  download: (socket, { count }) => sendChunks(socket, count),
  upload: (socket, { count }) => { socket.upload = { at: 0, count }; },
  subscribe: (socket) => {
    subscribers.add(socket);
    socket.on('close', () => subscribers.delete(socket));
    socket.send('subscribed');
  },
  publish: (socket, { number }) => {
    publisher = socket;
    due = subscribers.size;
    const event = Buffer.alloc(8);
    event.writeDoubleLE(number);
    for (const subscriber of subscribers) subscriber.send(event);
  },
};

function takeChunk(socket, chunk) {
  checkChunk(chunk, socket.upload.at++);
  if (socket.upload.at === socket.upload.count) socket.send(String(socket.upload.at));
}

function takeMessage(socket, data, isBinary) {
  if (!isBinary) {
    const order = JSON.parse(data);
    orders[order.work](socket, order);
  } else if (data.length === 20) answer(socket, data);
  else if (data.length === CHUNK) takeChunk(socket, data);
  else if (--due === 0) publisher.send(String(subscribers.size)); // an answer to an event
}

function serve() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => takeMessage(socket, data, isBinary));
  });
  server.on('listening', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
}

// ---- the client ----

function connect(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  return new Promise((resolve) => socket.on('open', () => resolve(socket)));
}

async function open(url, answered) {
  const socket = await connect(url);
  socket.on('message', (data) => answered(data.readUInt32LE(0), data.readDoubleLE(4)));
  return (slot, a, b) => {
    const request = Buffer.allocUnsafe(20);
    request.writeUInt32LE(slot, 0);
    request.writeDoubleLE(a, 4);
    request.writeDoubleLE(b, 12);
    socket.send(request);
  };
}

async function download(options) {
  const socket = await connect(options.url), count = options.bytes / CHUNK;
  const meter = new Meter(options);
  meter.begin();
  socket.on('message', (data) => {
    checkChunk(data, meter.done++);
    if (meter.done === count) meter.finish();
  });
  socket.send(JSON.stringify({ work: 'download', count }));
}

async function upload(options) {
  const socket = await connect(options.url), count = options.bytes / CHUNK;
  const meter = new Meter(options);
  meter.begin();
  socket.on('message', (data) => {
    if (Number(data) !== count) throw new Error(`${data} chunks have arrived`);
    meter.done = count;
    meter.finish();
  });
  socket.send(JSON.stringify({ work: 'upload', count }));
  sendChunks(socket, count);
}

const nextMessage = (socket) => new Promise((resolve) => socket.once('message', resolve));

async function events(options) {
  const publish = await connect(options.url);
  let number = 0, heard = 0;
  for (let i = 0; i < options.connections; i++) {
    const socket = await connect(options.url);
    socket.send(JSON.stringify({ work: 'subscribe' }));
    await nextMessage(socket);
    socket.on('message', (data) => {
      if (data.readDoubleLE(0) !== number) throw new Error('a wrong event');
      heard++;
      socket.send(data);
    });
  }
  const meter = new Meter(options);
  while (!meter.isOver()) {
    publish.send(JSON.stringify({ work: 'publish', number: ++number }));
    const answers = Number(await nextMessage(publish));
    meter.done += answers;
    if (answers !== options.connections || heard !== meter.done) throw new Error(`${answers} answers`);
  }
  meter.finish();
}

// A round of connecting and closing first, so that what a server sets up once is not counted.
async function idle(options) {
  const few = Math.floor(options.connections / 100) + 1, first = [];
  for (let i = 0; i < few; i++) first.push(await connect(options.url));
  first.forEach((socket) => socket.terminate());
  for (let i = 0; i < few; i++) await connect(options.url);
  await hold(few);
  for (let i = few; i < options.connections; i++) await connect(options.url);
  await hold(options.connections);
  process.exit(0);
}

if (process.argv[2] === 'serve') serve();
else run(open, { download, upload, events, idle });
