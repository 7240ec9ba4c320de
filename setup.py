"""Builds the C kernels, one static library a CPU level, and the Cython modules that call them.

Everything that can be said in pyproject.toml is said there.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_clib import build_clib
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from csrc import build_flags, kernel_table  # noqa: E402


def project_urls() -> dict[str, str]:
    """The project's links, for the repository that GitHub Actions builds; none elsewhere."""
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if not server or not repository:
        return {}
    home = f"{server}/{repository}"
    return {
        "Homepage": home,
        "Documentation": f"{home}/blob/main/docs/README.md",
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
        "Issues": f"{home}/issues",
    }


def use_clang_cl(compiler) -> None:
    """On Windows the kernels' vector extensions need clang-cl, which takes MSVC's own options too."""
    if compiler.compiler_type == "msvc":
        if not compiler.initialized:
            compiler.initialize()
        compiler.cc = "clang-cl.exe"


class BuildKernels(build_clib):
    def build_libraries(self, libraries):
        use_clang_cl(self.compiler)
        super().build_libraries(libraries)


class BuildModules(build_ext):
    def build_extensions(self):
        use_clang_cl(self.compiler)
        super().build_extensions()


class BuildWheel(bdist_wheel):
    def run(self):
        super().run()
        if importlib.util.find_spec("zopfli"):
            _, _, wheel = self.distribution.dist_files[-1]
            runpy.run_path(str(ROOT / "tools/recompress_wheel.py"))["recompress"](wheel)
        else:
            self.warn("zopfli is not installed: the wheel will be 4 % larger than it could be")


def windows_flags(flags: list[str]) -> list[str]:
    return [f"/clang:{flag}" for flag in flags] if sys.platform == "win32" else flags


def sources_below(folder: str, *patterns: str) -> list[str]:
    return sorted(str(p.relative_to(ROOT)) for pattern in patterns for p in (ROOT / folder).rglob(pattern))


HEADERS = sources_below("csrc", "*.h", "*.def", "build_flags.py")


def library(name: str, source: str, flags: list[str]):
    options = {
        "sources": [source],
        "include_dirs": ["csrc"],
        "cflags": windows_flags(build_flags.KERNELS + flags),
        "obj_deps": {"": HEADERS},
    }
    return name, options


MACROS = [
    ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
    ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION"),
    ("CYTHON_COMPRESS_STRINGS", "0"),  # the wheel compresses them, and importing need not decompress them
]


def module(name: str, source: str, level=build_flags.MODULES_LEVEL, **options) -> Extension:
    return Extension(
        f"cygrad.{name}",
        [source],
        include_dirs=["csrc", numpy.get_include()],
        define_macros=MACROS,
        extra_compile_args=windows_flags([*build_flags.MODULES, *level]),
        extra_link_args=build_flags.LINK,
        **options,
    )


kernel_table.write_all()
for script in ("make_stubs.py", "make_kernel_stub.py"):
    runpy.run_path(str(ROOT / "tools" / script))["write"]()
levels = build_flags.cpu_levels()
libraries = [library(f"cygrad_{level}", f"csrc/isa/{level}.c", flags) for level, flags in levels.items()]
SERVICES = ("dispatch", "program", "layout", "pool", "allocator")
libraries += [library(f"cygrad_{name}", f"csrc/{name}.c", []) for name in SERVICES]
kernels = module(
    "_kernels",
    "src/cygrad/_kernels.pyx",
    level=build_flags.WRAPPERS_LEVEL,
    # The order matters to static linking: dispatch needs the levels.
    libraries=[f"cygrad_{name}" for name in (*SERVICES, *levels)],
    depends=HEADERS + sources_below("src/cygrad", "*.pxi", "*.pxd"),
)
ENGINE = [*HEADERS, *[f"src/cygrad/autograd/{name}.pxd" for name in ("arrays", "recording", "engine")]]
compiled = [
    module("autograd.recording", "src/cygrad/autograd/recording.py", depends=ENGINE),
    module("autograd.engine", "src/cygrad/autograd/engine.py", depends=ENGINE),
    module(
        "autograd.leaves",
        "src/cygrad/autograd/leaves.py",
        level=build_flags.WRAPPERS_LEVEL,
        depends=[*ENGINE, "src/cygrad/autograd/leaves.pxd"],
    ),
    module("nn.layer", "src/cygrad/nn/layer.py", depends=[*ENGINE, "src/cygrad/nn/layer.pxd"]),
]
replay = module(
    "compiler.replay.replay",
    "src/cygrad/compiler/replay/replay.pyx",
    level=build_flags.WRAPPERS_LEVEL,
    depends=["src/cygrad/_kernels.pxd", *ENGINE],
)

DIRECTIVES = {
    "language_level": 3,
    "freethreading_compatible": True,
    "boundscheck": build_flags.DEBUG,
    "wraparound": False,
    "initializedcheck": build_flags.DEBUG,
    "cdivision": True,
    "binding": True,
    "annotation_typing": False,  # engine.pxd gives the C types
    "auto_pickle": False,  # classes that can be pickled say how
}


def cythonized(modules: list[Extension], docstrings: bool) -> list[Extension]:
    """The extensions of Cython modules. Docstrings of private ones would only take up room in the wheel."""
    Options.docstrings = docstrings
    lines = "--coverage" in build_flags.EXTRA  # of the source, for tools/coverage.py
    return cythonize(modules, include_path=["src"], compiler_directives=DIRECTIVES, emit_linenums=lines)


setup(
    project_urls=project_urls(),
    libraries=libraries,
    ext_modules=[*cythonized([kernels], docstrings=False), *cythonized([*compiled, replay], docstrings=True)],
    cmdclass={"build_clib": BuildKernels, "build_ext": BuildModules, "bdist_wheel": BuildWheel},
)
