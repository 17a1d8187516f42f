"""Apply the wrong versions of mutants.toml one by one, see which tests notice; writes docs/reports.

    python scripts/slow_checks/mutate.py [--only TEXT] [--folder build/mutate] [--minutes M] [--afresh]

Works on a copy of the tree with its own build folder; the main ones are not touched. A mutant whose tests
pass has survived: the tests lack something. C++ mutants may name tests of both languages; Python mutants use
the extension that build/python holds. All of them take hours. What is stopped, or has had its minutes, goes
on where it was: verdicts are kept in mutation_verdicts.json beside this file, to be committed with the
report, and stand as long as a mutant's file and its tests are what they were.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import report

try:
    import tomllib
except ModuleNotFoundError:  # Python before 3.11
    import tomli as tomllib

COPIED = [
    "CMakeLists.txt",
    "LICENSE",
    "README.md",
    "cmake",
    "include",
    "src",
    "algorithms",
    "tests",
    "python",
    "pyproject.toml",
]
BUILD_TYPE = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DLIKEWISE_TESTS=ON",
    "-DLIKEWISE_PYTHON=ON",
    "-DLIKEWISE_WERROR=ON",
    f"-DPython_EXECUTABLE={sys.executable}",
]


class Tree:
    """A copy of the project in which sources may be broken."""

    def __init__(self, folder):
        self.root, self.build = folder, folder / "build"  # laid out as the project, so ccache helps
        tracked = report.output_of("git", "ls-files", *COPIED).splitlines()
        report.delete_others(self.root, tracked, keep="build")
        for name in COPIED:
            self._copy(report.ROOT / name, self.root / name)
        extension = next((report.ROOT / "build/python/likewise").glob("_core*"), None)
        if extension is not None:
            shutil.copy2(extension, self.root / "python/likewise")

    @staticmethod
    def _copy(source, target):
        """Files whose content differs: the times of the others stay, so that little is built again."""
        files = [source] if source.is_file() else [f for f in source.rglob("*") if f.is_file()]
        for file in files:
            copy = target / file.relative_to(source) if source.is_dir() else target
            if "__pycache__" in file.parts or (copy.exists() and copy.read_bytes() == file.read_bytes()):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    def of_language(self, names, language):
        """The names that have a file of tests in "python" or "cpp"; some have one in both."""
        ending = {"python": "py", "cpp": "cpp"}[language]
        return [name for name in names if (self.root / f"tests/{language}/{name}.{ending}").exists()]

    def compile(self, names):
        """Build what those tests need; the compiler's last lines where that fails, else None."""
        if not (self.build / "CMakeCache.txt").exists():
            self._run(["cmake", "-S", self.root, "-B", self.build, *BUILD_TYPE], check=True)
        targets = {"python": "likewise_core", "cpp": "likewise_tests"}
        targets = {target for language, target in targets.items() if self.of_language(names, language)}
        done = self._run(["cmake", "--build", self.build, "-j2", "--target", *sorted(targets)])
        return None if done.returncode == 0 else done.stdout[-1500:]

    def cpp_file_tests(self, names):
        """Whether those tests pass on C++ as it is compiled."""
        of_python, of_cpp = self.of_language(names, "python"), self.of_language(names, "cpp")
        return (not of_cpp or self.cpp_tests(of_cpp)) and (
            not of_python or self.python_tests(of_python, self.build / "python")
        )

    def cpp_tests(self, names):
        """Whether the tests of those files pass."""
        tags = ",".join(f"[#{name}]" for name in names)
        return self._run([self.build / "tests/likewise_tests", "--filenames-as-tags", tags]).returncode == 0

    def python_tests(self, names, package=None):
        files = [self.root / f"tests/python/{name}.py" for name in names]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
        environment = {**os.environ, "PYTHONPATH": str(package or self.root / "python")}
        return self._run(command, env=environment, cwd=self.root).returncode == 0

    @staticmethod
    def _run(command, **options):
        return subprocess.run(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",  # a broken program prints anything
            **options,
        )


