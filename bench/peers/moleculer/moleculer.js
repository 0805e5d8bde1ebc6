// moleculer.js - Moleculer: an action of a service, called from another node over its TCP transporter.
'use strict';
const { ServiceBroker } = require('moleculer');

// The port is told in the URL: nodes are found by it, not by UDP.
function makeBroker(nodeID, options) {
  return new ServiceBroker({
    nodeID, logger: false, requestTimeout: 10000,
    transporter: { type: 'TCP', options: { udpDiscovery: false, useHostname: false, ...options } },
  });
}

async function serve(url) {
  const broker = makeBroker('server', { port: Number(new URL(url).port) });
  broker.createService({
    name: 'calculator',
    actions: { add: ({ params }) => params.a + params.b },
  });
  await broker.start();
  console.log(`listening on ${url}`);
}

let nodes = 0;

async function open(url, answered) {
  const broker = makeBroker(`client-${++nodes}`, { urls: [`${new URL(url).host}/server`] });
  await broker.start();
  await broker.waitForServices('calculator', 10000, 50);
  return (slot, a, b) =>
    broker.call('calculator.add', { a, b }).then((sum) => answered(slot, sum));
}

if (process.argv[2] === 'serve') serve(process.argv[3]);
else require('./client.js').run(open);
