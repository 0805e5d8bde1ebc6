// client.js - what a client in JavaScript needs, as measure.h is for those in C: options, the clock,
// the calls in flight, and the line of JSON at the end.
'use strict';
const fs = require('fs');
const readline = require('readline');

function parse(words) {
  const options = { connections: 1, inflight: 1, seconds: 1, 'warm-up': 0.1, server: 0, items: 1, bytes: 1 << 28 };
  const plain = [];
  for (let i = 0; i < words.length; i++) {
    if (words[i].startsWith('--')) options[words[i].slice(2)] = Number(words[++i]);
    else plain.push(words[i]);
  }
  return { ...options, mode: plain[0], url: plain[1] };
}

const now = () => Number(process.hrtime.bigint());

function serverCpu(pid) {
  if (!pid) return 0;
  const threads = fs.readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) =>
    sum + Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'ascii').split(' ')[0]), 0);
}

function ownCpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

class Meter {
  constructor(options) {
    this.options = options;
    this.made = now();
    this.done = 0;
  }

  sample() {
    const { server } = this.options;
    return { at: now(), done: this.done, own: ownCpu(), server: serverCpu(server) };
  }

  // The measured part begins.
  begin() {
    this.begun = this.sample();
  }

  // Looks at the clock, begins and ends. True once the time is over.
  isOver() {
    const { seconds, 'warm-up': warmUp } = this.options, at = now();
    if (!this.begun) this.begun = at - this.made >= warmUp * 1e9 ? this.sample() : null;
    else if (!this.ended && at - this.begun.at >= seconds * 1e9) this.ended = this.sample();
    return Boolean(this.ended);
  }

  // Prints the result and ends the program.
  finish() {
    const { begun, ended = this.sample() } = this;
    const calls = ended.done - begun.done, seconds = (ended.at - begun.at) / 1e9;
    console.log(JSON.stringify({
      calls, seconds, rate: calls / seconds, total: this.done,
      client_cpu_ns: (ended.own - begun.own) / calls,
      server_cpu_ns: (ended.server - begun.server) / calls,
    }));
    process.exit(0);
  }
}

// open(url, answered) resolves to ask(slot, a, b), which leads to answered(slot, sum).
async function call(open, options) {
  const next = []; // the first argument of each call in flight
  const asks = [];
  let meter, due = 0;
  // All connect before the first one calls.
  for (let i = 0; i < options.connections; i++) {
    const ask = await open(options.url, (slot, sum) => {
      if (sum !== ++next[slot]) throw new Error(`a wrong sum: ${sum}`);
      meter.done++;
      if (!meter.isOver()) ask(slot, next[slot], 1);
      else if (--due === 0) meter.finish();
    });
    asks.push(ask);
  }
  meter = new Meter(options);
  for (due = 0; due < options.connections * options.inflight; due++) {
    next.push(70000 + due * 100000);
    asks[due % asks.length](due, next[due], 1);
  }
}

// Tell that so many connections are open, and wait until it is time to go on.
const lines = () => readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
exports.hold = async (connections) => {
  exports.hold.lines ??= lines();
  console.log(JSON.stringify({ connections }));
  if ((await exports.hold.lines.next()).done) process.exit(0);
};

exports.Meter = Meter;

// `others`: what it can do besides calls, mode -> async (options).
exports.run = async (open, others = {}) => {
  const options = parse(process.argv.slice(2));
  if (options.mode === 'calls') await call(open, options);
  else await others[options.mode](options);
};
