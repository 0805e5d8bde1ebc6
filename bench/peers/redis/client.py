#!/usr/bin/env python3
"""redis-benchmark behind the options and the result of the other clients (measure.h).

It knows no time, only a number of requests: a first run, the warm-up, tells how many to ask for.
"""
import argparse
import csv
import glob
import json
import resource
import socket
import subprocess
import sys
import urllib.parse

FIRST = 2000  # requests of the first run, for each in flight


def ping(options, requests):
    """(requests per second, seconds of processor time)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = subprocess.run(
        ["redis-benchmark", "-p", str(urllib.parse.urlsplit(options.url).port),
         "-c", str(options.connections), "-P", str(options.inflight), "-n", str(requests),
         "-t", "ping_mbulk", "--csv"], check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = next(row for row in csv.reader(printed.splitlines()) if row and row[0] == "PING_MBULK")
    return float(result[1]), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def processor_ns(pid):
    """Of all threads of a process."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def connect(options, count):
    """Connections; the last one has been answered, so that all are accepted."""
    url = urllib.parse.urlsplit(options.url)
    made = [socket.create_connection((url.hostname, url.port)) for _ in range(count)]
    made[-1].sendall(b"PING\r\n")
    if made[-1].recv(64) != b"+PONG\r\n":
        sys.exit("a wrong answer")
    return made


def hold_idle(options):
    """A round of connecting and closing first, so that what a server sets up once is not counted."""
    few, held = options.connections // 100 + 1, []
    for connection in connect(options, few):
        connection.close()
    for count in (few, options.connections):
        held += connect(options, count - len(held))
        print(json.dumps({"connections": count}), flush=True)
        sys.stdin.readline()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["calls", "idle"])
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--inflight", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--warm-up", type=float)
    parser.add_argument("--server", type=int, default=0)
    options = parser.parse_args()
    {"calls": call, "idle": hold_idle}[options.mode](options)


def call(options):
    first = FIRST * min(options.connections * options.inflight, 100)
    rate, _ = ping(options, first)
    requests = max(int(rate * options.seconds), options.connections * options.inflight)
    server_ns = processor_ns(options.server)
    rate, cpu = ping(options, requests)
    server_ns = processor_ns(options.server) - server_ns
    print(json.dumps({"calls": requests, "seconds": requests / rate, "rate": rate,
                      "total": first + requests, "client_cpu_ns": cpu / requests * 1e9,
                      "server_cpu_ns": server_ns / requests}))


main()
