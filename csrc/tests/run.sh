#!/bin/sh
# Builds csrc/ with its tests and runs them under AddressSanitizer and UndefinedBehaviorSanitizer, or under the sanitizers
# that are named: `run.sh thread`. CC chooses the compiler.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
sanitize="-fsanitize=${1:-address,undefined} -fno-sanitize-recover=all"
# -O1: quick to build, and every loop as it is written
flags="-std=gnu11 -O1 -g -fopenmp-simd -fno-math-errno -fno-trapping-math -ffp-contract=fast -DCG_DEBUG -Wall -Wextra -Werror $sanitize"
cc=${CC:-cc}
machine=$(uname -m)
levels="baseline:"
if [ "$machine" = x86_64 ]; then
    levels="baseline:-march=x86-64 x86_v3:-march=x86-64-v3 x86_v4:-march=x86-64-v4"
fi
cd "$here"
# The levels take longest to compile and come first; each line is a file and its own flag.
# shellcheck disable=SC2086,SC2016
{
    for level in $levels; do echo ../isa/${level%%:*}.c ${level#*:}; done
    for name in dispatch pool allocator program layout; do echo ../$name.c; done
    for name in *.c; do echo $name; done
} | cc=$cc flags=$flags build=$build xargs -P "$(getconf _NPROCESSORS_ONLN)" -L 1 \
    sh -c '$cc $flags -I.. $2 -c $1 -o "$build/$(basename $1 .c).o"' compile
# shellcheck disable=SC2086
$cc $flags "$build"/*.o -lm -lpthread -o "$build/tests"
for level in $levels; do echo "${level%%:*}"; done |
    ASAN_OPTIONS=detect_leaks=0 xargs -P "$(getconf _NPROCESSORS_ONLN)" -L 1 "$build/tests"
