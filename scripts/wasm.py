"""Build the page of `likewise play` that needs no server: the library for WebAssembly, the page around it.

    python scripts/wasm.py [FOLDER]     build/wasm/play, or FOLDER

Needs Emscripten (scripts/system_packages.sh emscripten). The page is python/likewise/play/page with wasm/*.js
in place of its ask.js. Look at it with `python -m http.server -d build/wasm/play`.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES, PAGE, BUILD = ROOT / "wasm", ROOT / "python" / "likewise" / "play" / "page", ROOT / "build" / "wasm"
POLICY = (  # nothing comes from another host, and only WebAssembly is compiled while it runs
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)
HEAD = f"""<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<script src="from_file.js"></script>
</head>"""
DEBIANS_NODE_MODULES = Path("/usr/share/nodejs")  # which a Node.js from elsewhere does not look into


def missing():
    """Why it cannot be built here, or ""."""
    return "" if shutil.which("emcmake") else "there is no Emscripten: scripts/system_packages.sh emscripten"


def compile_engine():
    """likewise.js and likewise.wasm in build/wasm; a CalledProcessError where that fails."""
    environment = dict(os.environ)
    if DEBIANS_NODE_MODULES.is_dir():
        environment.setdefault("NODE_PATH", str(DEBIANS_NODE_MODULES))
    generator = [] if (BUILD / "CMakeCache.txt").exists() or not shutil.which("ninja") else ["-G", "Ninja"]
    for command in (
        ["emcmake", "cmake", "-S", SOURCES, "-B", BUILD, "-DLIKEWISE_WERROR=ON", *generator],
        ["cmake", "--build", BUILD, "--target", "engine", "--parallel", str(os.cpu_count())],
    ):
        subprocess.run(command, env=environment, check=True)


def put_together(folder):
    """The page in a folder, which is emptied before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in (*PAGE.iterdir(), *SOURCES.glob("*.js"), BUILD / "likewise.js", BUILD / "likewise.wasm"):
        shutil.copy(path, folder)
    page = folder / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("</head>", HEAD), encoding="utf-8")


def build(folder=BUILD / "play"):
    """Compile the engine, and put the page into a folder."""
    compile_engine()
    put_together(folder)
    module = (folder / "likewise.wasm").read_bytes()
    packed = len(gzip.compress(module)) / 1e6
    print(f"{folder}: likewise.wasm has {len(module) / 1e6:.2f} MB, {packed:.2f} MB on the way (gzip)")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=BUILD / "play", metavar="FOLDER")
    arguments = parser.parse_args()
    if missing():
        print(missing(), file=sys.stderr)
        return 1
    build(arguments.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
