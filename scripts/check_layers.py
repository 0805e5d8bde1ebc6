#!/usr/bin/env python3
"""Fail when a source file includes what its layer may not see (docs/design.md, "Layers").

usage: check_layers.py [ROOT]        check ROOT/src
       check_layers.py --self-test   prove that an upward include is noticed
"""
import pathlib
import re
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent

# Layer: what it may include with "layer/file.h", besides itself. <netron/x.h> is open to all.
ALLOWED = {
    "base": set(),
    "wire": {"base"},
    "loop": {"base"},
    "transport": {"base", "wire", "loop"},
    "comm": {"base", "wire", "loop", "transport"},
    "peer": {"base", "wire", "loop", "transport", "comm"},
    "service": {"base", "wire", "loop", "comm", "peer"},
    "app": {"base", "wire", "loop", "transport", "comm", "peer", "service"},
}

# Codecs have no I/O and no clock; below the loop nobody knows libuv.
FORBIDDEN_SYSTEM = {
    "base": {"uv.h"},
    "wire": {"uv.h", "unistd.h", "pthread.h", "time.h", "sys/time.h", "sys/socket.h", "sys/uio.h"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)


def violations(root):
    for path in sorted((root / "src").rglob("*.[ch]")):
        name = path.relative_to(root)
        layer = name.parts[1]
        is_test = path.stem.endswith("_test")
        if layer not in ALLOWED:
            yield f"{name}: not in a known layer"
            continue
        for quote, target in INCLUDE.findall(path.read_text()):
            folder = target.split("/")[0]
            if quote == "<":
                if target in FORBIDDEN_SYSTEM.get(layer, ()) and not is_test:
                    yield f"{name}: {layer} may not include <{target}>"
            elif "/" not in target or ".." in target:
                yield f'{name}: write "{target}" as "<layer>/<file>"'
            elif folder == "support" and is_test:
                continue  # unit tests may use test/support
            elif folder == "netron":
                yield f"{name}: write <{target}> for a public header"
            elif folder != layer and folder not in ALLOWED[layer]:
                yield f"{name}: {layer} may not include {target}"


def self_test():
    """One forbidden include in a copy must fail, naming the file."""
    for layer, include in [("base", '"app/node.h"'), ("wire", "<uv.h>"), ("comm", '"peer/peer.h"')]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            shutil.copytree(HERE / "src", root / "src")
            before = set(violations(root))
            victim = min((root / "src" / layer).glob("*.[ch]"))
            victim.write_text(f"#include {include}\n" + victim.read_text())
            new = set(violations(root)) - before
            if len(new) != 1 or f"src/{layer}/{victim.name}: " not in next(iter(new)):
                print(f"#include {include} in src/{layer}/{victim.name} gave {new or 'nothing'}")
                return 1
    print("forbidden includes are noticed")
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(violations(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE))
    print("\n".join(found) or "every include points downwards")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
