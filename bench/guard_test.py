#!/usr/bin/env python3
"""./bench/guard notices what makes a call dearer, and does not cry where it cannot know.

usage: guard_test.py BUILD-FOLDER
"""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
sys.dont_write_bytecode = True

from harness import counts, process  # noqa: E402

BUILD = None

PROFILE = """\
events: Ir
ob=/lib/libnetron.so
fl=???
fn=read_messages
0 5
cfn=malloc
calls=2 0
0 100
+3 1
fn=0x22a60
* 4
totals: 10
"""
TRACE = """\
==1== Callgrind
SYSCALL[1,1](228) sys_clock_gettime( 1, 0x1 )[sync] --> Success(0x0)
SYSCALL[1,1](  0) sys_read ( 4, 0x1, 832 ) --> [async] ...
SYSCALL[1,1](0) ... [async] --> Success(0x340)
SYSCALL[1,1](231) exit_group( 0 ) --> [pre-success] Success(0x0)
"""


class TestGuard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A budget of one path, with what is counted here: that of budget.json may be of another build."""
        found = counts.per_call(BUILD / "bench", 64)
        cls.exact = json.loads((BENCH / "budget.json").read_text(encoding="utf-8"))
        cls.exact["built"] = json.loads((BUILD / "bench/how_built.json").read_text(encoding="utf-8"))
        cls.exact["paths"] = {"pipelined": {"in flight": 64, "instructions": found.instructions,
                                            "system calls": found.system_calls, "allocations": 0}}

    def guard(self, budget, *words):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(budget, file)
            file.flush()
            return subprocess.run([sys.executable, "-B", BENCH / "guard", "--build", BUILD, "--budget",
                                   file.name, *words], capture_output=True, text=True, timeout=100, check=False)

    def test_what_is_within_its_budget_passes(self):
        done = self.guard(self.exact)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("  ok\n"), 3)

    def test_a_budget_15_percent_too_low_is_noticed(self):
        low = copy.deepcopy(self.exact)
        low["paths"]["pipelined"]["instructions"] *= 0.85
        done = self.guard(low)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"instructions .* TOO MUCH\n")
        self.assertEqual(done.stdout.count("TOO MUCH"), 1)
        self.assertIn("./bench/profile --inflight 64", done.stdout)
        self.assertIn("the reason into the commit message", done.stdout)

    def test_a_handler_that_allocates_and_makes_a_system_call_is_noticed(self):
        done = self.guard(self.exact, "--server", "careless_node")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for what in ("instructions", "system calls", "allocations"):
            self.assertRegex(done.stdout, f"{what} .* TOO MUCH\n")

    def test_of_another_build_instructions_are_not_judged_and_all_else_is(self):
        other = copy.deepcopy(self.exact)
        other["built"]["compiler"] = "Another"
        done = self.guard(other, "--server", "careless_node")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"instructions .* not judged\n")
        self.assertRegex(done.stdout, r"allocations .* TOO MUCH\n")
        self.assertRegex(done.stdout, r"INSTRUCTIONS ARE NOT JUDGED here.*\n  compiler '\w+', not 'Another'")
        other["paths"]["pipelined"]["instructions"] = 1
        done = self.guard(other)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_server_that_does_not_start_is_said(self):
        done = self.guard(self.exact, "--server", "no-such-server")
        self.assertEqual(done.returncode, 1)
        self.assertIn("bench/guard: ", done.stderr)


class TestParts(unittest.TestCase):
    def test_a_profile_is_read_without_what_called_functions_cost(self):
        functions, allocations = counts.read_profile(PROFILE)
        self.assertEqual(functions, {"read_messages": 6, "libnetron.so 0x22a60": 4})
        self.assertEqual(allocations, 2)

    def test_a_profile_that_does_not_add_up_is_refused(self):
        for text in ("", PROFILE.replace("totals: 10", "totals: 11"), PROFILE.replace("totals: 10", "")):
            with self.assertRaises(process.Failed):
                counts.read_profile(text)

    def test_a_trace_is_read_once_for_each_system_call(self):
        self.assertEqual(counts.read_trace(TRACE), {"read": 1, "exit_group": 1})
        with self.assertRaises(process.Failed):
            counts.read_trace("==1== Callgrind\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    BUILD = pathlib.Path(sys.argv.pop(1))
    unittest.main()
