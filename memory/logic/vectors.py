"""Vectors as they are stored: float16, their length 1, so that a dot product is a cosine."""

import math
import struct
from collections.abc import Sequence

BYTES_PER_NUMBER = 2


def pack_unit(vector: Sequence[float]) -> bytes:
    """Return a vector as float16 in little-endian order, its length made 1.

    Raises ValueError for no numbers, for numbers that are not finite, and for the null vector.
    """
    length = math.sqrt(math.fsum(value * value for value in vector))
    if not math.isfinite(length) or length == 0.0:
        raise ValueError("The vector has no direction: all zero, or not finite.")
    return struct.pack(f"<{len(vector)}e", *(value / length for value in vector))


def unpack(data: bytes) -> tuple[float, ...]:
    """Return the numbers of a stored vector."""
    return struct.unpack(f"<{len(data) // BYTES_PER_NUMBER}e", data)
