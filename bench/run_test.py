#!/usr/bin/env python3
"""./bench/run does what it says, also when a subject does not.

usage: run_test.py BUILD-FOLDER
"""
import dataclasses
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
sys.dont_write_bytecode = True

from harness import measure, peer, plot, process, report, subjects, syscalls  # noqa: E402

BUILD = None
FILES = 1400  # that a run with few files may open: the connections beside it are 1000
SHORT = ["--quick", "--rounds", "1", "--seconds", "0.05"]

PEER = """
from harness.peer import Peer
PEER = Peer(name="{name}", title="The peer {name}", packages=("lib{name}-dev",), url="tcp://127.0.0.1:1",
            shapes=("64",), programs={programs}, server=("python3", "-c", {server!r}),
            client=("python3", "-c", {client!r}){options})
"""
LISTEN = "import os, time; print('listening on tcp://127.0.0.1:1', flush=True); "
GOOD = """print('{{"calls":9,"seconds":1,"rate":9,"total":9,"client_cpu_ns":1,"server_cpu_ns":1}}')"""


def run(*words, **options):
    return subprocess.run([sys.executable, "-B", BENCH / "run", "--build", BUILD, *words],
                          capture_output=True, text=True, timeout=100, check=False, **options)


class WithPeer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def make_peer(self, name, server=LISTEN + "time.sleep(60)", client=GOOD, programs=(), options=""):
        (self.folder / name).mkdir()
        text = PEER.format(name=name, server=server, client=client, programs=programs,
                           options=options)
        (self.folder / name / "peer.py").write_text(text, encoding="utf-8")

    def run_peer(self, name, *more):
        return run("--peers", self.folder, "--only", f"{name}-64", "ws-64", *SHORT, *more)


