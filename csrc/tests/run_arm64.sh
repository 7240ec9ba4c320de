#!/bin/sh
# Cross-compiles csrc/ with its tests for arm64 and runs them under QEMU: needs qemu-user-static and `pip install ziglang`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
python -m ziglang cc -target aarch64-linux-musl -static -std=gnu11 -O2 -fopenmp-simd -fno-math-errno -fno-trapping-math \
    -ffp-contract=fast -Wall -Wextra -Werror -I"$here/.." "$here"/*.c "$here"/../isa/baseline.c \
    "$here"/../dispatch.c "$here"/../pool.c "$here"/../allocator.c "$here"/../program.c "$here"/../layout.c -o "$build/tests"
qemu-aarch64-static "$build/tests"
