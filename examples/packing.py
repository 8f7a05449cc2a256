"""A job to try: how small does each block of the airports' file get? (`flowlab try`, see README)"""

import lzma
from pathlib import Path

FILE = Path(__file__).parents[1] / "data" / "airports.csv"
BLOCK_BYTES = 40_000


def read(block: str) -> bytes:
    """Return one block of the file."""
    with FILE.open("rb") as file:
        file.seek(int(block) * BLOCK_BYTES)
        return file.read(BLOCK_BYTES)


def pack(data: bytes) -> bytes:
    """Return the block compressed; C code that lets other threads run meanwhile."""
    return lzma.compress(data, preset=9)


def size(packed: bytes) -> int:
    """Return how many bytes are left."""
    return len(packed)
