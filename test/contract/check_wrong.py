#!/usr/bin/env python3
"""Every mistake in a contract, a server or a client is an error at the line where it was made.

calculator.h, server.c and client.c are right and must compile without a warning: they are the twin
of every case below. A case replaces one line; then the build must fail, and the first error must
name that file and that line (or the line of another macro, when it can first be seen there). The
headers are found as pkg-config tells users: with -I.

    check_wrong.py [--include DIR] [--only WORD] [--show] [compiler ...]
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# The first error is what is looked at, so it may be the last.
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Wconversion", "-Wfatal-errors"]
LANGUAGE = {"gcc": ["-std=c11"], "clang": ["-std=c11"],
            "g++": ["-std=c++17", "-x", "c++"], "clang++": ["-std=c++17", "-x", "c++"]}
C, CXX = ("gcc", "clang"), ("g++", "clang++")
BOTH = C + CXX


class Case:
    """`right` occurs on one line of `file`; there it becomes `wrong`. The error is on the line with
    `at` (`right`, unless told) of `at_file` (`file`), or it is the linker's and names `symbol`."""

    def __init__(self, name, file, right, wrong, at=None, at_file=None, symbol=None,
                 compilers=BOTH):
        self.name, self.file, self.right, self.wrong = name, file, right, wrong
        self.at, self.at_file = at or right, at_file or file
        self.symbol, self.compilers = symbol, compilers


def implementation(name, *change, function):
    """A wrong signature: in C the error is at the function; in C++ that is an overload, and the
    linker misses the right one."""
    return [Case(name, SERVER, *change, at=f"netron_err {function}(", compilers=C),
            Case(name, SERVER, *change, symbol=function, compilers=CXX)]


CLIENT, SERVER, CONTRACT = "client.c", "server.c", "calculator.h"
ADD = "calculator_add(&calc, 5, 3, &sum)"
PROVIDE = "NETRON_PROVIDE(calculator, add, fibonacci, history, version, precision, label, computed)"