class TestRun(WithPeer):
    def test_a_run_prints_a_table_and_writes_its_samples(self):
        file, plot_file = self.folder / "out.json", self.folder / "out.svg"
        done = run("--only", "ws-64", *SHORT, "--json", file, "--svg", plot_file)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\| Netron over ws, 64 fibers `ws-64` \|")
        self.assertRegex(done.stdout, r"\| Raw TCP `floor-ws-64` \|")
        result = json.loads(file.read_text(encoding="utf-8"))
        ours = next(one for one in result["subjects"] if one["name"] == "ws-64")
        self.assertGreater(ours["median"], 0)
        self.assertGreater(ours["samples"][0]["server_cpu_ns"], 0)
        self.assertGreater(ours["samples"][0]["client_cpu_ns"], 0)
        self.assertEqual(set(ours["ratios"]), {"floor-ws-64", "floor-ws-64-epoll"})
        self.assertEqual(result["sizes"], {"ws_request": 60, "ws_reply": 12})
        self.assertIn("</svg>", plot_file.read_text(encoding="utf-8"))

    def test_a_document_gets_the_tables_between_its_marks(self):
        document = self.folder / "doc.md"
        document.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n", encoding="utf-8")
        done = run("--only", "ws-64", *SHORT, "--document", document)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = document.read_text(encoding="utf-8")
        self.assertRegex(text, r"(?s)^before\n<!-- bench: begin -->\n.*`ws-64`.*<!-- bench: end -->\nafter\n$")
        self.assertIn("(doc.svg)", text)
        self.assertNotIn("old", text)
        self.assertIn("</svg>", (self.folder / "doc.svg").read_text(encoding="utf-8"))

    def test_many_connections_meet_the_limit_of_open_files_and_tell_it(self):
        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
        done = run("--only", "many", *SHORT, preexec_fn=lower)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"`many`: {FILES - measure.SPARE_FILES} connections "
                                      rf"\(the hard limit of open files is {FILES}\)")

    def test_growth_is_a_table_and_a_plot(self):
        plot_file = self.folder / "out.svg"
        # 8,000 stacks are made first: that alone may take longer than a short run.
        done = run("--only", "ws-services-100", "ws-suspended-8000", *SHORT, "--seconds", "1", "--svg",
                   plot_file)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"\| 1 `ws-services-1` \|")
        self.assertRegex(done.stdout, r"\| 100 `ws-services-100` \|.*x\) \|")
        self.assertRegex(done.stdout, r"\| 8\s000 `ws-suspended-8000` \|")
        drawn = (self.folder / "out-growth.svg").read_text(encoding="utf-8")
        self.assertEqual(drawn.count("<polyline"), 4)

    def test_the_number_of_rounds_holds_for_all(self):
        file = self.folder / "out.json"
        self.make_peer("slow", options=", is_slow=True")
        done = run("--peers", self.folder, "--only", "slow-64", "--quick", "--seconds", "0.05", "--rounds", "2",
                   "--json", file)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        result = json.loads(file.read_text(encoding="utf-8"))
        self.assertEqual({one["name"]: len(one["samples"]) for one in result["subjects"]},
                         {"slow-64": 2, "floor-ws-64": 2})
        self.assertGreater(result["settings"]["enough"], 1e6)
        self.assertRegex(done.stderr, r"\[ +\d+ s\] 2 of 2, round 2 of 2  slow-64")

    def test_numbers_of_rounds_that_make_no_sense_are_refused(self):
        for words in (["--rounds", "0"], ["--rounds", "1.5"], ["--seconds", "-1"], ["--seconds", "nan"]):
            done = run("--only", "ws-64", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(words[0], done.stderr)

    def test_an_unknown_name_is_said(self):
        done = run("--only", "no-such-thing")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no subject 'no-such-thing'", done.stderr)

    def test_a_server_that_dies_is_reported_and_the_rest_measured(self):
        self.make_peer("dies", LISTEN + "time.sleep(0.2); os.abort()",
                       "import sys, time; time.sleep(1); sys.exit('the connection is gone')")
        done = self.run_peer("dies")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"Failed: dies-64: .*the connection is gone.* died \(signal SIGABRT\)")
        self.assertIn("`ws-64`", done.stdout)

    def test_a_server_that_does_not_start_is_reported(self):
        self.make_peer("stillborn", "import sys; sys.exit('the port is taken')")
        done = self.run_peer("stillborn")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"Failed: stillborn-64: .*ended at its start: the port is taken")
        self.assertIn("`ws-64`", done.stdout)

    def test_a_client_that_talks_nonsense_is_reported(self):
        self.make_peer("babbles", client="print('3.14')")
        done = self.run_peer("babbles")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Failed: babbles-64: the client's result cannot be read", done.stdout)

    def test_a_peer_that_is_not_installed_is_named_with_its_package(self):
        self.make_peer("absent", programs=("no-such-program",))
        done = self.run_peer("absent")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"Not measured: The peer absent is not installed .*libabsent-dev")
        self.assertIn("`ws-64`", done.stdout)

    def test_a_peer_stands_beside_ours(self):
        self.make_peer("good")
        done = self.run_peer("good")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("### Netron over ws beside each peer", done.stdout)
        self.assertRegex(done.stdout, r"\| The peer good \| [\d.]+ ?[kMG]?x \|")

    def test_when_it_is_ended_it_ends_its_servers_and_prints_what_it_has(self):
        mark = self.folder / "pid"
        self.make_peer("endless", LISTEN + f"open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)",
                       "import time; time.sleep(60)")
        runner = subprocess.Popen(
            [sys.executable, "-B", BENCH / "run", "--build", BUILD, "--peers", self.folder, "--only", "ws-64",
             "endless-64", *SHORT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 60
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        server = int(mark.read_text())
        runner.send_signal(signal.SIGTERM)
        printed = runner.communicate(timeout=30)[0]
        self.assertEqual(runner.returncode, 1)
        self.assertIn("`ws-64`", printed)
        self.assertIn("Stopped before the end", printed)
        with self.assertRaises(ProcessLookupError):
            os.kill(server, 0)


class TestRounds(unittest.TestCase):
    """Which runs a campaign makes, with a bench that makes none."""

    class Bench:
        """Each of its runs is disturbed as much as is said, and says that it took two seconds."""

        def __init__(self, settings, others=0.0):
            self.settings, self.others, self.made = settings, others, []

        def run(self, subject, number):
            self.made.append((number, subject.name))
            return measure.Sample(value=1.0, others=self.others, took=2.0)

    def campaign(self, names, others=0.0, **settings):
        catalogue = {**subjects.floors(), **{subject.name: subject for subject in subjects.ours()}}
        bench = self.Bench(measure.Settings(**settings), others)
        campaign = measure.Campaign(bench, catalogue, lambda *_: None)
        campaign.run([catalogue[name] for name in names])
        return campaign

    def test_few_rounds_are_spread_over_all(self):
        self.assertEqual([number for number in range(9) if measure.takes_part(number, 3, 9)], [0, 3, 6])
        for rounds in range(1, 12):
            for wanted in range(1, rounds + 1):
                part = [number for number in range(rounds) if measure.takes_part(number, wanted, rounds)]
                self.assertEqual((len(part), part[0]), (wanted, 0))

    def test_what_grows_is_measured_in_few_rounds_and_what_is_steady_in_one(self):
        campaign = self.campaign(["ws-64-one-write", "ws-inflight-10", "ws-idle"], rounds=6, few_rounds=2)
        self.assertEqual({name: len(samples) for name, samples in campaign.samples.items()},
                         {"ws-64-one-write": 6, "ws-inflight-10": 2, "ws-idle": 1})

    def test_each_run_stands_right_behind_its_floors(self):
        made = self.campaign(["ws-64", "ws-1"], rounds=2).bench.made
        for subject in ("64", "1"):
            for number in range(2):
                at = made.index((number, f"ws-{subject}"))
                self.assertEqual(made[at - 2:at], [(number, f"floor-ws-{subject}"),
                                                   (number, f"floor-ws-{subject}-epoll")])

    def test_slow_peers_take_part_in_few_rounds(self):
        campaign = measure.Campaign(self.Bench(measure.Settings(rounds=9, peer_rounds=5, few_rounds=3)), {}, None)
        rounds = {subject.name: campaign.rounds_of(subject) for one in peer.load()
                  for subject in one.subjects(pathlib.Path("/"))}
        self.assertEqual((rounds["moleculer-64"], rounds["redis-64"], rounds["redis-idle"]), (3, 5, 1))

    def test_repeats_have_a_bound_each_and_one_together(self):
        campaign = self.campaign(["ws-64-one-write"], others=1.0, rounds=1, repeats=3, repeating=100.0)
        self.assertEqual((campaign.repeated, len(campaign.bench.made)), (3, 2 * 4))
        # Four seconds each, with the floor: of ten there are two in the first round, and none later.
        campaign = self.campaign(["ws-64-one-write"], others=1.0, rounds=5, repeats=3, repeating=10.0)
        self.assertEqual((campaign.repeated, campaign.repeating), (2, 8.0))
        self.assertEqual(len(campaign.samples["ws-64-one-write"]), 5)
        self.assertEqual(campaign.disturbed, 5)

    def test_when_there_was_time_enough_everything_is_still_measured_once(self):
        campaign = self.campaign(["ws-64", "ws-1"], rounds=3, enough=0.0)
        self.assertEqual({name: len(samples) for name, samples in campaign.samples.items()},
                         {"ws-64": 1, "ws-1": 1})
        self.assertEqual(campaign.left_out, 4)

    def test_a_row_says_of_how_many_runs_it_is(self):
        subject = subjects.ours()[0]
        calm, other = measure.Sample(value=1.0), measure.Sample(value=1.0, others=1.0)
        self.assertEqual(report.cell_runs(report.Row(subject, [calm, calm, other])), "2 of 3")
        self.assertEqual(report.cell_runs(report.Row(subject, [other, other])), "2")
        self.assertIn("| runs |", report.table(subject.shape, "", [report.Row(subject, [calm])])[2])


class TestPrograms(unittest.TestCase):
    def run_one(self, name, **settings):
        programs = pathlib.Path(BUILD).resolve() / "bench"
        subject = next(one for one in [*subjects.floors().values(), *subjects.ours()] if one.name == name)
        with tempfile.TemporaryDirectory() as folder:
            bench = measure.Bench(dataclasses.replace(measure.QUICK, seconds=0.05, **settings), programs, folder,
                                  {"ws_request": 60, "ws_reply": 12})
            return subject, bench.run(subject)

    def test_all_calls_of_a_killed_server_fail(self):
        for name, calls in (("death", 20), ("floor-ws-death", 1)):
            _, sample = self.run_one(name, lost=20)
            self.assertEqual(sample.calls, calls)
            self.assertGreater(sample.value, 0)

    def test_calls_beside_a_stream_are_told_apart_from_those_alone(self):
        subject, sample = self.run_one("stream-beside-calls", stream_bytes=1 << 22, stream_rate=1 << 24)
        self.assertEqual(sample.extra["stream_bytes"], 1 << 22)
        self.assertGreaterEqual(sample.extra["p99_ns"], sample.extra["p50_ns"])
        self.assertEqual(sample.value, sample.extra["p50_ns"] / sample.extra["alone_p50_ns"])
        drawn = report.latency_table(subject.shape, "", [report.Row(subject, [sample])])
        self.assertIn("`stream-beside-calls`", drawn[-2])
        self.assertEqual(drawn[2].count("|"), drawn[-2].count("|"))

    def test_a_stream_that_fails_beside_calls_is_reported(self):
        with self.assertRaisesRegex(process.Failed, "needs --server PID and a --rate above 0"):
            self.run_one("stream-beside-calls", stream_rate=0)

    def test_bulk_with_the_baseline_mask_arrives(self):
        for name in ("baseline-download", "baseline-upload"):
            _, sample = self.run_one(name, bytes=1 << 22)
            self.assertEqual(sample.calls, (1 << 22) >> 16)


class TestParts(unittest.TestCase):
    def test_quartiles(self):
        self.assertEqual(report.quartiles([3, 1]), (1, 2, 3))
        self.assertEqual(report.quartiles([1, 2, 3, 4, 5]), (2, 3, 4))

    def test_numbers(self):
        self.assertEqual([report.number(value) for value in (0.1234, 99.5, 1234, 12345, 1234567, 4e9)],
                         ["0.123", "99.5", "1234", "12.3 k", "1.23 M", "4.00 G"])

    def test_ratios(self):
        self.assertEqual([report.ratio(value) for value in (12.341, 1, 0.5, 0.0123, 0.00071, 0)],
                         ["12.34", "1.00", "0.50", "0.012", "0.00071", "0.00"])

    def test_strace_summary(self):
        summary = ("% time     seconds  usecs/call     calls    errors syscall\n"
                   "------ ----------- ----------- --------- --------- ----------------\n"
                   " 60.00    0.001413          14       100           recvfrom\n"
                   " 40.00    0.000002           2        20         1 sendto\n"
                   "------ ----------- ----------- --------- --------- ----------------\n"
                   "100.00    0.001415          21       120         1 total\n")
        self.assertEqual(syscalls.total(summary), 120)
        with self.assertRaises(process.Failed):
            syscalls.total("")

    def test_results_that_make_no_sense(self):
        for printed in ("", "[]", "{}", '{"calls":0,"seconds":1,"total":0}',
                        '{"calls":5,"seconds":1,"total":4}'):
            with self.assertRaises(process.Failed, msg=printed):
                measure.read_result(printed)

    def test_every_subject_names_floors_and_aims_that_exist(self):
        known = {**subjects.floors(), **{subject.name: subject for subject in subjects.ours()}}
        for subject in known.values():
            for name in (*subject.floors, *(aim.floor for aim in subject.aims if aim.floor)):
                self.assertIn(name, known, subject.name)
            for aim in subject.aims:
                self.assertTrue(aim.share is None or aim.floor in subject.floors, subject.name)

    def test_the_peers_of_the_bench_do_what_there_is(self):
        settings = measure.Settings()
        for one in peer.load():
            for name in (*one.shapes, *one.more, *one.minor):
                self.assertIn(name, subjects.SHAPES, one.name)
            self.assertTrue(set(one.more) | set(one.minor) <= set(one.shapes), one.name)
            for name in (*one.most, *one.least):
                self.assertTrue(hasattr(settings, name), one.name)
            self.assertTrue(one.packages, one.name)

    def test_a_peer_may_do_less_of_a_thing(self):
        bench = measure.Bench(measure.QUICK, "/bin", "/tmp", {"ws_item": 20})
        subject = dataclasses.replace(subjects.ours()[0], client=("client", "{items}", "{idle}"),
                                      most={"items": 7, "idle": 1 << 30})
        self.assertEqual(bench.client(subject, None), ["client", "7", str(measure.QUICK.idle)])

    def test_a_peer_may_need_more_of_a_thing(self):
        bench = measure.Bench(measure.QUICK, "/bin", "/tmp", {})
        subject = dataclasses.replace(subjects.ours()[0], client=("client", "{warm_up}", "{seconds}"),
                                      least={"warm_up": 7.0, "seconds": 0.0})
        self.assertEqual(bench.client(subject, None), ["client", "7.0", str(measure.QUICK.seconds)])

    def test_bulk_is_less_in_later_rounds_and_never_more_than_a_peer_takes(self):
        bench = measure.Bench(measure.Settings(bytes=100, bytes_later=50), "/bin", "/tmp", {})
        subject = dataclasses.replace(subjects.ours()[0], client=("client", "{bytes}"))
        self.assertEqual([bench.client(subject, None, number)[1] for number in (0, 1, 2)], ["100", "50", "50"])
        subject = dataclasses.replace(subject, most={"bytes": 70})
        self.assertEqual([bench.client(subject, None, number)[1] for number in (0, 1)], ["70", "50"])

    def test_a_quick_run_has_bounds_and_so_has_a_full_one(self):
        for settings in (measure.QUICK, measure.Settings()):
            self.assertLessEqual(max(settings.peer_rounds, settings.few_rounds), settings.rounds)
        self.assertLess(measure.QUICK.enough + measure.QUICK.repeating, 150)
        self.assertLess(measure.Settings().enough + measure.Settings().repeating, 25 * 60)

    def test_nothing_is_loaded_that_swallows_interrupts(self):
        code = "import runpy, sys; runpy.run_path('run'); print('logging' in sys.modules)"
        done = subprocess.run([sys.executable, "-B", "-c", code], cwd=BENCH, capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONPATH": str(BENCH)})
        self.assertEqual(done.stdout, "False\n")

    def test_peers_are_built_at_the_same_time_and_each_tells_what_is_wrong(self):
        def failing(_):
            raise process.Failed("it has no compiler")
        made = [peer.Peer(name=name, title=name, packages=("x",), client=(), server=(), url="") for name in "abc"]
        object.__setattr__(made[1], "make", failing)
        for one in (made[0], made[2]):
            object.__setattr__(one, "make", lambda _: None)
        self.assertEqual(peer.make_all(made, pathlib.Path("/")),
                         [(made[0], ""), (made[1], "it has no compiler"), (made[2], "")])

    def test_every_peer_is_in_a_quick_run(self):
        for one in peer.load():
            self.assertTrue(set(one.shapes) - set(one.minor), one.name)

    def test_what_a_server_has_started_belongs_to_it(self):
        shell = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(shell.stdout.close)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        child = int(shell.stdout.readline())
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.assertEqual(process.family(shell.pid), [shell.pid, child])

    def test_decades(self):
        self.assertEqual(plot.decades([1, 100]), (0, 2))
        self.assertEqual(plot.decades([0.3, 20]), (-1, 2))
        self.assertEqual(plot.decades([5]), (0, 1))

    def test_a_plot_has_a_bar_for_each_ratio(self):
        subject = subjects.ours()[0]
        floor = measure.Sample(value=2.0)
        sample = measure.Sample(value=1.0, floors={name: floor for name in subject.floors})
        drawn = plot.svg([report.Row(subject, [sample])], {subject.shape.name: "<title>"})
        self.assertRegex(drawn, re.escape(subject.title))
        self.assertIn("&lt;title&gt;", drawn)
        self.assertIn(">0.50<", drawn)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    BUILD = sys.argv.pop(1)
    unittest.main()
