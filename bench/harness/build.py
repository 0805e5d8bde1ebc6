"""The release build that figures are taken from."""
import pathlib
import subprocess
import sys

from .process import Failed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RELEASE = ROOT / "build/release"


def build():
    """Bring the programs of the bench in RELEASE up to date."""
    print("Building in build/release", file=sys.stderr, flush=True)
    subprocess.run([ROOT / "scripts/deps.sh", "run"], check=True, stdout=sys.stderr)
    for command in (["cmake", "--preset", "release", "-DNETRON_BENCH=ON"],
                    ["cmake", "--build", "build/release", "--target", "bench"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
