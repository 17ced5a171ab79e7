"""Nearest-neighbour search: exact, with inverted lists, or with compressed vectors, in memory or on disk.

For unit vectors ``|q - d|^2 = 2 - 2 q.d``, so the inner product, the cosine and the Euclidean distance rank alike; the
index uses the inner product and calls it similarity. It is a thin layer over faiss that fixes what faiss leaves open:
ties, missing results, bad input, and files that are half written.

Source: H. Jegou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search", TPAMI 33(1), 2011 (IVF-PQ);
M. Douze et al., "The Faiss library", 2024, arXiv:2401.08281.

=============  =====================================================  ===================================
kind           what is compared                                       memory per vector
=============  =====================================================  ===================================
``"flat"``     every vector; exact                                    ``4 D`` bytes
``"ivf"``      the vectors of the ``n_probe`` nearest lists           ``4 D + 8`` bytes
``"ivfpq"``    short codes of the vectors in these lists              ``code_bytes + 8`` bytes
=============  =====================================================  ===================================

Conventions
-----------
Ties
    Results are ordered by (similarity, database index). Similarities are rounded to ``1e-6`` before that, so that the
    order of additions inside a matrix product decides nothing. The same holds at the end of the list: of several
    images at equal similarity the lowest indices are returned (``flat`` only; the others see just a part).
No result
    Index -1 and similarity ``-inf``, where fewer than ``k`` vectors were found. Drop them: ``images[-1]`` is the last
    image.
Training
    ``"ivf"`` and ``"ivfpq"`` learn their lists and codes from the first vectors added, or from ``train``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.checks import checked_choice, checked_int, checked_unit_rows, message, numpy_generator
from course_utils.data.cache import written_whole

KINDS = ("flat", "ivf", "ivfpq")
POINTS_PER_LIST = 39  # below it faiss warns that a k-means centre is badly determined
DECIMALS = 6


@dataclass(frozen=True)
class SearchResult:
    """The nearest database vectors of Q queries.

    Attributes
    ----------
    indices : ndarray of shape (Q, k), int64
        Best first; -1 is "no result".
    similarities : ndarray of shape (Q, k), float32
        Inner products, approximate for ``"ivfpq"``; ``-inf`` where there is no result.
    """

    indices: np.ndarray
    similarities: np.ndarray

    @property
    def n_found(self) -> np.ndarray:
        """Number of real results of each query (Q,)."""
        return (self.indices >= 0).sum(1)


class Index:
    """A searchable set of unit vectors.

    Taught in `01_vlad`, step 7.

    Parameters
    ----------
    kind : {"flat", "ivf", "ivfpq"}, default "flat"
    n_lists : int or None, default None
        Number of inverted lists. None: ``4 sqrt(n)`` of the training vectors, but at least 39 vectors a list.
    n_probe : int, default 8
        Lists looked at per query; ``n_probe = n_lists`` makes ``"ivf"`` exact.
    code_bytes : int, default 16
        ``"ivfpq"``: bytes per vector; must divide ``D``. For VLAD vectors choose it so that the ``K * D`` entries are
        cut at word borders (``code_bytes`` a multiple or a divisor of ``K``).
    random_state : int, RandomState, Generator or None
        Of the training.

    Attributes
    ----------
    dim_ : int
    n_lists_ : int
        Effective number of lists (after training).

    Examples
    --------
    >>> index = Index().add(np.eye(3, dtype=np.float32))
    >>> index.search([[0.0, 0.6, 0.8]], k=2).indices
    array([[2, 1]])
    """

    def __init__(
        self, kind: str = "flat", n_lists: int | None = None, n_probe: int = 8, code_bytes: int = 16, random_state: Any = None
    ) -> None:
        self.kind = checked_choice(kind, "kind", KINDS)
        self.n_lists = None if n_lists is None else checked_int(n_lists, "n_lists", low=1)
        self.n_probe = checked_int(n_probe, "n_probe", low=1)
        self.code_bytes = checked_int(code_bytes, "code_bytes", low=1)
        self.random_state = random_state
        self._faiss: Any = None
        self._read_only = False

    def __repr__(self) -> str:
        return f"Index(kind={self.kind!r}, {len(self)} vectors" + (f" of {self.dim_} dimensions)" if self._faiss else ")")

    def __len__(self) -> int:
        return 0 if self._faiss is None else self._faiss.ntotal

    @property
    def dim_(self) -> int:
        """Length of the vectors."""
        return self._built().d

    @property
    def n_lists_(self) -> int:
        """Number of inverted lists; 1 for ``"flat"``."""
        return 1 if self.kind == "flat" else self._built().nlist

    def train(self, vectors: Any) -> Index:
        """Learn lists and codes from vectors that need not be added. ``"flat"`` has nothing to learn.

        Raises
        ------
        ValueError
            If the vectors are too few for the lists or the codes; the message says how many are needed.
        """
        vectors = checked_unit_rows(vectors, "vectors", zeros=True)
        if len(self):
            raise ValueError(f"This index already holds {len(self)} vectors; train a new one instead.")
        self._faiss = self._train(vectors)
        self._read_only = False
        return self

    def add(self, vectors: Any) -> Index:
        """Add unit vectors (n, D); they get the next indices. The first ones also train, unless ``train`` was called.

        Returns
        -------
        Index
            Itself.

        Raises
        ------
        ValueError
            If a vector is NaN or infinite, is not of unit length (zeros are allowed), or has another ``D``; or if the
            index was opened with ``in_memory=False``.
        """
        if self._read_only:
            raise ValueError("This index reads from its file. Load it with in_memory=True to add vectors.")
        vectors = checked_unit_rows(vectors, "vectors", "D" if self._faiss is None else self.dim_, zeros=True)
        if self._faiss is None:
            self.train(vectors)
        self._faiss.add(vectors)
        return self

    def search(self, queries: Any, k: int = 10) -> SearchResult:
        """Return the ``k`` most similar vectors of each query (Q, D).

        Parameters
        ----------
        queries : array-like of shape (Q, D)
            Unit vectors, or zeros.
        k : int, default 10
            May exceed the number of vectors: the rest is "no result".
        """
        k = checked_int(k, "k", low=1)
        queries = checked_unit_rows(queries, "queries", self.dim_, zeros=True)
        indices = np.full((len(queries), k), -1, np.int64)
        similarities = np.full((len(queries), k), -np.inf, np.float32)
        depth = min(k, len(self))
        if depth and len(queries):
            indices[:, :depth], similarities[:, :depth] = self._search(queries, depth)
        return SearchResult(indices, similarities)

    def save(self, path: str | Path) -> Path:
        """Write the index to one file; an interrupted call leaves the old file as it was."""
        import faiss

        index, path = self._built(), Path(path)
        with written_whole(path) as partial:
            faiss.write_index(index, str(partial))
        return path

    @classmethod
    def load(cls, path: str | Path, in_memory: bool = True) -> Index:
        """Read an index written by ``save``.

        Parameters
        ----------
        path : path
        in_memory : bool, default True
            False leaves the vectors of ``"ivf"`` and ``"ivfpq"`` in the file and reads only the lists that a query
            visits; such an index can be searched but not extended. ``"flat"`` is always read into memory.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not a complete index.
        """
        import faiss

        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"There is no index at {path.name}. Write one with Index.save.")
        try:
            index = faiss.read_index(str(path), 0 if in_memory else faiss.IO_FLAG_MMAP)
        except RuntimeError as error:
            raise ValueError(f"{path.name} is not a complete index of this course; build it again and save it.") from error
        kind = next((kind for kind, name in _CLASSES.items() if type(index) is getattr(faiss, name)), None)
        if kind is None:
            raise ValueError(f"{path.name} holds a {type(index).__name__}, which this course does not write.")
        loaded = cls(kind, n_lists=getattr(index, "nlist", None), n_probe=getattr(index, "nprobe", 8))
        if kind == "ivfpq":
            loaded.code_bytes = index.pq.code_size
        loaded._faiss, loaded._read_only = index, not in_memory and kind != "flat"
        return loaded

    def _built(self) -> Any:
        if self._faiss is None:
            raise ValueError("The index is empty: call `add` first.")
        return self._faiss

    def _train(self, vectors: np.ndarray) -> Any:
        import faiss

        n, dim = vectors.shape
        if n == 0 or dim == 0:
            raise ValueError(message("vectors", "at least one vector with at least one entry", f"shape {vectors.shape}"))
        if self.kind == "flat":
            return faiss.IndexFlatIP(dim)
        n_lists = self.n_lists or max(1, min(int(4 * np.sqrt(n)), n // POINTS_PER_LIST))
        if n < n_lists:
            raise ValueError(
                message("vectors", f"at least `n_lists` = {n_lists} vectors to train on", str(n), "Use fewer lists.")
            )
        coarse = faiss.IndexFlatIP(dim)
        if self.kind == "ivf":
            index = faiss.IndexIVFFlat(coarse, dim, n_lists, faiss.METRIC_INNER_PRODUCT)
        else:
            if dim % self.code_bytes:
                raise ValueError(message("code_bytes", f"a divisor of the vectors' length {dim}", str(self.code_bytes)))
            if n < 256:
                advice = "Each byte of a code chooses among 256 centres. Use kind='flat': so few vectors need no compression."
                raise ValueError(message("vectors", "at least 256 vectors to train the codes", str(n), advice))
            index = faiss.IndexIVFPQ(coarse, dim, n_lists, self.code_bytes, 8, faiss.METRIC_INNER_PRODUCT)
        seed = int(numpy_generator(self.random_state).integers(2**31 - 1))
        parts = [index.cp] + ([index.pq.cp] if self.kind == "ivfpq" else [])
        for clustering in parts:
            clustering.seed, clustering.min_points_per_centroid = seed, 1  # too few points: our message, not faiss' stderr
        index.own_fields = True
        coarse.this.disown()
        index.nprobe = min(self.n_probe, n_lists)
        index.train(vectors)
        return index

    def _search(self, queries: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """Search ``depth`` results, deeper where a tie crosses the end of the list, and order them."""
        if self.kind != "flat":
            self._faiss.nprobe = min(self.n_probe, self.n_lists_)
            return _ordered(*self._faiss.search(queries, depth))
        ahead = min(depth + 1, len(self))
        indices, similarities = _ordered(*self._faiss.search(queries, ahead))
        open_rows = np.flatnonzero(similarities[:, depth - 1] == similarities[:, -1]) if ahead > depth else np.zeros(0, int)
        indices, similarities = indices[:, :depth], similarities[:, :depth]
        while len(open_rows):
            ahead = min(4 * ahead, len(self))
            more_indices, more_similarities = _ordered(*self._faiss.search(queries[open_rows], ahead))
            indices[open_rows], similarities[open_rows] = more_indices[:, :depth], more_similarities[:, :depth]
            still = (more_similarities[:, depth - 1] == more_similarities[:, -1]) & (ahead < len(self))
            open_rows = open_rows[still]
        return indices, similarities


_CLASSES = {"flat": "IndexFlatIP", "ivf": "IndexIVFFlat", "ivfpq": "IndexIVFPQ"}


def _ordered(similarities: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round the similarities and sort each row by (similarity, index); faiss returns -1 where it found nothing."""
    similarities = np.round(np.where(indices >= 0, similarities, -np.inf), DECIMALS).astype(np.float32)
    order = np.lexsort((np.where(indices >= 0, indices, np.iinfo(np.int64).max), -similarities), axis=1)
    return np.take_along_axis(indices, order, 1), np.take_along_axis(similarities, order, 1)