CASES = [
    # calls
    Case("argument of a wrong type", CLIENT, ADD, 'calculator_add(&calc, "5", 3, &sum)'),
    Case("argument missing", CLIENT, ADD, "calculator_add(&calc, 5, &sum)"),
    Case("argument too many", CLIENT, ADD, "calculator_add(&calc, 5, 3, 1, &sum)"),
    Case("result of a wrong type", CLIENT, ADD, "calculator_add(&calc, 5, 3, &text)"),
    Case("result missing", CLIENT, ADD, "calculator_add(&calc, 5, 3)"),
    Case("result where there is none", CLIENT, "bank_close(money)", "bank_close(money, &sum)"),
    Case("proxy of another service", CLIENT, ADD, "calculator_add(money, 5, 3, &sum)"),
    Case("unknown member", CLIENT, ADD, "calculator_subtract(&calc, 5, 3, &sum)"),
    Case("unknown constant", CLIENT, "rounding_down", "rounding_sideways"),
    Case("wrong list", CLIENT, "&steps)", "&text)"),
    Case("future of another method", CLIENT, "calculator__add_wait(&future",
         "calculator__history_wait(&future"),
    Case("option that does not exist", CLIENT, ".timeout_ms = 200", ".timeout = 200", compilers=C),
    # properties, events, streams
    Case("write to a readonly property", CLIENT, "calculator__label_set(&calc, text)",
         "calculator__version_set(&calc, text)"),
    Case("write of a wrong type", CLIENT, "calculator__precision_set(&calc, 3)",
         'calculator__precision_set(&calc, "3")'),
    Case("read of a wrong type", CLIENT, "precision_get(&calc, &digits)",
         "precision_get(&calc, &text)"),
    Case("wrong handler", CLIENT, "void *user, netron_str op, int64_t value)",
         "void *user, netron_str op, double value)", at="on_computed, NULL, &sum"),
    Case("loop with a wrong error", CLIENT, "netron_each(n, &err,", "netron_each(n, &sum,"),
    Case("loop over what is no stream", CLIENT, "calculator_fibonacci(&calc, 10))",
         "calculator_history(&calc, rounding_up, &steps))"),
    Case("yield of a wrong type", SERVER, "calculator__fibonacci_yield(out, a)",
         'calculator__fibonacci_yield(out, "a")'),
    Case("yield to another stream", SERVER, "calculator__fibonacci_yield(out, a)",
         "calculator__fibonacci_yield(ctx, a)"),
    Case("event argument of a wrong type", SERVER, 'emit(ctx, netron_s("add"), *result)',
         "emit(ctx, 5, *result)"),
    Case("event argument missing", SERVER, 'emit(ctx, netron_s("add"), *result)',
         'emit(ctx, netron_s("add"))'),
    # implementations
    Case("implementation missing", SERVER, "netron_err calculator__add_impl(",
         "static netron_err add(", symbol="calculator__add_impl"),
    *implementation("implementation with a wrong argument", "int64_t a, int64_t b,",
                    "int64_t a, double b,", function="calculator__add_impl"),
    *implementation("implementation with a wrong result", "step_list *result)",
                    "netron_list_i64 *result)", function="calculator__history_impl"),
    *implementation("implementation with an argument too many", "uint32_t n,",
                    "uint32_t n, int m,", function="calculator__fibonacci_impl"),
    *implementation("setter with a wrong argument", "calculator__self *self, netron_str value)",
                    "calculator__self *self, int64_t value)",
                    function="calculator__label_set_impl"),
    Case("self of another service", SERVER, "NETRON_MAIN(calculator, &the_calculator)",
         "NETRON_MAIN(calculator, &calculator__label_set_impl)"),
    # bindings
    Case("field of a wrong type", SERVER, "int32_t precision;", "int64_t precision;",
         at="NETRON_FIELD(calculator, precision)"),
    Case("field missing", SERVER, "int32_t precision;", "int32_t digits;",
         at="NETRON_FIELD(calculator, precision)"),
    Case("field that cannot own what is written", SERVER, "NETRON_ACCESS(calculator, label)",
         "NETRON_FIELD(calculator, label)"),
    Case("property without a place", SERVER, "NETRON_FIELD(calculator, precision);", "",
         at=PROVIDE),
    Case("field of an unknown property", SERVER, "NETRON_FIELD(calculator, version)",
         "NETRON_FIELD(calculator, versions)"),
    Case("member missing in PROVIDE", SERVER, PROVIDE, PROVIDE.replace("history, ", "")),
    Case("member twice in PROVIDE", SERVER, PROVIDE, PROVIDE.replace("history", "add")),
    Case("unknown member in PROVIDE", SERVER, PROVIDE, PROVIDE.replace("history", "hystory")),
    Case("too many members in PROVIDE", SERVER, PROVIDE, PROVIDE.replace("add,", "add, add2,")),
    # contracts
    Case("unknown type of a parameter", CONTRACT, "(i64, a), (i64, b, 1)", "(i46, a), (i64, b, 1)"),
    Case("unknown type of a result", CONTRACT, "history,   step_list", "history,   steplist"),
    Case("unknown type of a stream", CONTRACT, "fibonacci, u64", "fibonacci, u46"),
    Case("unknown type of a property", CONTRACT, "version,   str", "version,   string"),
    Case("unknown type of an event", CONTRACT, "(str, op), (i64, value));", "(strr, op));"),
    Case("unknown type of a field", CONTRACT, "(i64, value), (opt_str, note)", "(i46, value)"),
    Case("unknown type of an item", CONTRACT, "NETRON_LIST  (step_list, step)",
         "NETRON_LIST  (step_list, stepp)"),
    Case("none as a parameter", CONTRACT, "(i64, a), (i64, b, 1)", "(none, a), (i64, b, 1)"),
    Case("default of a wrong type", CONTRACT, "(i64, b, 1)", '(i64, b, "1")'),
    Case("member missing in NETRON_SERVICE", CONTRACT, "add, fibonacci, history, version",
         "add, fibonacci, version", at="NETRON_METHOD (calculator, history"),
    Case("member twice in NETRON_SERVICE", CONTRACT, "add, fibonacci, history, version",
         "add, fibonacci, history, add, version", at="NETRON_SERVICE(calculator,"),
    Case("member declared twice", CONTRACT, "NETRON_PROP_RO(calculator, version,   str)",
         "NETRON_METHOD (calculator, add, i64)"),
    Case("member listed and not declared", CONTRACT, "add, fibonacci, history, version",
         "add, fibonacci, history, ghost, version", at=PROVIDE, at_file=SERVER),
    Case("wire name of an unknown member", CONTRACT, 'NETRON_WIRE_NAME(calculator, computed,',
         'NETRON_WIRE_NAME(calculator, compute,'),
    Case("documentation of an unknown member", CONTRACT, "NETRON_DOC    (calculator, add,",
         "NETRON_DOC    (calculator, ad,"),
    Case("documentation twice", CONTRACT,
         'NETRON_WIRE_NAME(calculator, computed, "value-computed")',
         'NETRON_DOC(calculator, add, "Again."); NETRON_DOC(calculator, add, "Again.")'),
]


