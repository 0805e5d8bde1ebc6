#!/usr/bin/env python3
"""Fail unless every public header compiles alone, as C11 and as C++17, without a warning."""
import shutil
import subprocess
import sys

from headers import HEADERS, ROOT

FLAGS = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{ROOT / 'include'}",
         "-DNETRON_CHECK_HEADERS"]
LANGUAGES = {
    "C11": (["gcc", "clang"], ["-x", "c", "-std=c11"]),
    "C++17": (["g++", "clang++"], ["-x", "c++", "-std=c++17"]),
}


def main():
    tried = failed = 0
    for language, (compilers, flags) in LANGUAGES.items():
        for compiler in filter(shutil.which, compilers):
            for header in HEADERS:
                run = subprocess.run([compiler, *flags, *FLAGS, "-"], text=True, capture_output=True,
                                     input=f"#include <netron/{header.name}>\nextern int alone;\n")
                tried += 1
                if run.returncode != 0:
                    failed += 1
                    print(f"{header.name} alone, as {language} with {compiler}:\n{run.stderr}")
    print(f"{tried - failed} of {tried} compile")
    return failed > 0 or tried == 0


if __name__ == "__main__":
    sys.exit(main())
