"""The VLAD experiments on a few random descriptors in place of the town."""

import numpy as np
import pytest

from course_utils.evidence import vlad_claims
from course_utils.evidence.vlad_claims import StreetDescriptors, recall_at_1


@pytest.fixture
def small_street(monkeypatch):
    """Ten places of 128-dimensional descriptors; a query is its place with noise."""

    def street(seed, place="test"):
        rng = np.random.default_rng(seed)
        base = [rng.random((40, 128)).astype(np.float32) for _ in range(10)]
        queries = [x + 0.05 * rng.random(x.shape).astype(np.float32) for x in base]
        return StreetDescriptors([rng.random((30, 128)) for _ in range(300)], base, queries, [np.array([i]) for i in range(10)])

    monkeypatch.setattr(vlad_claims, "street_descriptors", street)


def test_every_normalisation_gets_a_figure_in_the_order_of_the_papers(small_street):
    figures = vlad_claims.normalisations(1, n_clusters=4)
    assert list(figures) == ["mean pooling", "bag of words", "plain", "SSR", "intra", "residual"]
    assert figures["intra"] > 0.8  # places this different are found
    assert figures == vlad_claims.normalisations(1, n_clusters=4)


def test_whitening_is_compared_with_no_whitening_and_with_its_remedies(small_street, monkeypatch, recwarn):
    monkeypatch.setattr(vlad_claims, "SMALL_CODEBOOK", 2)
    figures = vlad_claims.whitening_with_too_few_vectors(1)
    assert list(figures) == ["no whitening", "whitened", "128 directions", "softer power", "shrinkage"]
    assert all(0 <= v <= 1 for v in figures.values())
    assert not [w for w in recwarn if "Whitening to" in str(w.message)]


def test_recall_at_1_divides_by_the_length_and_survives_empty_vectors():
    database = np.array([[2.0, 0.0], [0.0, 9.0]])
    assert recall_at_1(np.array([[0.0, 0.1], [5.0, 0.0], [0.0, 0.0]]), database, [np.array([1])] * 3) == pytest.approx(1 / 3)


def test_an_unknown_district_is_refused():
    with pytest.raises(ValueError, match="`place` must be one of 'test', 'validation'"):
        vlad_claims.street_descriptors(1, "train")
