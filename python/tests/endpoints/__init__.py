"""Servers on loopback that throttle, for the tests."""
