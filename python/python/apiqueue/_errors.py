"""What can go wrong."""


class Error(Exception):
    """What this package raises."""


class Closed(Error):
    """The queue was stopped: the call must not be made."""


class Full(Error):
    """All places of the line are taken."""


class Timeout(Error, TimeoutError):
    """The turn did not come in time."""


class ConfigError(Error, ValueError):
    """What was given can't be: the message names the value and what it may be."""
