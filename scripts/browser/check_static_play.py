"""Hold the page that needs no server against the engine, in a real browser.

    python scripts/browser/check_static_play.py [FOLDER] [--states N] [--pictures FOLDER]
    python scripts/browser/check_static_play.py --time    # milliseconds of an answer for 500 points, in both

FOLDER is where scripts/wasm.py has put the page: by default build/docs/html/play, else build/wasm/play. Every
setting of every dial and N random states are asked of the page's engine and of `likewise.play.readings`;
numbers must agree to 1e-6 of the largest of their array, words letter by letter. Then the page is walked
through as check_play.py walks through the other.
"""

import argparse
import contextlib
import functools
import http.server
import json
import pathlib
import random
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time

import check_play
import numpy as np
from check_play import NAMES, Browser, Walk

from likewise._mechanism import SLOTS
from likewise.play import readings
from likewise.play.state import DIALS

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDERS = (ROOT / "build" / "docs" / "html" / "play", ROOT / "build" / "wasm" / "play")
CLOSE = 1e-6  # of the largest entry of an array
ASK = """(async () => {
  const { ask } = await import("./ask.js");
  const pack = (key, value) => {
    if (!ArrayBuffer.isView(value)) return value;
    const bytes = new Uint8Array(value.buffer);
    const text = Array.from({ length: bytes.length }, (_, i) => String.fromCharCode(bytes[i])).join("");
    return { [value.constructor.name.replace("Array", "").toLowerCase()]: btoa(text), shape: [value.length] };
  };
  return JSON.stringify(await ask(STATE), pack);
})()"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, without a word."""

    def log_message(self, *_):
        """Nothing."""


# --- states -------------------------------------------------------------------------------------------------


def random_state(chance, n):
    """Any setting on each dial, numbers from anywhere in their ranges, with n points of two half circles."""

    def value(field):
        words = list(field.get("words", ()))
        if field["kind"] == "flag":
            return chance.random() < 0.5
        if field["kind"] == "word" or (words and chance.random() < 0.4):
            return chance.choice(words)
        if field["kind"] == "count":
            return chance.randint(field["low"], field["high"])
        return round(chance.uniform(field["low"], field["high"]), 3)

    def chosen(slot):
        choice = chance.choice(DIALS[slot])
        return {"name": choice["name"], **{field["name"]: value(field) for field in choice["fields"]}}

    return {**{slot: chosen(slot) for slot in SLOTS}, **points_of(chance, n, chance.randint(1, 4))}


def points_of(chance, n, n_classes):
    """n of the half circles' points, of some classes, a few labels held."""
    points = chance.sample(check_play.half_circles()["points"], n)
    classes = [chance.randrange(n_classes) for _ in points]
    return {"points": points, "classes": classes, "held": [int(i % 9 == 0) for i in range(n)]}


def states(count):
    """(name, state): every setting of every dial, no points, one, and random states."""
    chance = random.Random(0)
    few = points_of(chance, 40, 3)
    for slot, chosen in check_play.every_setting():
        if chosen.get("n_neighbors", 0) > 30:
            yield f"{slot} {chosen}", {**check_play.state_with(slot, chosen), **points_of(chance, 70, 2)}
        else:
            yield f"{slot} {chosen}", {**check_play.state_with(slot, chosen), **few}
    plain = check_play.state_with("metric", {"name": "Euclidean"})
    yield from ((f"{n} points", {**plain, **points_of(chance, n, 2)}) for n in (0, 1, 2))
    for i in range(count):
        yield f"random state {i}", random_state(chance, chance.randint(3, 120))


# --- what must agree ----------------------------------------------------------------------------------------

NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")
RESIDUAL = 1e-8  # of an equilibrium
APART = 1e-3  # eigenvalues between which clusters are told apart
FAR = 0.02  # eigenvalues whose vectors must agree to CLOSE; nearer ones to less in proportion