class Project:
    """A copy of the three files in a folder of its own, and how to build it."""

    def __init__(self, folder, include):
        self.folder, self.include = pathlib.Path(folder), include

    def write(self, case=None):
        """Copy the files, with the mistake. Returns the line where the error is expected."""
        line = None
        for name in (CONTRACT, SERVER, CLIENT):
            text = (HERE / name).read_text()
            if case and name == case.file:
                if text.count(case.right) != 1:
                    sys.exit(f"{case.name}: {case.right!r} is not on one line of {name}")
                text = text.replace(case.right, case.wrong)
            if case and name == case.at_file and not case.symbol:
                at = case.wrong if case.at == case.right else case.at
                line = text[:text.index(at)].count("\n") + 1
            (self.folder / name).write_text(text)
        return line

    def run(self, *command):
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True,
                              env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})

    def compile(self, compiler, file):
        return self.run(compiler, *LANGUAGE[compiler], *WARNINGS, "-I", self.include,
                        "-c", file, "-o", file + ".o")

    def link(self, compiler):
        """Link the server against a library that has every netron_ function and nothing else."""
        undefined = re.findall(r" U (netron_\w+)", self.run("nm", SERVER + ".o").stdout)
        stubs = "".join(f"void {name}(void);\nvoid {name}(void) {{}}\n" for name in undefined)
        (self.folder / "stubs.c").write_text(stubs)
        self.run("cc", "-c", "stubs.c", "-o", "stubs.o")
        return self.run(compiler, SERVER + ".o", "stubs.o", "-o", "server")


def complaint(project, compiler, case):
    """What is wrong with how this compiler reports the mistake; None when nothing is."""
    line = project.write(case)
    file = case.file if case.file != CONTRACT else SERVER
    result = project.compile(compiler, file)
    if case.symbol:
        if result.returncode == 0:
            result = project.link(compiler)
        if result.returncode == 0:
            return "it builds", ""
        if case.symbol not in result.stderr:
            return f"no error names {case.symbol}", result.stderr
        return None, result.stderr
    if result.returncode == 0:
        return "it compiles", result.stderr
    first = next((text for text in result.stderr.splitlines() if "error:" in text), "")
    if not re.match(rf"(\./)?{re.escape(case.at_file)}:{line}:", first):
        return f"the first error is not at {case.at_file}:{line}", result.stderr
    return None, first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--include", default=str(HERE.parents[1] / "include"))
    parser.add_argument("--only", default="")
    parser.add_argument("--show", action="store_true", help="print the first error of every case")
    parser.add_argument("compilers", nargs="*")
    options = parser.parse_args()
    compilers = options.compilers or [name for name in BOTH if shutil.which(name)]

    checked = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Project(folder, str(pathlib.Path(options.include).resolve()))
        for compiler in compilers:
            project.write()
            for file in (SERVER, CLIENT):
                result = project.compile(compiler, file)
                if result.returncode != 0 or result.stderr:
                    sys.exit(f"{compiler}: the right {file} is not clean\n{result.stderr}")
            if (result := project.link(compiler)).returncode != 0:
                sys.exit(f"{compiler}: the right server does not link\n{result.stderr}")
        for case in CASES:
            if options.only not in case.name:
                continue
            for compiler in compilers:
                if compiler not in case.compilers:
                    continue
                checked += 1
                problem, text = complaint(project, compiler, case)
                if problem:
                    failed += 1
                    print(f"{compiler}: {case.name}: {problem}")
                    print("    " + "\n    ".join(text.splitlines()[:8]))
                elif options.show:
                    print(f"{compiler}: {case.name}\n    {text.splitlines()[0] if text else ''}")
    names = {case.name for case in CASES}
    print(f"{len(names)} mistakes, {checked} builds, {failed} not reported well")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
