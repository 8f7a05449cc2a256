"""One quick site for the tests that do not need one of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowlab.workloads import loneliest


@pytest.fixture(scope="session")
def quick_site() -> Iterator[loneliest.Site]:
    with loneliest.site(latency_ms=0) as site:
        yield site
