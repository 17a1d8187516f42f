"""What the slow checks share: running commands, and the dated report that each leaves in docs/reports."""

import datetime
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REPORTS = ROOT / "docs" / "reports"


def output_of(*command, **options):
    """Standard output of a command, or "not found"."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)
    except OSError:
        return "not found"
    return (done.stdout or done.stderr).strip()


def delete_others(folder, names, keep):
    """Delete the files of a copy of the tree that are not among `names`: moved ones would be built too."""
    names = set(names)
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] != keep and inside.as_posix() not in names:
            path.unlink()


def write(name, command, tools, lines):
    """Write docs/reports/NAME-DATE.md and return its path.

    Parameters
    ----------
    name : str
    command : the make target or command line that makes the report again
    tools : dict, name -> version
    lines : of Markdown
    """
    today = datetime.date.today().isoformat()
    commit = output_of("git", "rev-parse", "--short=10", "HEAD")
    changed = " and uncommitted changes" if output_of("git", "status", "--porcelain", "-uno") else ""
    versions = {
        "Python": platform.python_version(),
        **tools,
        "system": f"{platform.system()} {platform.machine()}",
    }
    head = [
        f"# {name}, {today}",
        "",
        f"* command: `{command}`",
        f"* tree: {commit}{changed}",
        f"* versions: {', '.join(f'{tool} {version}' for tool, version in versions.items())}",
        "",
    ]
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / f"{name}-{today}.md"
    path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")
    return path


def compiler():
    """{"g++": its version}, of the compiler that builds the C++ side."""
    name = os.environ.get("CXX", "c++")
    return {name: output_of(name, "-dumpfullversion")}


def show(command):
    """Print a command the way a shell takes it, and flush."""
    print("$", shlex.join(map(str, command)), flush=True)


def fail(message):
    """End with a message on stderr and status 2."""
    print(message, file=sys.stderr)
    sys.exit(2)
