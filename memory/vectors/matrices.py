"""The vectors of a scope as one matrix in memory, kept up to date by the ids of their rows.

Rows are only ever added; a text that changes gets a new row. So whatever has come since lies
beyond the highest id seen, and what has gone is sorted out by asking the database about the best
candidates (`memory.vectors.nearest`), never by comparing everything.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from memory.logic.arrays import numpy
from memory.logic.vectors import BYTES_PER_NUMBER
from memory.models import Vector

Key = tuple[str, str, str, int]
_BATCH_ROWS = 2048


@dataclass(slots=True)
class Matrix:
    """`ids` of the rows, and their vectors in float32, one below the other."""

    ids: Any
    values: Any

    @property
    def last_id(self) -> int:
        """The highest id seen, 0 while empty."""
        return int(self.ids[-1]) if len(self.ids) else 0

    @property
    def size_bytes(self) -> int:
        """What it takes in memory."""
        return int(self.values.nbytes + self.ids.nbytes)


_kept: OrderedDict[Key, Matrix] = OrderedDict()
_lock = threading.Lock()


def forget_matrices() -> None:
    """Give the memory back."""
    with _lock:
        _kept.clear()


def kept_bytes() -> int:
    """Return what all kept matrices take in memory."""
    with _lock:
        return sum(one.size_bytes for one in _kept.values())


def matrix_of(database: str, scope_id: str, model: str, dim: int) -> Matrix:
    """Return all vectors of a scope; only those that are new are read."""
    key = (database, scope_id, model, dim)
    with _lock:
        known = _kept.get(key)
    rows = rows_of(scope_id, model).filter(dim=dim)
    last_id = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    if known is not None and known.last_id == last_id:
        return _keep(key, known)
    if known is None or known.last_id > last_id or not _still_whole(rows, known):
        known = Matrix(numpy().empty(0, "i8"), numpy().empty((0, dim), "f4"))
    return _keep(key, _grown(known, rows.filter(pk__gt=known.last_id), dim))


def rows_of(scope_id: str, model: str) -> "QuerySet[Vector]":
    """Return the vectors of a scope that can be compared."""
    return Vector.objects.filter(scope_id=scope_id, model=model, refusal="")


def _still_whole(rows: "QuerySet[Vector]", known: Matrix) -> bool:
    """Tell whether at least nine in ten of the known rows are there still."""
    return rows.filter(pk__lte=known.last_id).count() >= 0.9 * len(known.ids)


def _grown(known: Matrix, new: "QuerySet[Vector]", dim: int) -> Matrix:
    np = numpy()
    ids, values = [known.ids], [known.values]
    pairs = new.order_by("pk").values_list("pk", "data").iterator(_BATCH_ROWS)
    while batch := list(islice(pairs, _BATCH_ROWS)):
        whole = [(pk, data) for pk, data in batch if len(data or b"") == dim * BYTES_PER_NUMBER]
        ids.append(np.array([pk for pk, _ in whole], "i8"))
        joined = b"".join(bytes(data or b"") for _, data in whole)
        values.append(np.frombuffer(joined, "<f2").astype("f4").reshape(-1, dim))
    return Matrix(np.concatenate(ids), np.concatenate(values))


def _keep(key: Key, matrix: Matrix) -> Matrix:
    """Remember a matrix as the latest used; the longest unused go when there is no room."""
    with _lock:
        _kept[key] = matrix
        _kept.move_to_end(key)
        while len(_kept) > 1 and _size() > settings.VECTOR_MEMORY_BYTES:
            _kept.popitem(last=False)
        if _size() > settings.VECTOR_MEMORY_BYTES:
            _kept.clear()
    return matrix


def _size() -> int:
    return sum(one.size_bytes for one in _kept.values())
