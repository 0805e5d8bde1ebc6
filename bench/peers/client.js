// client.js - what a client in JavaScript needs, as measure.h is for those in C: options, the clock,
// the calls in flight, and the line of JSON at the end.
'use strict';
const fs = require('fs');

function parse(words) {
  const options = { connections: 1, inflight: 1, seconds: 1, 'warm-up': 0.1, server: 0 };
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

// open(url, answered) resolves to ask(slot, a, b), which leads to answered(slot, sum).
exports.run = async (open) => {
  const options = parse(process.argv.slice(2));
  const next = []; // the first argument of each call in flight
  let made, done = 0, due = 0, begun = null, ended = null;
  const sample = () => ({ at: now(), done, own: ownCpu(), server: serverCpu(options.server) });

  function look() {
    const at = now();
    if (!begun) begun = at - made >= options['warm-up'] * 1e9 ? sample() : null;
    else if (!ended && at - begun.at >= options.seconds * 1e9) ended = sample();
  }

  function finish() {
    const calls = ended.done - begun.done, seconds = (ended.at - begun.at) / 1e9;
    console.log(JSON.stringify({
      calls, seconds, rate: calls / seconds, total: done,
      client_cpu_ns: (ended.own - begun.own) / calls,
      server_cpu_ns: (ended.server - begun.server) / calls,
    }));
    process.exit(0);
  }

  // All connect before the first one calls.
  const asks = [];
  for (let i = 0; i < options.connections; i++) {
    const ask = await open(options.url, (slot, sum) => {
      if (sum !== ++next[slot]) throw new Error(`a wrong sum: ${sum}`);
      done++;
      look();
      if (!ended) ask(slot, next[slot], 1);
      else if (--due === 0) finish();
    });
    asks.push(ask);
  }
  made = now();
  for (due = 0; due < options.connections * options.inflight; due++) {
    next.push(70000 + due * 100000);
    asks[due % asks.length](due, next[due], 1);
  }
};
