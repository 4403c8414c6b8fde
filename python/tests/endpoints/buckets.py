"""Buckets as EC2 has them: one for each action, that fills up by so many a second and no further than its capacity."""

import threading
import time

#: Capacity and refill a second, of "Amazon EC2 API request throttling".
NON_MUTATING = (100, 20)
UNFILTERED = (50, 10)
MUTATING = (50, 5)

_UNFILTERED_ACTIONS = {
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSpotInstanceRequests",
    "DescribeVolumes",
}


class Bucket:
    def __init__(self, capacity: float, per_second: float) -> None:
        self._capacity, self._per_second = capacity, per_second
        self._left, self._at = float(capacity), time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._capacity, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Ec2Buckets:
    """Of one account and region, of this part of EC2's size. Counts what it has let through and what it has throttled."""

    def __init__(self, part: float = 1) -> None:
        self._part = part
        self._lock = threading.Lock()
        self._buckets: dict = {}
        self.counts: dict = {}

    def take(self, action: str, is_filtered_or_paged: bool) -> bool:
        with self._lock:
            small = action in _UNFILTERED_ACTIONS and not is_filtered_or_paged
            name = (action, small)
            bucket = self._buckets.get(name) or self._buckets.setdefault(
                name, Bucket(*(it * self._part for it in _size(action, small)))
            )
            taken = bucket.take()
            counts = self.counts.setdefault(action, {"taken": 0, "throttled": 0})
            counts["taken" if taken else "throttled"] += 1
            return taken


def _size(action: str, small: bool) -> tuple:
    if small:
        return UNFILTERED
    return NON_MUTATING if action.startswith(("Describe", "List", "Search", "Get")) else MUTATING