class Agreement:
    """The differences of answers, in words.

    Attributes
    ----------
    largest : the largest difference of numbers, of the largest entry of their array, where CLOSE is asked for
    left_open : how many arrays the state itself does not determine to that: eigenvectors of eigenvalues that
        lie together, and fixed points of operators that grow without bound
    """

    def __init__(self):
        self.largest, self.left_open, self.wrong, self.name = 0.0, 0, [], ""

    def compare(self, name, theirs, ours):
        """Both answers to the state of this name."""
        self.name = name
        for part in ("equation", "problem", "bandwidth", "state", "python", "cpp"):
            self.same(part, theirs[part], ours[part])
        eigenvalues = np.array(ours["views"]["clusters"].get("eigenvalues", ()))
        for view, shown in ours["views"].items():
            special = {"clusters": self.clusters, "diffusion": self.diffusion}.get(view, self.values)
            if set(shown) != set(theirs["views"][view]):
                self.say(view, sorted(theirs["views"][view]), sorted(shown))
            elif "problem" in shown:
                self.same(view, theirs["views"][view], shown)
            else:
                special(view, theirs["views"][view], shown, eigenvalues)

    def clusters(self, view, theirs, ours, eigenvalues):
        """Labels only where the eigenvectors behind them end at a gap."""
        count = ours["count"]
        ends = count < len(eigenvalues) and eigenvalues[count - 1] - eigenvalues[count] > APART
        self.same(view, *(without(view, *(() if ends else ("labels",))) for view in (theirs, ours)))
        self.left_open += not ends

    def diffusion(self, view, theirs, ours, eigenvalues):
        """An eigenvector is known to what its eigenvalue is known to, by the distance to the next one."""
        self.same(view, without(theirs, "coordinates"), without(ours, "coordinates"))
        gaps = np.maximum(-np.diff(eigenvalues) / max(abs(eigenvalues[0]), 1e-300), 1e-300)
        both = [readings.unpacked(one["coordinates"]).reshape(-1, 2) for one in (theirs, ours)]
        largest = np.abs(both[1]).max()
        for k in (0, 1):
            times = 1 / min(1.0, *gaps[k : k + 2] / FAR)
            self.numbers(f"{view}.coordinates", *(one[:, k] for one in both), times, largest)

    def values(self, view, theirs, ours, _):
        """Class labels where no two classes have the same share; fixed points as far as there is one."""
        if "values" not in ours or "labels" not in ours:
            self.same(view, theirs, ours)
            return
        values = readings.unpacked(ours["values"])
        there = readings.unpacked(theirs["values"]).reshape(values.shape)
        grows = np.abs(np.nan_to_num(values)).max() * RESIDUAL / CLOSE
        self.numbers(f"{view}.values", there.ravel(), values.ravel(), max(1, grows))
        shares = np.sort(np.nan_to_num(values), axis=1)
        clear = shares[:, -1] - shares[:, -2] > CLOSE * np.abs(shares[:, -1])
        if grows <= 1:
            labels = (readings.unpacked(one["labels"])[clear] for one in (theirs, ours))
            self.numbers(f"{view}.labels", *labels)
            theirs, ours = (without(one, "values", "labels") for one in (theirs, ours))
            rest = (without(one, *(() if clear.all() else ("right",))) for one in (theirs, ours))
            self.same(view, *rest)

    def same(self, where, theirs, ours):
        """Recursively: arrays and numbers to CLOSE, numbers in texts too, all else exactly."""
        if isinstance(ours, dict) and "uint8" in ours:  # rounded: a half may go up or down
            self.numbers(
                where, readings.unpacked(theirs), readings.unpacked(ours).ravel(), 1.01 / 255 / CLOSE
            )
        elif isinstance(ours, dict) and "shape" in ours:
            self.numbers(where, readings.unpacked(theirs), readings.unpacked(ours).ravel())
        elif isinstance(ours, dict) and isinstance(theirs, dict) and set(theirs) == set(ours):
            for key in ours:
                self.same(f"{where}.{key}", theirs[key], ours[key])
        elif isinstance(ours, str) and isinstance(theirs, str) and theirs != ours:
            if NUMBER.sub("", theirs) != NUMBER.sub("", ours):
                self.say(where, theirs, ours)
            else:
                self.numbers(where, *(np.array(NUMBER.findall(text), dtype=float) for text in (theirs, ours)))
        elif isinstance(ours, float) and isinstance(theirs, (int, float)):
            self.numbers(where, np.array([theirs]), np.array([ours]))
        elif isinstance(ours, list) and ours and all(isinstance(x, float) for x in ours):
            self.numbers(where, np.array(theirs, dtype=float), np.array(ours))
        elif isinstance(ours, list) and isinstance(theirs, list) and len(theirs) == len(ours):
            for one, other in zip(theirs, ours):
                self.same(where, one, other)
        elif theirs != ours:
            self.say(where, theirs, ours)

    def numbers(self, where, theirs, ours, times=1.0, largest=None):
        """Arrays of one kind, to CLOSE times what the state leaves open."""
        if theirs.shape != ours.shape or (np.isfinite(theirs) != np.isfinite(ours)).any():
            self.say(where, theirs, ours)
        elif times * CLOSE >= 1:
            self.left_open += 1
        elif ours.size:
            theirs, ours = (np.nan_to_num(one.astype(float)) for one in (theirs, ours))
            apart = np.abs(theirs - ours).max() / (largest or np.abs(ours).max() or 1)
            if times == 1:
                self.largest = max(self.largest, apart)
            if apart > times * CLOSE:
                self.say(where, f"{apart:.1e} of the largest entry away, {times * CLOSE:.1e} allowed", "")

    def say(self, where, theirs, ours):
        """Something differs."""
        self.wrong.append(f"{self.name}: {where}: {str(theirs)[:150]} | {str(ours)[:150]}")