def verdict(tree, mutant):
    """ "killed", "survived", "does not compile" or why it cannot be applied."""
    path = tree.root / mutant["file"]
    right = path.read_text(encoding="utf-8")
    if right.count(mutant["old"]) != 1:
        return f"stale: its line occurs {right.count(mutant['old'])} times"
    path.write_text(right.replace(mutant["old"], mutant["new"]), encoding="utf-8")
    try:
        if path.suffix == ".py":
            return "survived" if tree.python_tests(mutant["tests"]) else "killed"
        if tree.compile(mutant["tests"]) is not None:
            return "does not compile"
        return "survived" if tree.cpp_file_tests(mutant["tests"]) else "killed"
    finally:
        path.write_text(right, encoding="utf-8")


class Verdicts:
    """What was found already, here or on another machine."""

    _file = Path(__file__).parent / "mutation_verdicts.json"

    def __init__(self, tree, mutants, afresh):
        self._tree = tree
        known = self._file.exists() and not afresh
        found = json.loads(self._file.read_text(encoding="utf-8")) if known else {}
        keys = {self._key(mutant) for mutant in mutants}
        self._found = {key: said for key, said in found.items() if key in keys}

    def known(self, mutant):
        """The verdict that stands, or None."""
        return self._found.get(self._key(mutant))

    def find(self, mutant):
        """A new verdict, kept."""
        self._found[self._key(mutant)] = found = verdict(self._tree, mutant)
        kept = dict(sorted(self._found.items()))
        self._file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        return found

    def _key(self, mutant):
        tests = [self._tree.root / f"tests/{folder}/{name}.{ending}" for name in mutant["tests"]
                 for folder, ending in (("python", "py"), ("cpp", "cpp"))]  # fmt: skip
        parts = [path.read_bytes() for path in (self._tree.root / mutant["file"], *tests) if path.exists()]
        return hashlib.sha256(b"".join(parts) + repr((mutant["old"], mutant["new"])).encode()).hexdigest()


def check_unbroken(tree, mutants):
    """The tests pass on the right code, or nothing could be told."""
    named = {
        of_python: sorted({t for m in mutants if m["file"].endswith(".py") == of_python for t in m["tests"]})
        for of_python in (False, True)
    }
    problem = tree.compile(named[False]) if named[False] else None
    if problem is not None:
        report.fail(f"The unbroken copy does not build:\n{problem}")
    for of_python, run in ((False, tree.cpp_file_tests), (True, tree.python_tests)):
        names = named[of_python]
        if names and not run(names):
            report.fail(f"Tests fail without any mutant: {', '.join(names)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="only mutants of files whose path contains this")
    parser.add_argument("--folder", type=Path, default=report.ROOT / "build/mutate")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no other mutant after so long")
    parser.add_argument("--afresh", action="store_true", help="forget the verdicts of an earlier run")
    arguments = parser.parse_args()
    mutants = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text(encoding="utf-8"))["mutant"]
    tree, start = Tree(arguments.folder), time.monotonic()
    verdicts = Verdicts(tree, mutants, arguments.afresh)
    chosen = [m for m in mutants if arguments.only in m["file"]]
    waiting = [m for m in chosen if verdicts.known(m) is None]
    if waiting:
        check_unbroken(tree, waiting)
    for mutant in waiting:
        if time.monotonic() - start > 60 * arguments.minutes:
            break
        print(f"{verdicts.find(mutant):10} {mutant['file']}: {change_of(mutant)}", flush=True)
    found = [verdicts.known(mutant) for mutant in chosen]
    left = found.count(None)
    print(f"{found.count('killed')} of {len(chosen)} killed, {left} not tried yet")
    if not arguments.only and not left:
        write(mutants, found)
    return 0 if set(found) <= {"killed"} else 1


def change_of(mutant):
    return f"`{mutant['old'].strip()}` -> `{mutant['new'].strip() or 'nothing'}`"


def write(mutants, verdicts):
    rows = [
        f"| {m['file']} | {change_of(m)} | {', '.join(m['tests'])} | {said} |"
        for m, said in zip(mutants, verdicts)
    ]
    lines = [
        f"* {verdicts.count('killed')} of {len(verdicts)} mutants killed",
        "* a verdict stands as long as the mutant's file and its tests are what they were when it was tried",
        "",
        "| file | change | tests | verdict |",
        "|---|---|---|---|",
        *(row.replace("||", "\\|\\|") for row in rows),
    ]
    report.write("mutation", "make mutate", report.compiler(), lines)


if __name__ == "__main__":
    sys.exit(main())
