"""What tests of all clients have in common."""

import pytest
from endpoints.scripted import Scripted


@pytest.fixture
def scripted():
    """Makes servers that answer as they are told."""
    servers = []

    def make(*answers):
        servers.append(Scripted(*answers))
        return servers[-1]

    yield make
    for server in servers:
        server.close()
