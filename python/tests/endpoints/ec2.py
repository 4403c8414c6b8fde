"""A process of its own: EC2 behind its buckets. `python ec2.py moto|plain [SNAPSHOTS [PART]]` prints its port; `/counts` tells, `/reset`
begins anew.

`moto` is moto's server, all services, with the buckets in front of EC2, and with so many snapshots of the account's own in eu-west-1.
`plain` answers each call to EC2 with an empty list, at once. PART is that of EC2's buckets, such as 0.25.
"""

import json
import os
import sys
from urllib.parse import parse_qs

from werkzeug.serving import WSGIRequestHandler, make_server

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from buckets import Ec2Buckets  # noqa: E402

_THROTTLED = (
    "<?xml version='1.0' encoding='UTF-8'?><Response><Errors><Error><Code>RequestLimitExceeded</Code>"
    "<Message>Request limit exceeded.</Message></Error></Errors><RequestID>0</RequestID></Response>"
).encode()
_NO_REGIONS = (
    b"<DescribeRegionsResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'><regionInfo/></DescribeRegionsResponse>"
)


class Throttling:
    """A WSGI application in front of another one."""

    def __init__(self, inner, part: float) -> None:
        self._inner, self._part = inner, part
        self._buckets = Ec2Buckets(part)

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/counts":
            return _answer(start_response, "200 OK", json.dumps(self._buckets.counts).encode(), "application/json")
        if path == "/reset":
            self._buckets = Ec2Buckets(self._part)
            return _answer(start_response, "200 OK", b"{}", "application/json")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if "/ec2/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            form = parse_qs(body.decode("utf-8", "replace"))
            action = form.get("Action", [""])[0]
            narrow = any(name.startswith("Filter.") or name == "MaxResults" for name in form)
            if not self._buckets.take(action, narrow):
                return _answer(start_response, "503 Service Unavailable", _THROTTLED, "text/xml")
            if "not-opted-in" in form.get("Filter.1.Value.1", ()):
                # moto hears no such filter, and would say that no region can be used.
                return _answer(start_response, "200 OK", _NO_REGIONS, "text/xml")
        environ["wsgi.input"] = _Body(body)
        return self._inner(environ, start_response)


class _Body:
    def __init__(self, body: bytes) -> None:
        import io

        inner = io.BytesIO(body)
        self.read, self.readline, self.readlines = inner.read, inner.readline, inner.readlines

    def __iter__(self):
        return iter(self.readline, b"")


def _plain(environ, start_response):
    form = parse_qs(environ["wsgi.input"].read().decode("utf-8", "replace"))
    action = form.get("Action", ["Nothing"])[0]
    body = f'<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0</requestId></{action}Response>'
    return _answer(start_response, "200 OK", body.encode(), "text/xml")


def _answer(start_response, status: str, body: bytes, kind: str):
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args) -> None:
        pass


def _application(name: str):
    if name == "plain":
        return _plain
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def _make_snapshots(count: int) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]
    volume = backend.create_volume(1, "eu-west-1a")
    for number in range(count):
        backend.create_snapshot(volume.id, f"the {number}th")


if __name__ == "__main__":
    kind, snapshots, part = (*sys.argv[1:], *("plain", "0", "1")[len(sys.argv) - 1 :])
    throttling = Throttling(_application(kind), float(part))
    server = make_server("127.0.0.1", 0, throttling, threaded=True, request_handler=_Quiet)
    if kind == "moto":
        _make_snapshots(int(snapshots))
    print(server.server_port, flush=True)
    server.serve_forever()
