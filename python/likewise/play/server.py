"""The page and its answers over HTTP: on this machine's own address only, for pages of this server only."""

import json
import socketserver
import sys
import threading
import traceback
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from likewise._checks import told
from likewise.play import readings
from likewise.play.state import PAGE

ADDRESS = "127.0.0.1"
PORT = 8417  # the same each time, so that an address that was kept still opens
LARGEST = 200_000  # bytes of a request: 500 points are 15 000
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FILES = {f"/{path.name}": path for path in PAGE.iterdir() if path.suffix in TYPES}
FILES["/"] = FILES["/index.html"]


def serve(port=PORT, open_browser=True):
    """Serve the page until Ctrl-C and print where it is; returns 0.

    Parameters
    ----------
    port : int; 0 is any free one
    open_browser : bool

    Raises
    ------
    ValueError : the port is no port, or is taken
    """
    with make_server(port) as server:
        url = f"http://{ADDRESS}:{server.server_port}/"
        print(f"{url}  (Ctrl-C ends)", flush=True)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def make_server(port):
    """A server that listens, and answers once `serve_forever` is called."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
        raise ValueError(f"port must be an int in [0, 65535], 0 for any free one; got {told(port)}.")
    try:
        return Server((ADDRESS, port), Handler)
    except OSError as error:
        raise ValueError(f"port must be free; {port} is not ({error}). 0 takes any free one.") from None


class Server(ThreadingHTTPServer):
    """Answers are computed one at a time: a browser keeps several connections open."""

    daemon_threads = True
    block_on_close = False  # an idle connection must not hold up the end

    def __init__(self, address, handler):
        self.computing = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self):
        """Without HTTPServer's look-up of the machine's name, which may wait for a name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        """A browser that has gone away is no error."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """GET a file of the page; POST /ask with a state as JSON."""

    protocol_version = "HTTP/1.1"  # connections stay open between answers
    server_version, sys_version = "likewise", ""
    timeout = 60
    disable_nagle_algorithm = True

    def do_GET(self):
        """A file of the page, by its name alone: no path leads anywhere else."""
        if not self._is_for_us():
            return
        path = FILES.get(self.path.partition("?")[0])
        if path is None:
            self._refuse(404, f"path must be one of {', '.join(sorted(FILES))}; got {told(self.path)}.")
        else:
            self._send(200, path.read_bytes(), TYPES[path.suffix])

    def do_POST(self):
        """The answer to a state."""
        if not self._is_for_us():
            return
        if self.path != "/ask":
            self._refuse(404, f"path must be /ask; got {told(self.path)}.")
            return
        body = self._body()
        if body is None:
            return
        try:
            self._answer(body)
        except ConnectionError:
            raise
        except Exception:
            traceback.print_exc()
            self._refuse(500, "The answer could not be computed; the terminal says why.")

    def _answer(self, body):
        try:
            state = json.loads(body)
        except (ValueError, RecursionError) as error:
            self._refuse(400, f"state must be JSON; {error}.")
            return
        try:
            with self.server.computing:
                answer = readings.ask(state)
        except ValueError as error:
            self._refuse(400, str(error))
            return
        self._send_json(200, answer)

    def _is_for_us(self):
        """Whether the request came by our own address and from our own page; refuses it otherwise.

        A page elsewhere could give its name our address (DNS rebinding): then Host is its name. Or it could
        send a form here: then Origin is its own.
        """
        ours = [f"{name}:{self.server.server_port}" for name in (ADDRESS, "localhost")]
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host.lower() not in ours:
            self._refuse(403, f"Host must be {' or '.join(ours)}; got {told(host)}.")
        elif origin is not None and origin.lower() not in [f"http://{name}" for name in ours]:
            self._refuse(403, f"Origin must be this server's own; got {told(origin)}.")
        else:
            return True
        return False

    def _body(self):
        """The bytes that came, or None where they are refused."""
        kind, length = self.headers.get_content_type(), self.headers.get("Content-Length", "")
        if kind != "application/json":  # what a page elsewhere cannot send without asking first
            self._refuse(415, f"Content-Type must be application/json; got {told(kind)}.")
        elif not (length.isascii() and length.isdecimal()):
            self._refuse(411, f"Content-Length must be a number of bytes; got {told(length)}.")
        elif int(length) > LARGEST:
            self._refuse(413, f"Content-Length must be at most {LARGEST}; got {length}.")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status, message):
        self.close_connection = True  # what is left of the request is not read
        self._send_json(status, {"message": message})

    def _send_json(self, status, content):
        self._send(status, json.dumps(content, allow_nan=False).encode(), TYPES[".json"])

    def _send(self, status, content, kind):
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """The terminal stays quiet."""
