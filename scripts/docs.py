"""Build the documentation and look at what came out.

    python scripts/docs.py              build/docs/html, without warnings; links, pictures, other hosts
    python scripts/docs.py --browser    and look at it in Chromium: wide, narrow, dark; search; what is loaded
    python scripts/docs.py --check      only look at what was built before

`make docs` is the second. LIKEWISE_DOCS_EXECUTE=1 runs the notebooks again.
"""

import argparse
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import wasm

ROOT = Path(__file__).resolve().parent.parent
DOCS, BUILD = ROOT / "docs", ROOT / "build" / "docs"
SITE = BUILD / "html"
LOADS = {  # what a browser fetches by itself, by tag
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
OF_OTHERS = re.compile(r"^(?:https?:)?//")
IN_STYLES = re.compile(
    r"@import\s+(?:url\()?[\"']?((?:https?:)?//[^\"')\s]+)|url\([\"']?((?:https?:)?//[^\"')]+)"
)
IN_SCRIPTS = re.compile(
    r"(?:\bsrc\s*=\s*|\bfetch\(\s*|\bimport\(?\s*|importScripts\(\s*)[\"'`](https?://[^\"'`\s]+)"
)
LEAST_ALT = 4  # letters


def build():
    """The site, from nothing, the interactive page in play/; False where Sphinx warned or that failed."""
    shutil.rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html"]
    command += [] if wasm.missing() else ["-t", "play"]
    command += ["-d", str(BUILD / "doctrees"), str(DOCS), str(SITE)]
    return subprocess.run(command).returncode == 0 and build_play()


def build_play():
    """The interactive page, where there is a compiler for it; False where it fails."""
    if wasm.missing():
        print(f"no interactive page: {wasm.missing()}")
        return True
    try:
        wasm.build(SITE / "play")
    except subprocess.CalledProcessError as error:
        print(error)
        return False
    return True


# --- what was built ----------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page links to, loads and shows.

    Attributes
    ----------
    ids : set of str, places in it
    links : list of str, where its links lead
    loads : list of str, what a browser fetches for it
    pictures : list of (src, alt or None)
    styles : list of str, its own style sheets
    """

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loads, self.pictures, self.styles = set(), [], [], [], []
        self._in_style = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        self._in_style = tag == "style"
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img":
            self.pictures.append((given.get("src", ""), given.get("alt")))
        if (
            tag in LOADS
            and given.get(LOADS[tag])
            and given.get("rel") not in ("next", "prev", "search", "index")
        ):
            self.loads.append(given[LOADS[tag]])
        if given.get("style"):
            self.styles.append(given["style"])

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if self._in_style:
            self.styles.append(data)


def pages():
    """Every page of the site by its path; parts of MathJax and templates are none."""
    return {path: Page(path) for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts}


def broken_links(found):
    for path, page in found.items():
        for link in {*page.links, *page.loads}:
            target = urlsplit(link)
            if target.scheme or target.netloc or link.startswith("data:"):
                continue
            place = (path.parent / unquote(target.path)).resolve() if target.path else path
            place = place / "index.html" if place.is_dir() else place
            if not place.exists():
                yield f"{path.relative_to(SITE)} leads to {link}, which is not there"
            elif target.fragment and place in found and unquote(target.fragment) not in found[place].ids:
                yield f"{path.relative_to(SITE)} leads to {link}, a place that {place.name} does not have"


def loads_of_others(found):
    """What would come from another host."""
    for path, page in found.items():
        for load in page.loads:
            if OF_OTHERS.match(load):
                yield f"{path.relative_to(SITE)} loads {load}"
        for style in page.styles:
            yield from (f"{path.relative_to(SITE)} loads {url}" for url in _urls(IN_STYLES, style))
    for path in SITE.rglob("*"):
        pattern = {".css": IN_STYLES, ".js": IN_SCRIPTS, ".html": IN_SCRIPTS}.get(path.suffix)
        if pattern:
            text = path.read_text(encoding="utf-8", errors="replace")
            yield from (f"{path.relative_to(SITE)} loads {url}" for url in _urls(pattern, text))


def _urls(pattern, text):
    return ["".join(match) if isinstance(match, tuple) else match for match in pattern.findall(text)]


def pictures_without_words(found):
    for path, page in found.items():
        for source, alt in page.pictures:
            if len(alt or "") < LEAST_ALT or alt == source:
                yield f"{path.relative_to(SITE)} shows {source[:60]} without saying what it is"


def faults():
    """All that is wrong with the site, in words."""
    found = pages()
    return [*broken_links(found), *loads_of_others(found), *pictures_without_words(found)]


# --- the whole ---------------------------------------------------------------------------------------------


def look():
    """What a browser sees, and the browser checks of other parts of the project."""
    sys.path.insert(0, str(Path(__file__).parent))
    import docs_browser

    if not docs_browser.chromium():
        print("no Chromium: not looked at in a browser")
        return []
    wrong = docs_browser.look(SITE, BUILD / "screenshots")
    print(f"screenshots are in {(BUILD / 'screenshots').relative_to(ROOT)}")
    for script in sorted((ROOT / "scripts" / "browser").glob("*.py")):
        if subprocess.run([sys.executable, str(script)]).returncode:
            wrong.append(f"scripts/browser/{script.name} failed")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--browser", action="store_true", help="look at it in Chromium")
    parser.add_argument("--check", action="store_true", help="do not build")
    arguments = parser.parse_args()
    built = arguments.check or build()
    wrong = faults() + (look() if arguments.browser else [])
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"the site is in {SITE.relative_to(ROOT)}: open {SITE / 'index.html'}")
    return 1 if wrong or not built else 0


if __name__ == "__main__":
    sys.exit(main())
