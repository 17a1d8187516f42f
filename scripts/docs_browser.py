"""Look at the site in Chromium, by its DevTools protocol: what it loads, if it fits, what search finds."""

import asyncio
import base64
import contextlib
import functools
import http.server
import itertools
import json
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from tornado.websocket import websocket_connect

WAYS = {  # name: width, height, color scheme
    "wide": (1280, 900, "light"),
    "narrow": (390, 844, "light"),
    "dark": (1280, 900, "dark"),
}
SHOWN = (  # pages that are looked at in every way, and of which pictures are taken; all others narrow only
    *("index", "start/python", "start/cpp", "idea", "howto/bandwidth", "howto/masks", "coming_from/pyg"),
    *("api/side_by_side", "api/python/KernelRegressor", "api/python/metrics", "api/cpp/methods", "glossary"),
    *("notebooks/index", "notebooks/01_one_equation", "measured/benchmarks", "measured/study"),
    *("measured/identities", "measured/theory", "measured/slips", "notebooks/09_drift_diffusion_heat"),
)
TALLEST = 5000  # pixels of a picture
SEARCHED = {"bandwidth": "howto/bandwidth", "KNeighborsClassifier": "KNeighborsClassifier", "causal": "masks"}
WAIT = 30  # seconds for a page

SETTLED = """document.readyState === "complete" && (!document.querySelector(".math")
  || (window.MathJax && MathJax.startup && MathJax.startup.promise && window.__math === true))"""
WATCH_MATH = """addEventListener("load", () => { const wait = () => window.MathJax && MathJax.startup
  && MathJax.startup.promise ? MathJax.startup.promise.then(() => window.__math = true)
  : setTimeout(wait, 50); wait(); });"""
SEEN = """({
  wide: document.documentElement.scrollWidth - WIDTH,
  widest: [...document.querySelectorAll("article *")].filter(e => !e.closest(
      "pre, table, .pst-scrollable-table-container, .wide-table, .output, mjx-container, .math, .cell_output")
      && e.getBoundingClientRect().right > WIDTH + 1).slice(0, 3).map(e => e.tagName + "." + e.className),
  pictures: [...document.images].filter(i => !i.naturalWidth && i.loading !== "lazy").map(i => i.src),
  formulas: document.querySelectorAll(".math").length,
  drawn: document.querySelectorAll("mjx-container").length,
  wrong: document.querySelectorAll("mjx-merror").length,
  tall: Math.ceil(document.documentElement.scrollHeight),
})"""


def chromium():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of a server of this folder."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextlib.contextmanager
def browser():
    """The address of the DevTools of a browser of our own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        command += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "--hide-scrollbars"]
        command += [
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "about:blank",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = Path(profile) / "DevToolsActivePort"
            for _ in range(WAIT * 10):
                if port.exists() and port.read_text().count("\n"):
                    break
                time.sleep(0.1)
            number, path = port.read_text().split("\n")[:2]
            yield f"ws://127.0.0.1:{number}{path}"
        finally:
            process.terminate()
            process.wait()


class Tab:
    """One tab: commands go out, events are kept.

    Attributes
    ----------
    requests : list of str, addresses asked since `open`
    errors : list of str, of the page's scripts
    """

    def __init__(self, socket, session):
        self._socket, self._session = socket, session
        self._numbers, self._waiting = itertools.count(1), {}
        self.requests, self.errors = [], []

    @classmethod
    async def make(cls, address):
        socket = await websocket_connect(address, max_message_size=2**28)
        tab = cls(socket, None)
        tab.reader = asyncio.create_task(tab._read())
        target = await tab.ask("Target.createTarget", url="about:blank")
        attached = await tab.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            await tab.ask(f"{domain}.enable")
        await tab.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCH_MATH)
        return tab

    async def _read(self):
        while (text := await self._socket.read_message()) is not None:
            message = json.loads(text)
            if "id" in message:
                self._waiting.pop(message["id"]).set_result(message)
            elif message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"])[:200])

    async def ask(self, method, **parameters):
        number = next(self._numbers)
        self._waiting[number] = answer = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.write_message(
            json.dumps({"id": number, "method": method, "params": parameters, **session})
        )
        message = await asyncio.wait_for(answer, WAIT)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    async def value(self, expression):
        found = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

    async def until(self, expression, seconds=WAIT):
        """Whether it came true in time."""
        for _ in range(int(seconds * 10)):
            if await self.value(expression):
                return True
            await asyncio.sleep(0.1)
        return False

    async def size(self, width, height, scheme):
        mobile = width < 600
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.ask("Emulation.setEmulatedMedia", features=features)

    async def open(self, address):
        self.requests, self.errors = [], []
        await self.ask("Page.navigate", url=address)
        await asyncio.sleep(0.05)
        return await self.until(SETTLED)

    async def picture(self, path, width, height):
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": 1}
        shot = await self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


def names_of(site):
    """Pages by their path without the ending; the search page, the indices, foreign reports and the
    interactive page, which scripts/browser/check_static_play.py looks at, are none."""
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()[:-5]
        of_others = name.startswith(("_static", "study/", "play/"))
        if not of_others and name not in ("search", "genindex", "py-modindex"):
            yield name


async def look_at(tab, address, name, way):
    """What is wrong with one page, in words, and how tall it is."""
    ready = await tab.open(f"{address}/{name}.html")
    seen = await tab.value(SEEN.replace("WIDTH", str(WAYS[way][0])))
    wrong = [] if ready else [f"not ready after {WAIT} s"]
    wrong += [f"script: {error}" for error in tab.errors]
    hosts = {urlsplit(url).netloc for url in tab.requests if url.startswith(("http", "ws"))}
    wrong += [f"asks {host}" for host in hosts - {urlsplit(address).netloc}]
    wrong += [f"no picture {url}" for url in seen["pictures"]]
    if seen["wide"] > 1:
        wrong.append(f"{seen['wide']} pixels wider than the window: {', '.join(seen['widest'])}")
    if seen["formulas"] > seen["drawn"] or seen["wrong"]:
        wrong.append(f"{seen['formulas']} formulas, {seen['drawn']} drawn, {seen['wrong']} wrong")
    return [f"{name} ({way}): {what}" for what in wrong], seen["tall"]


async def searches(tab, address):
    """Words that search does not find, over this address."""
    wrong = []
    for word, page in SEARCHED.items():
        await tab.ask("Page.navigate", url=f"{address}/search.html?q={word}")
        found = f'[...document.querySelectorAll("#search-results li a")].some(a => a.href.includes("{page}"))'
        if not await tab.until(found, 10):
            wrong.append(f"search for {word} at {address[:8]} does not find {page}")
    return wrong


async def _look(site, folder, address, devtools):
    tab = await Tab.make(devtools)
    wrong = []
    for way, (width, height, scheme) in WAYS.items():
        await tab.size(width, height, scheme)
        for name in names_of(site):
            if way != "narrow" and name not in SHOWN:
                continue
            found, tall = await look_at(tab, address, name, way)
            wrong += found
            if name in SHOWN:
                await tab.picture(folder / f"{name.replace('/', '-')}-{way}.png", width, tall)
    await tab.size(*WAYS["wide"])
    wrong += await searches(tab, address)
    wrong += await searches(tab, f"file://{site}")
    tab.reader.cancel()
    return wrong


def look(site, folder):
    """What is wrong with the site in a browser, in words; pictures of some pages go into the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with served(site) as address, browser() as devtools:
        return asyncio.run(_look(site, folder, address, devtools))