def without(view, *keys):
    """The view without these."""
    return {key: value for key, value in view.items() if key not in keys}


def agree(walk, count):
    """Ask both of every state, and print where they differ; whether they agree."""
    walk.open()
    found, asked = Agreement(), 0
    for name, state in states(count):
        theirs = json.loads(walk.browser.run(ASK.replace("STATE", json.dumps(state))))
        found.compare(name, theirs, readings.ask(state))
        asked += 1
    told = (
        f"{asked} states: the largest difference is {found.largest:.1e}; {found.left_open} arrays left open"
    )
    print(f"{'FAIL' if found.wrong else 'ok  '} {told}")
    print(*(f"     {what}" for what in found.wrong[:40]), sep="\n", end="\n" if found.wrong else "")
    return not found.wrong


# --- how long an answer takes -------------------------------------------------------------------------------


def measure(walk, rounds=3):
    """Print the median milliseconds of each setting for 500 points, in the browser and in this process."""
    walk.open()
    found = []
    for slot, chosen in check_play.every_setting():
        state, times = check_play.state_with(slot, chosen), []
        for _ in range(rounds):
            answer = json.loads(walk.browser.run(ASK.replace("STATE", json.dumps(state))))
            start = time.perf_counter()
            readings.ask(state)
            times.append((answer["milliseconds"], 1000 * (time.perf_counter() - start)))
        there, here = (statistics.median(column) for column in zip(*times))
        found.append((there, here, f"{slot} {chosen}"))
    for there, here, what in sorted(found):
        print(f"{there:7.1f} ms there, {here:7.1f} ms here  {what}")
    for k, where in ((0, "there"), (1, "here")):
        column = sorted(row[k] for row in found)
        under = sum(value < 60 for value in column)
        print(f"{where}: median {statistics.median(column):.1f} ms; {under} of {len(column)} under 60 ms")
    return 0


# --- the whole ----------------------------------------------------------------------------------------------


def main():
    """Run the checks; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, help="where scripts/wasm.py has put the page")
    parser.add_argument("--states", type=int, default=150, metavar="N", help="random states")
    parser.add_argument("--pictures", type=pathlib.Path, metavar="FOLDER", help="take pictures of the page")
    parser.add_argument("--time", action="store_true", help="time answers for 500 points, one dial at a time")
    arguments = parser.parse_args()
    program = next(filter(None, map(shutil.which, NAMES)), None)
    folder = arguments.folder or next((one for one in FOLDERS if (one / "likewise.wasm").exists()), None)
    if program is None or folder is None:
        none = (
            f"none of {', '.join(NAMES)}"
            if program is None
            else "no page yet: python scripts/wasm.py makes it"
        )
        print(f"The page without a server was not looked at: there is {none}.")
        return 0
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    with served(folder) as address, tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        walk = Walk(browser, address, arguments.pictures)
        try:
            return measure(walk) if arguments.time else look(walk, arguments.states)
        finally:
            browser.close()


@contextlib.contextmanager
def served(folder):
    """The address of a server of this folder: any server of files will do."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}/"
        finally:
            serving.shutdown()


def look(walk, count):
    """Compare, then walk through the page; the exit status."""
    fits = agree(walk, count)
    of_a_server = (check_play.newest_only, check_play.gone)  # they look at requests
    checks = [one for one in check_play.CHECKS if one not in of_a_server]
    return check_play.check(walk, checks) or int(not fits)


if __name__ == "__main__":
    sys.exit(main())
