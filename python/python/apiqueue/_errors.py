"""What the queues raise."""


class Error(Exception):
    """What a queue raises."""


class Closed(Error):
    """The queue was stopped: the call is not to be made."""


class Full(Error):
    """There is no place in line."""


class Timeout(Error, TimeoutError):
    """The time was over before the turn came."""


class ConfigError(Error, ValueError):
    """What was given can't be; it says what can."""


for _error in (Error, Closed, Full, Timeout, ConfigError):
    _error.__module__ = "apiqueue"
