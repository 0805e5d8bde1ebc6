#!/usr/bin/env python3
"""A node under attack: what hostile peers send, what becomes of it, and that nobody else notices.

usage: hostile.py [--node BINARY] [--long] [--only WORD]... [--list] [-v]

BINARY is hostile_node of any build (else $NETRON_HOSTILE_NODE, else build/release). Each case runs
against a node that other cases used before it. After each case:
  - the node lives and no sanitizer has spoken,
  - a connection that was there all the time and a new one still get calculator.add answered,
  - memory stayed under the case's bound, and streams, subscriptions and calls are back to none.
At its end each node gets SIGTERM and has to exit with 0, leaving nothing behind.
"""

import argparse
import os
import sys
import time
import traceback

import case
import link
import node

import attack_dial
import attack_flood
import attack_frames
import attack_handshake
import attack_memory
import attack_packets
import attack_resume
import attack_streams
import attack_tasks

MODULES = (attack_packets, attack_frames, attack_handshake, attack_tasks, attack_streams,
           attack_flood, attack_memory, attack_dial, attack_resume)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEFAULT_NODE = os.path.join(ROOT, "build/release/test/hostile/hostile_node")


class Target:
    """A node with the bystander's connection."""

    def __init__(self, binary, kind):
        self.node = node.Node(binary, case.KINDS[kind])
        self.bystander = link.connect(self.node.urls["ws"], "bystander")
        self.bystander.add()

    def settle(self, peers=0):
        """Wait until what a case left behind is gone, but for so many peers."""
        deadline = time.monotonic() + link.DEADLINE
        while True:
            got = self.bystander.call("lab@1.0.0", "figures").value
            left = {k: got[k] for k in ("streams", "subscriptions", "calls_pending") if got[k]}
            if got["peers"] > 1 + peers:
                left["peers"] = got["peers"] - 1 - peers
            if not left:
                return
            if time.monotonic() > deadline:
                raise link.Failure(f"left behind: {left}")

    def check(self, before, limit):
        self.node.check()
        self.bystander.add()
        for url in self.node.urls.values():
            fresh = link.connect(url, "fresh")
            fresh.add()
            fresh.shut()
        self.settle()
        grown = self.node.peak() - before
        if limit is not None and grown > limit * (3 if self.node.is_asan else 1):
            raise link.Failure(f"memory grew by {grown:.0f} MiB, the bound is {limit}")

    def end(self):
        try:
            self.bystander.shut()
            self.node.stop()
            self.node.check_output()
        finally:
            self.node.discard()


class Run:
    def __init__(self, options):
        self.options, self.targets = options, {}
        self.passed = self.failed = 0

    def report(self, name, error, seconds, note=""):
        if error is None:
            self.passed += 1
            if self.options.verbose:
                print(f"ok    {name}  {seconds:.1f} s{note}", flush=True)
            return
        self.failed += 1
        print(f"FAIL  {name}  {seconds:.1f} s{note}\n      {error}", flush=True)

    def drop(self, kind):
        """A node that failed a case is not used again."""
        target = self.targets.pop(kind, None)
        if target is not None:
            target.node.discard()

    def run_case(self, c):
        began, before, note = time.monotonic(), 0, ""
        try:
            target = None
            if c.kind is not None:
                if c.kind not in self.targets:
                    self.targets[c.kind] = Target(self.options.node, c.kind)
                target = self.targets[c.kind]
                before = target.node.start_peak()
            context = case.Context(self.options, target)
            try:
                c.run(context)
            finally:
                context.end()
            if target is not None:
                target.check(before, c.limit)
                note = ", ".join(["", f"{target.node.peak() - before:+.0f} MiB"] + context.notes)
            error = None
        except Exception as caught:  # whatever goes wrong is the case's failure
            error = f"{type(caught).__name__}: {caught}"
            if self.options.verbose:
                error += "\n" + traceback.format_exc()
            if target is not None and target.node.process.poll() is not None:
                error += f"\n      the node is gone:\n{target.node.tail()}"
            self.drop(c.kind)
        self.report(c.name, error, time.monotonic() - began, note)

    def end(self):
        for kind, target in self.targets.items():
            began = time.monotonic()
            try:
                target.end()
                error = None
            except (link.Failure, link.Closed, OSError) as caught:
                error = str(caught)
            self.report(f"end of the node \"{kind}\"", error, time.monotonic() - began)

    def run(self, cases):
        for c in cases:
            self.run_case(c)
        self.end()
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--node", default=os.environ.get("NETRON_HOSTILE_NODE", DEFAULT_NODE))
    parser.add_argument("--long", action="store_true", help="the full counts of the floods")
    parser.add_argument("--only", action="append", default=[], help="cases whose name has WORD")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    options.node = os.path.abspath(options.node)
    cases = [c for c in case.ALL
             if not options.only or any(word in c.name for word in options.only)]
    cases.sort(key=lambda c: list(case.KINDS).index(c.kind) if c.kind else len(case.KINDS))
    if options.list:
        for c in cases:
            print(f"{c.name}: {c.what}")
        return 0
    return Run(options).run(cases)


if __name__ == "__main__":
    sys.exit(main())
