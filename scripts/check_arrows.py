"""Check that includes follow the list of layers in ARCHITECTURE.md: no arrow back up, no circle.

python scripts/check_arrows.py
"""

import fnmatch
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("include/likewise", "src", "algorithms")


def layers():
    """[(name, patterns)] from the lowest layer on, as ARCHITECTURE.md lists them."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    found = []
    for line in re.search(r"^```layers\n(.*?)^```", text, re.M | re.S)[1].splitlines():
        words = line.split()
        if line[0] != " ":
            found.append((words.pop(0), []))
        found[-1][1].extend(words)
    return found


def name_of(path):
    """A file's name in the list: without its folder include/likewise or src, and without its ending."""
    for folder in ("include/likewise/", "src/"):
        path = path.removeprefix(folder)
    return path.rsplit(".", 1)[0]


def included(path, files):
    """The project's files that a file includes."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name in re.findall(r'^#include [<"]([^>"]+)[>"]', text, re.M):
        places = (f"include/{name}", f"src/{name}", f"algorithms/{name}", f"{path.rsplit('/', 1)[0]}/{name}")
        yield from [place for place in places if place in files][:1]


def circle(arrows):
    """The nodes of a circle of {node: nodes it points at}, or nothing."""
    done, trail = set(), []

    def visit(node):
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return []
        trail.append(node)
        for other in sorted(arrows.get(node, ())):
            if found := visit(other):
                return found
        done.add(trail.pop())
        return []

    for node in sorted(arrows):
        if found := visit(node):
            return found
    return []


def group_of(path):
    """The folder that a file is in; operator.hpp, outside any, belongs to operator/."""
    name = name_of(path)
    return name.rsplit("/", 1)[0] if "/" in name else name


def faults():
    order = layers()
    files = {
        str(p.relative_to(ROOT))
        for f in FOLDERS
        for p in (ROOT / f).rglob("*")
        if p.suffix in (".hpp", ".cpp", ".h")
    }
    rank = {}
    for path in sorted(files):
        places = [
            i
            for i, (_, patterns) in enumerate(order)
            if any(fnmatch.fnmatch(name_of(path), p) for p in patterns)
        ]
        if len(places) != 1:
            yield f"{path} is in {len(places)} layers of ARCHITECTURE.md, not in one"
        rank[path] = places[0] if places else 0
    arrows = {path: set(included(path, files)) for path in files}
    groups = {}
    for path, targets in sorted(arrows.items()):
        for target in sorted(targets):
            if rank[target] > rank[path]:
                yield f"{path} ({order[rank[path]][0]}) includes {target}, which is above it"
            if group_of(path) != group_of(target):
                groups.setdefault(group_of(path), set()).add(group_of(target))
    for what, graph in (("files", arrows), ("folders", groups)):
        if found := circle(graph):
            yield f"a circle of {what}: {' -> '.join(found)}"


def main():
    found = list(faults())
    for fault in found:
        print(fault)
    print(f"arrows between files: {len(found) or 'no'} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
