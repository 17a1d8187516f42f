"""Drive the page of `likewise play` in a real browser, and take pictures of it.

    python scripts/browser/check_play.py [--pictures FOLDER]
    python scripts/browser/check_play.py --time     # no browser: milliseconds of an answer for 500 points

Serves the page itself, walks through it with keys, pointer, dials and addresses in a headless Chromium, and
prints a line for each check. Exit status 1 if one fails; 0 with a message where there is no Chromium.
"""

import argparse
import base64
import http.client
import json
import math
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from likewise.play import server
from likewise.play.state import DIALS

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 20  # seconds until something must have happened
WIDE, NARROW = (1440, 1000), (390, 844)


class Browser:
    """A headless Chromium, spoken to through a pipe in its DevTools protocol."""

    def __init__(self, program, profile):
        theirs, self._out = os.pipe()
        self._in, their_out = os.pipe()
        command = (
            f'exec "$0" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run '
            f'--user-data-dir="$1" --remote-debugging-pipe 3<&{theirs} 4>&{their_out} about:blank'
        )
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command, program, profile],
            pass_fds=(theirs, their_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(their_out)
        self._reading = os.fdopen(self._in, "rb")
        self._count, self.events, self._session = 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method, **parameters):
        """A method's result; what else arrives meanwhile is kept in `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            heard = json.loads(self._message())
            if heard.get("id") == self._count:
                if "error" in heard:
                    raise RuntimeError(f"{method}: {heard['error']['message']}")
                return heard["result"]
            self.events.append(heard)

    def _message(self):
        parts = []
        while (byte := self._reading.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("The browser has ended.")
            parts.append(byte)
        return b"".join(parts)

    def run(self, script):
        """The value of a JavaScript expression, waited for where it is a promise."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", script))
        return found["result"].get("value")

    def until(self, script, what=""):
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.run(script):
                return
            time.sleep(0.03)
        raise AssertionError(f"{what or script} did not come true")

    def key(self, key):
        """Press and release a key."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27, "Delete": 46}.get(key, 0)
        text = key if len(key) == 1 else "\r" if key == "Enter" else ""
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def pointer(self, kind, x, y):
        """Press, move or release at a place of the window."""
        self.call(
            "Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, button="left", buttons=1, clickCount=1
        )

    def errors(self):
        """What the page threw, logged as an error, or was not allowed to do."""
        thrown = [
            event["params"] for event in self.events if event.get("method") == "Runtime.exceptionThrown"
        ]
        logged = [
            event["params"]["entry"] for event in self.events if event.get("method") == "Log.entryAdded"
        ]
        return thrown + [entry for entry in logged if entry["level"] == "error"]

    def close(self):
        """End the browser."""
        self._session = None
        try:
            self.call("Browser.close")
        except (RuntimeError, OSError):
            pass
        self._process.wait(timeout=PATIENCE)


class Walk:
    """What a reader does, and what must be seen then."""

    def __init__(self, browser, url, pictures):
        self.browser, self.url, self.pictures = browser, url, pictures

    def open(self, address=""):
        """The page anew."""
        self.browser.call("Page.navigate", url="about:blank")
        self.browser.call("Page.navigate", url=self.url + address)
        self.browser.until(
            "document.body && document.body.dataset.answers >= 1 && location.href.startsWith('http')"
        )

    def size(self, size, scale=1):
        """The window's size."""
        width, height = size
        self.browser.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 500,
        )

    def do(self, script):
        """Run a script that changes the state, and wait for the newest answer."""
        before = self.browser.run("document.body.dataset.answers")
        self.browser.run(script)
        self.browser.until(f"document.body.dataset.answers > {before}", script)

    def choose(self, slot, name):
        """Turn a dial to another choice."""
        self.do(f"""(() => {{ const select = document.querySelector("#slot-{slot} > select");
            select.value = "{name}"; select.dispatchEvent(new Event("change", {{ bubbles: true }})); }})()""")

    def text(self, selector):
        """What an element says."""
        return self.browser.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def count(self, selector):
        """How many elements there are."""
        return self.browser.run(f"document.querySelectorAll({json.dumps(selector)}).length")

    def picture(self, name):
        """A picture of the whole page, where pictures are wanted."""
        if not self.pictures:
            return
        self.browser.run("new Promise((done) => setTimeout(done, 250))")
        shot = self.browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        (self.pictures / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


# --- the checks: each a function of a Walk; its docstring says what must hold -------------------------------


def starts(walk):
    """the page starts with points, eight drawn views, the equation and both programs"""
    walk.size(WIDE)
    walk.open()
    assert walk.count(".point") == 120 and walk.count("figure") == 8
    assert walk.count(".missing:not([hidden])") == 0
    blank = """[...document.querySelectorAll("figure canvas:first-child")].filter((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size < 3; }).length"""
    assert walk.browser.run(blank) == 0, "a view is blank"
    labels = walk.browser.run('[...document.querySelectorAll("[role=img]")].map((c) => c.ariaLabel)')
    assert all(any(letter.isdigit() for letter in label) for label in labels), labels
    assert "lw.Mechanism(" in walk.text("#python") and "#include" in walk.text("#cpp")
    walk.picture("wide")


def presets(walk):
    """each preset gives its number of points, and Undo takes it back"""
    for name in walk.browser.run('[...document.querySelector("#preset").options].map((o) => o.value)'):
        walk.do(f"""(() => {{ const preset = document.querySelector("#preset"); preset.value = "{name}";
            document.querySelector("#count").value = "60"; document.querySelector("#make").click(); }})()""")
        assert walk.count(".point") == 60, name
        assert walk.count(".missing:not([hidden])") == 0, name
        walk.picture(f"preset-{name.replace(' ', '-')}")
    for _ in range(5):
        walk.do('document.querySelector("#undo").click()')
    assert walk.count(".point") == 120


def every_choice(walk):
    """each choice on each dial is answered, with pictures or with the reason why there is none"""
    walk.open()
    for slot in ("metric", "kernel", "support", "normalization", "propagation"):
        names = walk.browser.run(
            f'[...document.querySelector("#slot-{slot} > select").options].map((o) => o.value)'
        )
        for name in names[1:] + names[:1]:
            walk.choose(slot, name)
            assert name in walk.text("#python"), (slot, name)
            unsaid = (
                "figure:has(.picture[hidden]) .missing[hidden]",
                "figure:has(.missing[hidden]) figcaption:empty",
            )
            assert walk.count(", ".join(unsaid)) == 0, (slot, name)


def refusals(walk):
    """slots that do not fit say so in the library's words, where they leave one view out too"""
    walk.choose("metric", "DotProduct")
    assert "must be a distance or its square" in walk.text("#problem")
    assert walk.count(".missing:not([hidden])") == 8
    walk.picture("refused")
    walk.choose("kernel", "Exponential")
    assert walk.browser.run('document.querySelector("#problem").hidden')
    walk.choose("metric", "Bilinear")
    assert "symmetric metric" in walk.text("#view-clusters .missing")
    assert walk.count(".missing:not([hidden])") == 2
    walk.picture("no-spectrum")


def ranges(walk):
    """a range shows its value, changes the matrix, and its end is a step in the history"""
    walk.open()
    before = walk.browser.run("location.hash")
    weights = walk.text("#view-matrix figcaption")
    turn = """(() => {{ const range = document.querySelector("#slot-kernel input"); range.value = {};
        range.dispatchEvent(new Event("{}", {{ bubbles: true }})); }})()"""
    walk.do(turn.format(300, "input"))
    assert walk.browser.run("location.hash") == before, "a turn that has not ended is in the history"
    walk.do(turn.format(300, "change"))
    assert walk.text("#slot-kernel output") in walk.browser.run("location.hash")
    assert walk.text("#view-matrix figcaption") != weights
    walk.do("history.back()")
    assert walk.browser.run("location.hash") == before and walk.text("#view-matrix figcaption") == weights


def keys(walk):
    """Tab reaches the points and walks through them; arrows, digits, H and Delete change the one in focus"""
    walk.open()
    walk.browser.run('document.querySelector("#skip").focus()')
    walk.browser.key("Tab")
    assert walk.browser.run("document.activeElement.id") == "plane"
    walk.browser.key("Tab")
    active = "document.activeElement.ariaLabel"
    assert walk.browser.run(active).startswith("1 of class A"), walk.browser.run(active)
    walk.browser.key("Tab")
    assert walk.browser.run(active).startswith("2 of class A")
    assert "effective number of neighbors" in walk.text("#row")
    assert walk.count(".weights circle") > 3
    place = walk.browser.run("document.activeElement.getAttribute('transform')")
    walk.browser.key("ArrowRight")
    assert walk.browser.run("document.activeElement.getAttribute('transform')") != place
    walk.browser.key("3")
    assert walk.browser.run(active).startswith("2 of class C")
    walk.browser.key("h")
    assert "label held" in walk.browser.run(active)
    walk.browser.key("Delete")
    assert walk.count(".point") == 119 and walk.browser.run(active).startswith("2 of class A")
    walk.browser.key("Escape")
    assert walk.browser.run("document.activeElement.id") == "add"
    walk.browser.key("Enter")
    assert walk.count(".point") == 120 and walk.browser.run(active).startswith("120 of class A")


def pointer(walk):
    """a click adds a point, a drag moves one, a stroke draws several, and the row of P follows the pointer"""
    walk.open()
    walk.do('document.querySelector("#clear").click()')
    assert "no points" in walk.text("#problem")
    box = "document.querySelector('#plane').getBoundingClientRect()"
    x, y, width = (walk.browser.run(f"{box}.{part}") for part in ("x", "y", "width"))

    def spot(a, b):
        return x + a * width, y + b * width

    for kind in ("Pressed", "Released"):
        walk.browser.pointer(kind, *spot(0.3, 0.3))
    assert walk.count(".point") == 1 and walk.browser.run("document.querySelector('#hold').disabled")
    walk.browser.pointer("Moved", *spot(0.31, 0.31))
    walk.browser.pointer("Pressed", *spot(0.3, 0.3))
    assert not walk.browser.run("document.querySelector('#hold').disabled"), "a point is in focus"
    walk.browser.pointer("Moved", *spot(0.5, 0.5))
    walk.browser.pointer("Released", *spot(0.5, 0.5))
    assert walk.browser.run("document.querySelector('.point').ariaLabel").endswith("at 0, 0")
    walk.browser.pointer("Pressed", *spot(0.1, 0.9))
    for step in range(1, 9):
        walk.browser.pointer("Moved", *spot(0.1 + 0.1 * step, 0.9))
    walk.browser.pointer("Released", *spot(0.9, 0.9))
    assert walk.count(".point") == 10
    walk.browser.until("!document.querySelector('#view-matrix .picture').hidden")


def addresses(walk):
    """an address opens the same state; back and forward walk through states; a broken one says so"""
    walk.open()
    walk.choose("support", "Neighbors")
    walk.choose("normalization", "Density")
    walk.choose("propagation", "Spectrum")
    address, program = walk.browser.run("location.hash"), walk.text("#python")
    walk.do("history.back()")
    assert walk.browser.run("location.hash") != address and "OneStep" in walk.text("#python")
    walk.do("history.forward()")
    assert walk.text("#python") == program
    walk.open(address)
    assert walk.text("#python") == program and walk.browser.run("location.hash") == address
    walk.open("#metric=Nonsense&points=AAA")
    assert "no readable metric" in walk.text("#notice")


def newest_only(walk):
    """of many turns at once only the newest is asked, and the last one is shown"""
    walk.open()
    walk.browser.run("""(() => { const fetched = window.fetch; window.asked = 0;
        window.fetch = (...all) => { window.asked += 1; return fetched(...all); }; })()""")
    walk.do("""(() => { const range = document.querySelector("#slot-kernel input");
        for (let notch = 100; notch <= 300; notch += 5) { range.value = notch;
        range.dispatchEvent(new Event("input", { bubbles: true })); } })()""")
    assert walk.browser.run("window.asked") <= 3
    assert f"bandwidth={walk.text('#slot-kernel output')}" in walk.text("#python")


def narrow(walk):
    """on a narrow screen nothing is wider than the screen"""
    walk.size(NARROW, scale=2)
    walk.open()
    assert walk.browser.run("document.documentElement.scrollWidth") <= NARROW[0]
    walk.picture("narrow")
    walk.choose("propagation", "Spectrum")
    walk.choose("support", "Neighbors")
    assert walk.browser.run("document.documentElement.scrollWidth") <= NARROW[0]
    walk.size(WIDE)


def dark(walk):
    """in the dark the pictures are dark too, and change with the setting"""
    walk.open()
    shade = """(() => { const canvas = document.querySelector("#view-moved canvas");
        return canvas.getContext("2d").getImageData(1, 1, 1, 1).data[0]; })()"""
    light = walk.browser.run(shade)
    walk.browser.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    walk.browser.until(f"{shade} < {light} - 100")
    walk.picture("dark")
    walk.browser.call("Emulation.setEmulatedMedia", features=[])


def without_color(walk):
    """a picture without color, to be looked at"""
    walk.open()
    walk.choose("propagation", "Spectrum")
    walk.browser.call("Emulation.setEmulatedVisionDeficiency", type="achromatopsia")
    walk.browser.run('document.querySelectorAll(".point")[30].focus()')
    walk.picture("without-color")
    walk.browser.call("Emulation.setEmulatedVisionDeficiency", type="none")


def gone(walk):
    """where no answer comes the page says so, and goes on with the next one that comes"""
    walk.open()
    walk.browser.run("window.fetched = fetch; window.fetch = () => Promise.reject(new TypeError('gone'))")
    walk.choose("metric", "Manhattan")
    assert "There is no answer" in walk.text("#problem")
    walk.browser.run("window.fetch = window.fetched")
    walk.choose("metric", "Chebyshev")
    assert walk.browser.run('document.querySelector("#problem").hidden') and "Chebyshev" in walk.text(
        "#python"
    )


def five_hundred(walk):
    """500 points are answered and drawn; what the page says of the time is printed, not judged"""
    walk.open()
    walk.browser.run('document.querySelector("#count").value = "500"')
    walk.do('document.querySelector("#make").click()')
    assert walk.count(".point") == 500
    for name in ("Density", "Symmetric", "RowStochastic"):
        walk.choose("normalization", name)
        print(f"     {name}: {walk.text('#status')}")
    walk.picture("five-hundred")


CHECKS = (
    starts,
    presets,
    every_choice,
    refusals,
    ranges,
    keys,
    pointer,
    addresses,
    newest_only,
    narrow,
    dark,
    without_color,
    gone,
    five_hundred,
)


def main():
    """Run the checks; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=pathlib.Path, metavar="FOLDER", help="take pictures of the page")
    parser.add_argument("--time", action="store_true", help="time answers for 500 points, one dial at a time")
    arguments = parser.parse_args()
    if arguments.time:
        return measure()
    pictures = arguments.pictures
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        print(f"likewise play was not looked at: there is none of {', '.join(NAMES)}.")
        return 0
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    with server.make_server(0) as serving, tempfile.TemporaryDirectory() as profile:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        browser = Browser(program, profile)
        try:
            return check(Walk(browser, f"http://{server.ADDRESS}:{serving.server_port}/", pictures))
        finally:
            browser.close()
            serving.shutdown()


# --- how long an answer takes -----------------------------------------------------------------------------


def measure(rounds=5):
    """Print the median milliseconds of a whole request for each setting of each dial, the slowest last."""
    with server.make_server(0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        connection = http.client.HTTPConnection(server.ADDRESS, serving.server_port)
        found = []
        for slot, chosen in every_setting():
            times = [timed(connection, state_with(slot, chosen)) for _ in range(rounds)]
            wall, cpu = (statistics.median(column) for column in zip(*times))
            found.append((wall, cpu, f"{slot} {chosen}"))
        serving.shutdown()
    for wall, cpu, what in sorted(found):
        print(f"{wall:7.1f} ms, of a core {cpu:6.1f} ms  {what}")
    for k, name in ((0, "wall"), (1, "core")):
        column = sorted(row[k] for row in found)
        under = sum(value < 60 for value in column)
        print(f"{name}: median {statistics.median(column):.1f} ms; {under} of {len(column)} under 60 ms")
    return 0


def timed(connection, state):
    """(milliseconds from the request to the parsed answer, milliseconds of this process's own work)."""
    body = json.dumps(state)
    wall, cpu = time.perf_counter(), time.process_time()
    connection.request("POST", "/ask", body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    assert len(answer["views"]) == 8, answer
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def every_setting():
    """(slot, chosen): each choice as it starts, with its numbers at both ends and with each of its words."""
    for slot in ("metric", "kernel", "support", "normalization", "propagation"):
        for choice in DIALS[slot]:
            start = {"name": choice["name"], **{field["name"]: field["start"] for field in choice["fields"]}}
            yield slot, start
            for field in choice["fields"]:
                others = {field.get("low"), field.get("high"), *field.get("words", ())} - {
                    None,
                    field["start"],
                }
                yield from ((slot, {**start, field["name"]: value}) for value in sorted(others, key=str))


def half_circles():
    """500 points on two half circles, with noise: the page's two moons."""
    noise, points = random.Random(0), []
    for side in (1, -1):
        for i in range(250):
            x, y = 1.1 * (math.cos(math.pi * i / 250) - 0.5), 1.1 * (math.sin(math.pi * i / 250) - 0.25)
            points.append(
                [round(side * x + noise.gauss(0, 0.1), 3), round(side * y + noise.gauss(0, 0.1), 3)]
            )
    return {
        "points": points,
        "classes": [0] * 250 + [1] * 250,
        "held": [int(i % 250 == 80) for i in range(500)],
    }


def state_with(slot, chosen):
    """This setting with 500 points and, on the other dials, what the page starts with."""
    state = {
        "metric": {"name": "Euclidean"},
        "kernel": {"name": "Gaussian", "bandwidth": 0.3},
        "support": {"name": "AllPairs"},
        "normalization": {"name": "RowStochastic", "null_mass": 0},
        "propagation": {"name": "OneStep"},
        **half_circles(),
    }
    if chosen["name"] in ("DotProduct", "Bilinear"):  # which need a kernel of costs
        state["kernel"] = {"name": "Exponential", "temperature": 0.2}
    if chosen.get("bandwidth") == "umap":  # which needs neighbors
        state["support"] = {
            "name": "Neighbors",
            "n_neighbors": 10,
            "symmetrize": "union",
            "include_self": False,
        }
    return {**state, slot: chosen}


# --- the walk ---------------------------------------------------------------------------------------------


def check(walk, checks=CHECKS):
    """Run each check, say how it went, and whether the page threw or logged an error."""
    failed = 0
    for check_one in checks:
        walk.browser.events.clear()
        problems = []
        try:
            check_one(walk)
        except Exception as error:
            problems += [f"{type(error).__name__} in line {error.__traceback__.tb_next.tb_lineno}: {error}"]
        problems += map(str, walk.browser.errors())
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {check_one.__doc__}")
        for problem in problems:
            print(f"     {problem[:600]}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
