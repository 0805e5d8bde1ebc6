#!/usr/bin/env python3
"""Fail on a public symbol, a command or an option that is not documented.

usage: check_docs.py [NETRON]        NETRON is the command, asked by `netron help --json`
       check_docs.py --self-test     prove that an undocumented declaration is noticed

In include/netron every function, type and macro has a comment beside it, directly above it, or
directly above the block of lines that it stands in; a macro may be described in the head of its
file instead. Names that begin with nt_, NT_ or netron_abi_ are the inside of macros.
For every command docs/man has netron-COMMAND.1, which names every option; every manual is clean
under mandoc.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys

from headers import HEADERS, ROOT, blank

MAN = ROOT / "docs" / "man"

PRIVATE = re.compile(r"(nt_|NT_|netron_abi_|NETRON_[A-Z_]+_H$)")
DECLARED = [
    re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)"),                         # a macro
    re.compile(r"^typedef\b[^;{]*?\(\*(\w+)\)"),                             # a type of function
    re.compile(r"^typedef (?:struct|union|enum) (\w+) \{"),                  # a type with a body
    re.compile(r"^(?:typedef )?(?:struct|union|enum) (\w+) \{"),
    re.compile(r"^typedef\b[^;{(]*?(\w+);"),                                 # another name
    re.compile(r"^NETRON_API\b[^(;]*?\b(\w+)\(", re.S),                      # a function
    re.compile(r"^static inline\b[^(;]*?\b(\w+)\("),
]


def declarations(text):
    """(name, line number) of what the header declares at its outermost level."""
    lines = blank(text).split("\n")
    depth = 0
    continued = False
    for number, line in enumerate(lines):
        if line.startswith('extern "'):  # C++'s brace: not a level
            continue
        if depth == 0 and not continued:
            for pattern in DECLARED:
                match = pattern.match(line)
                if match:
                    yield match.group(1), number
                    break
        macro = line.lstrip().startswith("#") or continued
        continued = macro and line.endswith("\\")
        if not macro:
            depth = max(0, depth + line.count("{") - line.count("}"))


def is_documented(lines, number):
    """A comment on its line or its statement's, or one that ends above its block of lines."""
    if "/*" in lines[number]:
        return True
    end = number
    while end + 1 < len(lines) and not re.search(r"[;{}]\s*(/\*.*)?$", lines[end]):
        end += 1
    if "/*" in lines[end] and not lines[end].lstrip().startswith("/*"):
        return True
    above = number - 1
    while above >= 0 and lines[above].strip():
        if lines[above].rstrip().endswith("*/") and lines[above].lstrip()[:1] in ("/", "*"):
            return True
        above -= 1
    return False


def undocumented(header, text):
    lines = text.split("\n")
    head = text.split("*/")[0]
    seen = set()
    for name, number in declarations(text):
        if PRIVATE.match(name) or name in seen:
            continue
        is_macro = lines[number].lstrip().startswith("#")
        if is_documented(lines, number) or is_macro and re.search(rf"\b{name}\b", head):
            seen.add(name)  # a second form, for another compiler, needs no second comment
        else:
            yield f"{header.relative_to(ROOT)}:{number + 1}: {name} has no comment"


def forward_declared(text):
    """Types named before they are described, further down in the same header."""
    return set(re.findall(r"^struct (\w+) \{", text, re.M)) | set(re.findall(r"^typedef struct (\w+) \{", text, re.M))


def header_problems():
    for header in HEADERS:
        text = header.read_text()
        described = forward_declared(text)
        for problem in undocumented(header, text):
            name = problem.split(": ")[1].split()[0]
            if not (name in described and re.search(rf"typedef struct {name} {name};", text)):
                yield problem


def manual_problems(netron):
    help_json = subprocess.run([netron, "help", "--json"], check=True, capture_output=True, text=True)
    commands = json.loads(help_json.stdout)
    for command in commands:
        shown = subprocess.run([netron, command["name"], "--help"], capture_output=True, text=True)
        page = MAN / f"netron-{command['name']}.1"
        manual = page.read_text().replace("\\-", "-") if page.exists() else None
        if manual is None:
            yield f"{page.relative_to(ROOT)}: there is no manual for `netron {command['name']}`"
        for option in command["options"]:
            name = option["name"]
            if f"--{name}" not in shown.stdout:
                yield f"netron {command['name']} --help: --{name} is not shown"
            if manual is not None and not re.search(rf"(--|Fl Fl |Fl -){name}\b", manual):
                yield f"{page.relative_to(ROOT)}: --{name} is not described"
    main_page = MAN / "netron.1"
    text = main_page.read_text() if main_page.exists() else ""
    for command in commands:
        if not re.search(rf"\b{command['name']}\b", text):
            yield f"{main_page.relative_to(ROOT)}: `netron {command['name']}` is not named"


def mandoc_problems():
    if not shutil.which("mandoc"):
        return
    for page in sorted(MAN.glob("*.[1-8]")):
        run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True)
        if run.returncode != 0:
            yield (run.stdout + run.stderr).replace(f"{ROOT}/", "").strip()


def self_test():
    header = ROOT / "include" / "netron" / "version.h"
    text = header.read_text()
    before = list(undocumented(header, text))
    for line in ("NETRON_API int netron_secret(void);", "typedef struct netron_secret netron_secret;",
                 "#define NETRON_SECRET 1"):
        wrong = text.replace("#endif\n", f"\n{line}\n\n#endif\n")
        new = [problem for problem in undocumented(header, wrong) if problem not in before]
        if not any("SECRET" in problem.upper() for problem in new):
            print(f"not noticed: {line}")
            return 1
    print("undocumented declarations are noticed")
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    problems = list(header_problems())
    if MAN.is_dir() and any(MAN.iterdir()):
        problems += list(mandoc_problems())
        if len(sys.argv) > 1:
            problems += list(manual_problems(sys.argv[1]))
    else:
        print("docs/man has no manuals yet: commands and options were not looked at")
    print("\n".join(problems) or "everything public is documented")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
