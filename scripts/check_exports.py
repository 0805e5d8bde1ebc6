#!/usr/bin/env python3
"""Fail unless libnetron exports exactly what the headers declare NETRON_API.

usage: check_exports.py LIBRARY
"""
import subprocess
import sys

from headers import exported_functions


def exported_symbols(library):
    command = ["nm", "-gU", library] if sys.platform == "darwin" else ["nm", "-D", "--defined-only", library]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the version node itself
            yield name.split("@")[0].removeprefix("_" if sys.platform == "darwin" else "")


def main():
    declared = exported_functions()
    exported = set(exported_symbols(sys.argv[1]))
    problems = [f"{name}: exported, but no header declares it NETRON_API" for name in sorted(exported - set(declared))]
    problems += [f"{declared[name]}: {name} is declared, but not exported" for name in sorted(set(declared) - exported)]
    print("\n".join(problems) or f"{len(exported)} symbols, all declared and all there")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
