#!/usr/bin/env bash
# Install into a temporary prefix, then do what a user does: build examples/hello with pkg-config as
# C and as C++ and with the CMake package, load it as a module, run the installed command.
#
# usage: install_test.sh BUILD-FOLDER CMAKE
set -euo pipefail
build=$1 cmake=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
hello=$root/examples/hello/hello.c

work=$(mktemp -d)
node=
cleanup() {
    [ -z "$node" ] || kill "$node" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

prefix=$work/prefix
"$cmake" --install "$build" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }

# What is not named here is not meant to be installed.
unexpected=$(cd "$prefix" && find . -type f | grep -v -E \
    '^\./(include/netron/[a-z_]+\.h|lib/[^/]*/?(libnetron\.(so|[0-9.]*dylib).*|pkgconfig/netron\.pc|cmake/Netron/Netron[A-Za-z-]+\.cmake)|bin/netron|share/man/man[137]/netron[a-z_-]*\.[137]|share/doc/netron/LICENSE)$' || true)
[ -z "$unexpected" ] || { printf 'installed without a reason:\n%s\n' "$unexpected"; exit 1; }
if grep -r -l -F "$root/" "$prefix"; then
    echo "these name the folder that they were built in"
    exit 1
fi

libdir=$(dirname "$(find "$prefix" -name 'libnetron.*' | head -n 1)")
export PKG_CONFIG_PATH=$libdir/pkgconfig
export LD_LIBRARY_PATH=$libdir DYLD_LIBRARY_PATH=$libdir

# try TITLE PROGRAM: start it, and call it with the installed command.
try() {
    : >"$work/listening"
    "${@:2}" --listen "unix:$work/hello.sock" >"$work/listening" 2>&1 &
    node=$!
    local answer=''
    for _ in $(seq 100); do
        answer=$("$prefix/bin/netron" call "unix:$work/hello.sock" hello greet World 2>&1) && break
        kill -0 $node 2>/dev/null || break
        sleep 0.05
    done
    kill $node 2>/dev/null || true
    wait $node 2>/dev/null || true
    node=
    rm -f "$work/hello.sock"
    case $answer in
    *World*) echo "$1: $answer" ;;
    *)
        echo "$1: $answer"
        cat "$work/listening"
        exit 1
        ;;
    esac
}

# shellcheck disable=SC2046 # words on purpose, as in the manual
cc -Wall -Wextra -Werror "$hello" $(pkg-config --cflags --libs netron) -o "$work/hello-c"
try "pkg-config, C" "$work/hello-c"

# C++ wants a cast from void *; nothing else needs to change.
sed 's/= netron_alloc/= (char *)netron_alloc/' "$hello" >"$work/hello.cpp"
# shellcheck disable=SC2046
c++ -std=c++17 -Wall -Wextra -Werror "$work/hello.cpp" $(pkg-config --cflags --libs netron) \
    -o "$work/hello-cpp"
try "pkg-config, C++" "$work/hello-cpp"

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<EOT
cmake_minimum_required(VERSION 3.22)
project(hello C)
find_package(Netron $(pkg-config --modversion netron) REQUIRED)
add_executable(hello $hello)
target_link_libraries(hello PRIVATE netron::netron)
EOT
"$cmake" -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 &&
    "$cmake" --build "$work/project/build" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
try "CMake package" "$work/project/build/hello"

unset LD_LIBRARY_PATH DYLD_LIBRARY_PATH # the command finds its library by itself
# shellcheck disable=SC2046
cc -shared -fPIC $(pkg-config --cflags netron) "$hello" -o "$work/hello.so"
try "module" "$prefix/bin/netron" serve --load "$work/hello.so"
try "netron run" "$prefix/bin/netron" run "$hello"
