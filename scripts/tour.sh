#!/usr/bin/env bash
# Run the commands of scripts/tour.txt against a node and show them with their output.
#
# usage: scripts/tour.sh URL            run all; exit code 0 only when each did what it should
#        scripts/tour.sh --short URL    print the first ones, to be tried by hand
#
# tour.txt has "= heading", "$ command", "> text" that must occur in the output of the command
# above, and "! code" when that one must fail with this exit code. URL and TMP are filled in. A
# command that ends in & runs on: "$ wait" waits for it (repeating the command before, which sets
# off what it waits for) and "$ stop" ends it. What stands below "---" is not printed by --short.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

short=no
if [ "$1" = --short ]; then
    short=yes
    shift
fi
url=$1

if [ $short = yes ]; then
    sed -n -e '/^---$/q' -e "s|URL|$url|g" -e 's/^= \(.*\)/\n  # \1/p' \
        -e 's|^\$ netron|  build/release/netron|p' scripts/tour.txt
    echo
    exit
fi

work=$(mktemp -d)
output=$work/output
background='' before='' command='' shown=0 count=0 failures=0
build=${NETRON_BUILD:-$PWD/build/release}
export PATH="$build:$PATH"
export PKG_CONFIG_PATH="$build"

stop() {
    [ -z "$background" ] || { kill "$background" 2>/dev/null && wait "$background" || true; }
    background=
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

complain() {
    echo "  ^ $1"
    failures=$((failures + 1))
}

# begin COMMAND: run it on, until its first line is there.
begin() {
    bash -c "exec $1" >"$output" 2>&1 </dev/null &
    background=$!
    for ((i = 0; i < 300; i++)); do
        [ ! -s "$output" ] || return 0
        kill -0 "$background" 2>/dev/null || return 0
        sleep 0.05
    done
    complain "nothing came in 15 s"
}

# Wait for what runs on; the command before it is what it waits for.
await() {
    for ((i = 0; i < 50; i++)); do
        kill -0 "$background" 2>/dev/null || break
        sleep 0.1
        [ $((i % 10)) -ne 9 ] || bash -c "$before" >/dev/null 2>&1 </dev/null || true
    done
    [ $i -lt 50 ] || complain "it did not end in 5 s"
    stop
}

# run COMMAND: what the line says; its output into $output, its exit code into $code.
run() {
    code=0
    case $1 in
    wait)
        await
        tail -n "+$((shown + 1))" "$work/events" >"$output"
        ;;
    stop) stop ;;
    *\&)
        begin "${1%&}"
        ln -f "$output" "$work/events"
        shown=$(wc -l <"$output")
        ;;
    *)
        bash -c "$1" >"$output" 2>&1 </dev/null || code=$?
        before=$1
        ;;
    esac
}

# The command's own line is shown as it would be typed.
perform() {
    command=$1
    if [ "$1" != stop ]; then
        printf '$ %s\n' "$1"
        count=$((count + 1))
    fi
    rm -f "$output"
    : >"$output" # a file of its own: what runs on goes on writing to its
    run "$1"
    [ "$1" = stop ] || cat "$output"
}

expected=0 code=0
check_code() {
    [ -z "$command" ] || [ "$code" -eq "$expected" ] || complain "exit code $code, not $expected"
    command='' expected=0
}

while IFS= read -r line || [ -n "$line" ]; do
    line=${line//URL/$url}
    line=${line//TMP/$work}
    case $line in
    '= '*)
        check_code
        printf '\n# %s\n' "${line#= }"
        ;;
    '$ '*)
        check_code
        perform "${line#\$ }"
        ;;
    '! '*) expected=${line#! } ;;
    '> '*) grep -q -F -e "${line#> }" "$output" || complain "the output lacks: ${line#> }" ;;
    esac
done <scripts/tour.txt
check_code

if [ $failures -ne 0 ]; then
    printf '\nThe tour failed in %d places, marked with ^\n' $failures
    exit 1
fi
printf '\nThe tour is over: %d commands, and all did what they should.\n' $count
