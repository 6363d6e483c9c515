"""
How far down the comments of the columns are, and below which top-level comment each of them is.

Nobody needs that of all comments. What somebody asks for is remembered, with all that was passed on the way, so the longest chain
is climbed once.
"""

from __future__ import annotations

from array import array

from threadstore.columns import TOP, Columns

__all__ = ["Descent"]


class Descent:
    """
    Where the comments of some columns descend from, as the columns have it.

    Args:
        columns: The comments; a comment's parent never changes.
    """

    __slots__ = ("_depths", "_parent", "_roots")

    def __init__(self, columns: Columns) -> None:
        self._parent = columns.parent
        #: By rank, one more than the root's; 0 for what is not known.
        self._roots = array("I")
        self._depths = array("I")

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return 8 * len(self._roots)

    def root(self, rank: int) -> int:
        """Return the rank of the top-level ancestor. Complexity: O(1), after O(depth) for the first of a branch."""
        if rank >= len(self._roots):
            self._grow()
        known = self._roots[rank]
        return known - 1 if known else self._climb(rank)

    def depth(self, rank: int) -> int:
        """Return how far below the top level a comment is. Complexity: as for `root`."""
        self.root(rank)
        return self._depths[rank]

    def _grow(self) -> None:
        new = bytes(4 * (len(self._parent) - len(self._roots)))
        self._roots.frombytes(new)
        self._depths.frombytes(new)

    def _climb(self, rank: int) -> int:
        parent, roots, depths = self._parent, self._roots, self._depths
        way: list[int] = []
        while not roots[rank] and parent[rank] != TOP:
            way.append(rank)
            rank = parent[rank]
        root, depth = roots[rank] or rank + 1, depths[rank]
        roots[rank] = root
        for below in reversed(way):
            depth += 1
            roots[below], depths[below] = root, depth
        return root - 1
