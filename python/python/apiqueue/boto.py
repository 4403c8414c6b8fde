"""botocore, boto3 and aiobotocore: every attempt takes its turn before it is signed.

    import apiqueue.boto
    apiqueue.boto.install()          # the limits that AWS publishes, for all clients made from now on

An attempt goes by the queue of its key, `service/region/operation`, such as `ec2/eu-west-1/DescribeSnapshots`, with the service and region
that it is signed for. Retries take a turn each, and so do the pages of a paginator and the polls of a waiter. A throttling answer that
comes all the same holds that queue: for its `Retry-After`, at most 60 s, or for a second without one.

Presigned URLs are not sent, and take no turn. Nor do calls that a `Stubber` answers. Calls that something else answers in place of the
network, such as moto's decorator, take one: that they are not sent is not known in time.

Not paced: clients that were made before (hand each to `install`), transfers by the AWS CRT (one turn for a whole transfer), and what
goes to instance metadata.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
import warnings
import weakref
from typing import Any

from . import Registry
from ._limits import registry_of
from ._route import answered

__all__ = ["Installation", "install", "uninstall", "initialize_client_plugin"]

#: Where an attempt and what it is signed for are kept in the context of a call.
_ATTEMPT, _SIGNED_FOR = "apiqueue.attempt", "apiqueue.signed_for"
#: The handlers' names begin with it, so that no client has them twice.
_UNIQUE = "apiqueue."
#: Where what was there before is kept.
_MARK = "_apiqueue_original"

#: What botocore's own retries take for throttling, should a later botocore keep it elsewhere.
_CODES = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
)


def install(session: Any = None, limits: Any = "aws", *, share: str | None = None) -> Installation:
    """Paces the clients that are made from now on, of `session` or, without one, of all sessions, those made before included.

    `session` may be a session of boto3, botocore, aiobotocore or aioboto3, or a client of theirs. A session's own limits go before those
    of the process. Installed again, the new limits count, for clients that are paced already too.

    `limits` is `"aws"`, the path or the text of a TOML file, a `Limits`, a `Registry`, or a list of these, of which each goes over those
    before it. With `share`, all processes that name the same share one limit.

    Raises `ConfigError` where the limits can't be read, `TypeError` where `session` is no session and no client.
    """
    events = None if session is None else _events_of(session)
    registry = registry_of(limits, share)
    with _installing:
        if events is None:
            _pace_new_clients()
            pacing = _everywhere
        else:
            pacing = _paced.get(events) or _Pacing()
            _paced[events] = pacing
            pacing.register(events)
        installation = Installation(pacing, registry, events)
        pacing.begin(installation)
    return installation


def uninstall() -> None:
    """Ends what `install()` without a session began: no attempt takes a turn by it any more, whichever client makes it.

    Those that are in line keep their place, and are sent when their turn comes.
    """
    with _installing:
        _everywhere.end()
        _pace_no_new_clients()


class Installation:
    """What `install` gives: to look at, and to end. Also a context manager that ends it."""

    def __init__(self, pacing: _Pacing, registry: Registry, events: Any) -> None:
        self._pacing = pacing
        # The session may go before this does.
        self._events = None if events is None else weakref.ref(events)
        #: Where the queues are, for `stats()`, or to hold one.
        self.registry = registry

    def uninstall(self) -> None:
        """Attempts take no turn by this any more, unless it was installed again since. Harmless when called twice."""
        with _installing:
            if self._pacing.installation is not self:
                return
            self._pacing.end()
            if self._events is None:
                _pace_no_new_clients()
                return
            events = self._events()
            if events is not None:
                self._pacing.unregister(events)
                _paced.pop(events, None)

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *exc: object) -> None:
        self.uninstall()


def initialize_client_plugin(client: Any) -> None:
    """For botocore's plugin variable: `BOTOCORE_EXPERIMENTAL__PLUGINS=apiqueue=apiqueue.boto`, with `APIQUEUE_LIMITS` beside it.

    botocore hides what a plugin raises, so that a wrong limit is told by a warning, and the client is not paced.
    """
    try:
        with _installing:
            if _everywhere.registry is None:
                _everywhere.begin(Installation(_everywhere, registry_of(*_of_environment()), None))
        _everywhere.register(client.meta.events, replace=False)
    except Exception as why:
        warnings.warn(f"apiqueue: this client is not paced: {why}", RuntimeWarning, stacklevel=2)
        raise


def install_of_environment() -> Installation:
    """`install()` with what the launcher says in `APIQUEUE_LIMITS` and `APIQUEUE_SHARE`."""
    limits, share = _of_environment()
    return install(limits=limits, share=share)


def _of_environment() -> tuple[list[str], str | None]:
    limits = [it for it in os.environ.get("APIQUEUE_LIMITS", "").split(os.pathsep) if it]
    return limits or ["aws"], os.environ.get("APIQUEUE_SHARE") or None


class _Pacing:
    """The handlers of one session, or of all. They do nothing while nothing is installed."""

    def __init__(self) -> None:
        self.installation: Installation | None = None

    @property
    def registry(self) -> Registry | None:
        installation = self.installation
        return None if installation is None else installation.registry

    def begin(self, installation: Installation) -> None:
        self.installation = installation

    def end(self) -> None:
        self.installation = None

    def register(self, events: Any, *, replace: bool = True) -> None:
        """Registers these handlers. Others of this module that are there give way, or stay with `replace=False`."""
        if replace:
            self.unregister(events)
        # The third level comes before the second, which is where the signer is, and that before the first.
        turn = self._take_turn_async if _is_async(events) else self._take_turn
        events.register_first("before-call.*.*", _note_signer, unique_id=_UNIQUE + "signer")
        events.register_first("request-created.*.*", turn, unique_id=_UNIQUE + "turn")
        events.register_last("request-created", _note_signed, unique_id=_UNIQUE + "signed")
        events.register_first("response-received.*.*", _tell, unique_id=_UNIQUE + "answer")

    def unregister(self, events: Any) -> None:
        events.unregister("before-call.*.*", unique_id=_UNIQUE + "signer")
        events.unregister("request-created.*.*", unique_id=_UNIQUE + "turn")
        events.unregister("request-created", unique_id=_UNIQUE + "signed")
        events.unregister("response-received.*.*", unique_id=_UNIQUE + "answer")

    def _take_turn(self, request: Any, operation_name: str, **_: Any) -> None:
        queue = self._queue(request.context, operation_name)
        if queue is not None:
            request.context[_ATTEMPT] = _Attempt(queue.turn().wait())

    async def _take_turn_async(self, request: Any, operation_name: str, **_: Any) -> None:
        queue = self._queue(request.context, operation_name)
        if queue is not None:
            request.context[_ATTEMPT] = _Attempt(await queue.turn())

    def _queue(self, context: dict[str, Any], operation: str) -> Any:
        # An attempt whose end was not told, as its answer could not be parsed, is over now.
        before = context.pop(_ATTEMPT, None)
        if before is not None:
            before.turn.end()
        registry = self.registry or _everywhere.registry
        return None if registry is None else registry.queue(_key(context, operation))

    def __deepcopy__(self, memo: Any) -> _Pacing:
        return self


_everywhere = _Pacing()
_paced: weakref.WeakKeyDictionary[Any, _Pacing] = weakref.WeakKeyDictionary()


class _Attempt:
    """An attempt's turn, until the head of its answer has come. One that can't be signed gives it back."""

    __slots__ = ("is_signed", "turn")

    def __init__(self, turn: Any) -> None:
        self.turn = turn
        self.is_signed = False

    def __del__(self) -> None:
        if not self.is_signed:
            self.turn.give_back()


def _note_signer(model: Any, context: dict[str, Any], request_signer: Any = None, **_: Any) -> None:
    context[_SIGNED_FOR] = (model.service_model.signing_name, getattr(request_signer, "region_name", None))


def _note_signed(request: Any, **_: Any) -> None:
    attempt = request.context.get(_ATTEMPT)
    if attempt is not None:
        attempt.is_signed = True


def _key(context: dict[str, Any], operation: str) -> str:
    """`service/region/operation`: what the endpoint's rules say goes before the client's configuration, as it does for the signer."""
    service, region = context.get(_SIGNED_FOR, (None, None))
    rules = context.get("signing") or {}
    service = rules.get("signing_name") or service or ""
    for candidate in (rules.get("region"), region, context.get("client_region")):
        # A signature for several regions (SigV4a) says so with an asterisk or a comma.
        if candidate and "*" not in candidate and "," not in candidate:
            return f"{service}/{candidate}/{operation}"
    return f"{service}//{operation}"


def _tell(response_dict: Any, parsed_response: Any, context: dict[str, Any], **_: Any) -> None:
    """Tells the queue of an answer; of an attempt that failed without one, only that it is over."""
    attempt = context.pop(_ATTEMPT, None)
    if attempt is None:
        return
    if response_dict is None:
        attempt.turn.end()
        return
    status, headers = response_dict["status_code"], response_dict["headers"]
    error = (parsed_response or {}).get("Error") or {}
    answered(attempt.turn, 429 if error.get("Code") in _throttling_codes() else status, headers)


@functools.cache
def _throttling_codes() -> frozenset[str]:
    from botocore.retries import standard

    checker = getattr(standard, "ThrottledRetryableChecker", None)
    return frozenset(getattr(checker, "_THROTTLED_ERROR_CODES", _CODES))


def _is_async(events: Any) -> bool:
    emitter = getattr(events, "_emitter", events)
    return inspect.iscoroutinefunction(getattr(type(emitter), "_emit", None))


def _events_of(session: Any) -> Any:
    """The event emitter of a session or of a client."""
    meta = getattr(session, "meta", None)
    events = getattr(getattr(meta, "client", session), "meta", None)
    events = getattr(events, "events", None) or getattr(session, "events", None)
    if events is None and hasattr(session, "get_component"):
        events = session.get_component("event_emitter")
    if not hasattr(events, "register_first"):
        raise TypeError(
            f"session={session!r}: may be a session or a client of boto3, botocore or aiobotocore, or None for all sessions"
        )
    return events


#: One is installed or ended at a time.
_installing = threading.RLock()


def _pace_new_clients() -> None:
    """Every client, of aiobotocore too, is initialized by `BaseClient`."""
    from botocore.client import BaseClient

    original = BaseClient.__init__
    if hasattr(original, _MARK):
        return

    @functools.wraps(original)
    def initialize(client: Any, *args: Any, **kwargs: Any) -> None:
        original(client, *args, **kwargs)
        _everywhere.register(client.meta.events, replace=False)

    setattr(initialize, _MARK, original)
    BaseClient.__init__ = initialize


def _pace_no_new_clients() -> None:
    """Where somebody has wrapped it since, it stays: its handlers do nothing."""
    from botocore.client import BaseClient

    BaseClient.__init__ = getattr(BaseClient.__init__, _MARK, BaseClient.__init__)
