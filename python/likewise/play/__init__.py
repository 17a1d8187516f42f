"""`likewise play`: points in the plane, five dials, and everything that one operator says of them.

`readings.ask` is a pure function from a state to an answer; `server` puts it and the page on this machine's
own address. What the dials may be is one file, page/dials.json, which the page reads too.
"""


def serve(port=None, open_browser=True):
    """Serve the page on 127.0.0.1 until Ctrl-C; see `server.serve`."""
    from likewise.play import server

    return server.serve(server.PORT if port is None else port, open_browser)
