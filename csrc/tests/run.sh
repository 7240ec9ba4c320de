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
for level in $levels; do
    # shellcheck disable=SC2086
    $cc $flags ${level#*:} -I"$here/.." -c "$here/../isa/${level%%:*}.c" -o "$build/${level%%:*}.o"
done
# shellcheck disable=SC2086
$cc $flags -I"$here/.." "$here"/*.c "$here/../dispatch.c" "$here/../pool.c" "$here/../allocator.c" "$here/../program.c" "$here/../layout.c" "$build"/*.o \
    -lm -lpthread -o "$build/tests"
ASAN_OPTIONS=detect_leaks=0 "$build/tests"
