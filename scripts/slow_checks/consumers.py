"""Programs of others: every way in, both kinds of library, both compilers, and flags of their own.

    python scripts/slow_checks/consumers.py [--quick | --whole] [--only LIBRARY]

tests/install/app.cpp is built as a separate project, with other settings than the library was. It must give
right answers or not link. Writes docs/reports/consumers-DATE.md. The library is compiled once for each line
of LIBRARIES, and once for each way in as a subproject. Every two settings (library and flags, library and
compiler, compiler and flags) meet in some program; --whole makes all programs.
"""

import argparse
import os
import re
import shutil
import subprocess
import time

import report

BUILD = report.ROOT / "build" / "consumers"
TESTS = report.ROOT / "tests" / "install"
COMPILERS = ("g++", "clang++")
LIBRARIES = {  # name -> how it is made
    "static, g++": ("g++", ["-DBUILD_SHARED_LIBS=OFF"]),
    "shared, g++": ("g++", ["-DBUILD_SHARED_LIBS=ON"]),
    "static, clang++": ("clang++", ["-DBUILD_SHARED_LIBS=OFF"]),
    "static, g++ -march=native": ("g++", ["-DCMAKE_CXX_FLAGS=-march=native"]),
}
FLAGS = (
    "-O2 -DNDEBUG",
    "-O0 -g",
    "-O2 -march=native",
    "-O0 -march=native",
    "-O2 -mavx2 -mfma",
    "-O1 -g -fsanitize=address",
    "-O1 -march=native -fsanitize=address",
    "-O2 -DEIGEN_MAX_ALIGN_BYTES=32",
    "-O0 -DEIGEN_MAX_ALIGN_BYTES=64",
    "-O2 -DEIGEN_MAX_STATIC_ALIGN_BYTES=0",
    "-O0 -DEIGEN_DONT_ALIGN",
    "-O2 -DEIGEN_DONT_VECTORIZE",
    "-O2 -DEIGEN_MALLOC_ALREADY_ALIGNED=0",
    "-O2 -DEIGEN_DEFAULT_TO_ROW_MAJOR",
    "-O2 -DEIGEN_DEFAULT_DENSE_INDEX_TYPE=int",
    "-O2 -DEIGEN_INITIALIZE_MATRICES_BY_NAN",
    "-O2 -D_GLIBCXX_DEBUG",
    "-O2 -D_GLIBCXX_ASSERTIONS -fno-plt -ffunction-sections -fdata-sections -Wl,--gc-sections",
)
SUBPROJECT_FLAGS = ("-O2 -DNDEBUG", "-O0 -march=native", "-O1 -fsanitize=address")
REFUSED = re.compile(r"must_fit_the_settings_of_the_likewise_library|undefined reference")


def run(*command, environment=None):
    """(exit status, output) of a command."""
    report.show(command)
    done = subprocess.run(
        [str(word) for word in command], cwd=report.ROOT, capture_output=True, text=True, env=environment
    )
    return done.returncode, done.stdout + done.stderr


def must(*command):
    status, output = run(*command)
    if status:
        report.fail(output[-3000:])


def configured(source, build, compiler, *options):
    shutil.rmtree(build, ignore_errors=True)
    must(
        "cmake",
        "-S",
        source,
        "-B",
        build,
        f"-DCMAKE_CXX_COMPILER={compiler}",
        f"-DEXPECTED_VERSION={version()}",
        *options,
    )
    return build


def version():
    text = (report.ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(r"project\(likewise VERSION ([0-9.]+)", text)[1]


def installed(name, compiler, options):
    """The prefix of a library of that kind."""
    # Without commas, at which CMake's own flag for the search path of shared libraries would be taken apart.
    build, prefix = (BUILD / re.sub("[ ,]+", "-", f"{what} {name}") for what in ("library", "prefix"))
    must("cmake", "-S", ".", "-B", build, f"-DCMAKE_CXX_COMPILER={compiler}", *options)
    must("cmake", "--build", build, "--parallel", os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", "2"))
    shutil.rmtree(prefix, ignore_errors=True)
    must("cmake", "--install", build, "--prefix", prefix)
    return prefix


def outcome(build, program, target):
    """ "right", "does not link", or what went wrong."""
    status, output = run("cmake", "--build", build, "--target", target)
    if status:
        named = REFUSED.search(output)
        return "does not link" if named else "does not compile: " + output.strip()[-200:]
    library = os.pathsep.join(str(path) for path in BUILD.glob("prefix-shared*/lib*"))
    status, output = run(program, environment={**os.environ, "LD_LIBRARY_PATH": library})
    return "right" if status == 0 else f"WRONG, status {status}: {output.strip()[-200:]}"


def found_by_package(prefix, compiler, flags):
    build = configured(TESTS, BUILD / "app", compiler, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DFLAGS={flags}")
    return outcome(build, build / "app_installed", "app_installed")


def as_subproject(fetch, flags):
    """The library is compiled once for each way in; only the program is compiled for other flags."""
    build = BUILD / ("fetched" if fetch else "subdirectory")
    must(
        "cmake",
        "-S",
        TESTS / "subproject",
        "-B",
        build,
        f"-DFETCH={fetch}",
        f"-DLIKEWISE_SOURCE={report.ROOT}",
        f"-DEXPECTED_VERSION={version()}",
        f"-DFLAGS={flags}",
        "-DCMAKE_BUILD_TYPE=Release",
    )
    return outcome(build, build / "app", "app")


def users_of(library, flags, whole):
    """The compilers that meet this library (by its number) with these flags (by theirs)."""
    return COMPILERS if whole else (COMPILERS[(library + flags) % len(COMPILERS)],)


def cases(quick, whole, only):
    """(library, way in, compiler, flags, outcome) one after the other."""
    for i, (name, (compiler, options)) in enumerate(list(LIBRARIES.items())[: 1 if quick else None]):
        if only and name != only:
            continue
        prefix = installed(name, compiler, options)
        for j, flags in list(enumerate(FLAGS))[:: 4 if quick else 1]:
            for user in users_of(i, j, whole):
                yield name, "find_package", user, flags, found_by_package(prefix, user, flags)
    for fetch in () if quick or only else (0, 1):
        way = "FetchContent" if fetch else "add_subdirectory"
        for flags in SUBPROJECT_FLAGS:
            yield "static, g++", way, "g++", flags, as_subproject(fetch, flags)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one library, one compiler, few flags")
    parser.add_argument("--whole", action="store_true", help="every compiler with every library and flags")
    parser.add_argument("--only", metavar="LIBRARY", choices=list(LIBRARIES), help="one library")
    arguments = parser.parse_args()
    start = time.monotonic()
    found = list(cases(arguments.quick, arguments.whole, arguments.only))
    wrong = [case for case in found if case[-1] not in ("right", "does not link")]
    lines = [
        f"* programs: {len(found)}, {(time.monotonic() - start) / 60:.0f} minutes",
        f"* neither right nor refused: {len(wrong) or 'none'}",
        "",
        "| library | way in | program's compiler | its flags | outcome |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(case)} |".replace("\n", " ") for case in found),
    ]
    tools = {
        name: report.output_of(name, "-dumpfullversion" if name == "g++" else "-dumpversion")
        for name in COMPILERS
    }
    report.write("consumers", "make consumers", tools, lines)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
