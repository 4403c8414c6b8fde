"""A server in this process that answers as it was told, and notes what came."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Scripted:
    """`answers` is a list of (status, headers, body) that are given one by one, and then an empty `200` for ever."""

    DEFAULT = (200, {"Content-Type": "text/xml"}, b"<Nothing/>")

    def __init__(self, *answers) -> None:
        self.requests: list = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, text = outer._next(self.command, self.path, dict(self.headers), body)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer

            def log_message(self, *args) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.host = "127.0.0.1"
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def _next(self, method, path, headers, body):
        with self._lock:
            self.requests.append(
                {"method": method, "path": path, "headers": headers, "body": body, "at": time.monotonic()}
            )
            return self._answers.pop(0) if self._answers else self.DEFAULT

    def gaps(self) -> list:
        times = [it["at"] for it in self.requests]
        return [later - before for before, later in zip(times, times[1:])]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
