#!/bin/sh
# Contracts compile without a warning as C11 and as C++17: correct ones, awkward names, 128 members
# with 16 parameters each, the headers alone. Usage: check_compile.sh [include-dir]
here=$(cd "$(dirname "$0")" && pwd)
include=${1:-$here/../../include}
warnings="-Wall -Wextra -pedantic -Werror -Wconversion -Wsign-conversion -Wcast-qual -Wundef"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

compile() # name, file: with every compiler there is, as users do, and read once more with all warnings
{
    for how in "gcc -std=c11 -x c" "clang -std=c11 -x c" "g++ -std=c++17 -x c++" \
               "clang++ -std=c++17 -x c++"; do
        command -v "${how%% *}" >/dev/null || continue
        for flag in "-c" "-fsyntax-only -DNETRON_CHECK_HEADERS"; do
            # shellcheck disable=SC2086 # words on purpose
            if ! $how $warnings -I"$here" -I"$include" $flag "$2" -o "$out/o" 2>"$out/err"; then
                failed=1
                echo "$1: $how $flag"
                head -20 "$out/err"
            fi
        done
    done
}

big() # a service of 128 methods with 16 parameters each, and a struct of 64 fields
{
    list() { seq -s, "$1" | sed "s/[0-9][0-9]*/$2/g"; }
    parameters=$(list 16 '(i64, a&)')
    members=$(list 128 'm&')
    echo "#include <netron/service.h>"
    echo "NETRON_SERVICE(big, \"big@1.0.0\", $members);"
    seq 128 | while read -r i; do echo "NETRON_METHOD(big, m$i, i64, $parameters);"; done
    echo "struct big__self { int unused; };"
    echo "NETRON_PROVIDE(big, $members);"
    echo "NETRON_STRUCT(wide, $(list 64 '(opt_i64, f&)'));"
    echo "netron_err publish(netron *node, big__self *self);"
    echo "netron_err publish(netron *node, big__self *self) { return big__expose(node, self); }"
}

compile "correct server" "$here/server.c"
compile "correct client" "$here/client.c"
compile "awkward names" "$here/awkward.c"
big >"$out/big.c"
compile "128 members, 16 parameters, 64 fields" "$out/big.c"
for header in types service netron; do
    echo "#include <netron/$header.h>" >"$out/alone.c"
    compile "$header.h alone" "$out/alone.c"
done

# What a contract says of itself is the same in both languages.
for how in "gcc -std=c11 -x c" "clang -std=c11 -x c" "g++ -std=c++17 -x c++" \
           "clang++ -std=c++17 -x c++"; do
    command -v "${how%% *}" >/dev/null || continue
    # shellcheck disable=SC2086
    if ! $how $warnings -I"$include" "$here/metadata.c" -o "$out/metadata" ||
        ! "$out/metadata" | diff - "$here/metadata.txt"; then
        failed=1
        echo "metadata: $how"
    fi
done

# A client must not need the server's functions, not even without optimisation.
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    $compiler -std=c11 -O0 -I"$include" -c "$here/client.c" -o "$out/client.o" || failed=1
    if nm "$out/client.o" | grep _impl; then
        failed=1
        echo "$compiler: the client refers to an implementation"
    fi
done
exit $failed
