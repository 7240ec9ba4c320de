"""How the C kernels and the Cython modules are compiled: flags shared by setup.py and csrc/sizes.py."""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig

DEBUG = bool(os.environ.get("CYGRAD_DEBUG"))
EXTRA = os.environ.get("CYGRAD_CFLAGS", "").split()

# Keep symbols where debug information is asked for, or a sanitizer, which names them; otherwise install what the
# published wheel has.
SANITIZED = any(["-fsanitize" in flag for flag in EXTRA])
STRIP = sys.platform == "linux" and not DEBUG and not SANITIZED and "-g" not in EXTRA

# A write behind an array on the stack ends the process instead of returning to a forged address; a copy of a wrong size
# into an array of known size does too; the table of imported functions is read-only. Sanitizers check more, and take
# _FORTIFY_SOURCE's place. clang-cl does on Windows what /GS does, without a flag.
HARDENED = [] if sys.platform == "win32" else ["-fstack-protector-strong", "-U_FORTIFY_SOURCE"]
HARDENED += [] if sys.platform == "win32" or SANITIZED else ["-D_FORTIFY_SOURCE=3"]
HARDENED += ["-fstack-clash-protection"] if sys.platform == "linux" else []
HARDENED_LINK = [f"-Wl,-z,{option}" for option in ("relro", "now", "noexecstack")] if sys.platform == "linux" else []

# No fast-math: NaN, infinities and signed zeros keep their meaning. -fno-math-errno and
# -fno-trapping-math only drop errno and floating-point exception flags, which nothing reads.
# Nothing unwinds through C, so unwind tables would only take up room.
COMMON = ["-std=gnu11", "-fvisibility=hidden", *HARDENED]
COMMON += ["-DCG_DEBUG"] if DEBUG else ["-g0", "-fno-asynchronous-unwind-tables"]
IS_GCC = sys.platform == "linux" and not re.search("clang|zig", os.environ.get("CC", ""))

# What GCC's -O3 does beyond vectorizing and unrolling makes kernels no faster, and a seventh larger: copies of loops
# for each value of a flag, copies of functions for constant arguments, functions inlined that don't ask for it, gaps
# before functions and where jumps arrive.
PLAIN_LOOPS = ("version-loops-for-strides", "split-loops", "loop-unroll-and-jam", "unswitch-loops")
PLAIN_PATHS = ("split-paths", "tree-partial-pre", "gcse-after-reload", "ipa-cp-clone")
ALIGNED = ("align-functions", "align-jumps")
PLAIN = [*[f"-fno-{option}" for option in (*PLAIN_LOOPS, *PLAIN_PATHS, *ALIGNED)], "--param=max-inline-insns-auto=15"]
KERNELS = [
    *COMMON,
    "-O1" if DEBUG else "-O3",
    *(PLAIN if IS_GCC else []),
    *(["-g"] if DEBUG else []),
    "-fopenmp-simd",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-Wall",
    "-Wextra",
    *EXTRA,
]
# The warnings of generated code are Cython's.
# Calls of Python's functions go through the table of addresses at once: an eager step takes 1 to 2 % less.
NO_PLT = ["-fno-plt"] if sys.platform == "linux" else []
MODULES = [*COMMON, *NO_PLT, "-Wno-unused-function", *[flag for flag in EXTRA if not flag.startswith("-W")]]
# Wrappers, replays and leaves are as fast with -O1 as with -O3, and up to a quarter smaller. With -Os a call would take
# a fifth longer. The other modules gain from -O2, but not from the code that it duplicates and aligns. With less
# inlining (--param=inline-unit-growth=10) they would be an eighth smaller, and an eager step 4 to 7 % slower.
COMPACT = [f"-fno-{option}" for option in ("align-functions", "align-jumps", "align-labels", "align-loops")]
COMPACT += [f"-fno-{option}" for option in ("code-hoisting", "ipa-cp", "partial-inlining", "tree-pre")]
WRAPPERS_LEVEL, MODULES_LEVEL = ([], []) if DEBUG else (["-O1"], ["-O2", *(COMPACT if IS_GCC else [])])
LINK = [*HARDENED_LINK, *(["-Wl,--strip-all", "-Wl,--gc-sections"] if STRIP else [])]

# On x86-64 the baseline serves processors without AVX2, of before 2013: it is compiled for size. Elsewhere it is the
# only level.
SCALAR = ["-fno-tree-loop-vectorize" if IS_GCC else "-fno-vectorize", "-fno-tree-slp-vectorize"]
SMALL = [] if DEBUG else ["-Os", *SCALAR]
# What is left of an array after whole vectors is computed one by one: half vectors for it, in every loop, would make
# the kernels of a level 3 % larger, and 6 % in the wheel, and 70 ops no faster in the mean.
NO_HALF_VECTORS = ["--param=vect-epilogues-nomask=0"] if IS_GCC else []
X86_LEVELS = {
    "baseline": ["-march=x86-64", *SMALL],
    "x86_v3": ["-march=x86-64-v3", *NO_HALF_VECTORS],
    "x86_v4": ["-march=x86-64-v4", "-mprefer-vector-width=512", *NO_HALF_VECTORS],
}


def target_machine() -> str:
    """The target architecture: not this machine's when cross-compiling on macOS."""
    archflags = re.findall(r"-arch (\S+)", os.environ.get("ARCHFLAGS", ""))
    if archflags:
        return str(archflags[0])
    return sysconfig.get_platform().rpartition("-")[2] if sys.platform != "darwin" else platform.machine()


def cpu_levels() -> dict[str, list[str]]:
    """The flags of each CPU level; csrc/isa/<level>.c is compiled with them."""
    is_x86 = target_machine() in ("x86_64", "amd64", "AMD64")
    return X86_LEVELS if is_x86 else {"baseline": []}
