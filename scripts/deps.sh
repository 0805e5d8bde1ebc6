#!/usr/bin/env bash
# Install what building netron needs and this machine lacks. Debian and Ubuntu, with apt.
#
# usage: scripts/deps.sh run      what ./run needs: compiler, CMake, libraries
#        scripts/deps.sh check    that, and what ./check needs besides
#
# Says what it installs, uses sudo when not root, and does nothing when all is there.
set -euo pipefail

for_run=(build-essential cmake ninja-build pkg-config libuv1-dev libboost-context-dev libssl-dev)
for_check=(clang libclang-rt-dev libcmocka-dev python3 valgrind mandoc)

wanted=("${for_run[@]}")
if [ "${1:-check}" = check ]; then
    wanted+=("${for_check[@]}")
fi

installed() { # of these names or patterns, any
    dpkg-query -W -f '${db:Status-Abbrev}\n' "$@" 2>/dev/null | grep -q '^ii'
}

present() {
    case $1 in
    libboost-context-dev) installed 'libboost-context*-dev' ;;
    # The sanitizers' and the fuzzer's libraries: its package is named after Clang's version.
    libclang-rt-dev) command -v clang >/dev/null && has_clang_runtime ;;
    *) installed "$1" ;;
    esac
}

has_clang_runtime() {
    installed "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" ||
        [ -e "$(clang -print-file-name="libclang_rt.fuzzer-$(uname -m).a")" ]
}

# The package of this release for a name above.
package() {
    case $1 in
    libclang-rt-dev)
        local version
        version=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
        if apt-cache show "libclang-rt-$version-dev" >/dev/null 2>&1; then
            echo "libclang-rt-$version-dev"
        else
            echo "libclang-common-$version-dev" # where older releases have them
        fi
        ;;
    *) echo "$1" ;;
    esac
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This is neither Debian nor Ubuntu: nothing is installed for you. netron needs what these" >&2
    echo "packages hold there: ${wanted[*]}" >&2
    exit 0 # it may all be there; CMake names what is not
fi

missing=()
for name in "${wanted[@]}"; do
    present "$name" || missing+=("$name")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "These packages are missing: ${missing[*]}" >&2
        echo "Install them as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
run_apt() {
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "apt-get $* failed. netron needs: ${missing[*]}" >&2
        exit 1
    fi
}

echo "Installing with apt: ${missing[*]}"
run_apt update
packages=()
for name in "${missing[@]}"; do
    packages+=("$(package "$name")")
done
run_apt install --no-install-recommends "${packages[@]}"
