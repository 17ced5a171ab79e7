"""The DELF experiments on a few small photographs in place of the whole data set."""

import numpy as np
import pytest

from course_utils import data, retrieval
from course_utils.evidence import delf_claims
from course_utils.retrieval import LocalFeatureSet


@pytest.fixture
def small_landmarks(monkeypatch, tmp_path):
    """The first photographs of every split, 48 pixels large, and one epoch of each stage."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    real = data.Landmarks

    def small(split, seed, n_images=None):
        return real(split, seed, size=48, n_images={"train": 64, "index": 40}.get(split, 16))

    monkeypatch.setattr(delf_claims.data, "Landmarks", small)
    delf_claims._trained.cache_clear()  # the network of a seed is kept; here it must be a small one
    for name, value in (("DESCRIPTOR_EPOCHS", 1), ("ATTENTION_EPOCHS", 1), ("DIM", 48), ("PCA_IMAGES", 8)):
        monkeypatch.setattr(delf_claims, name, value)
    yield
    delf_claims._trained.cache_clear()


def test_every_experiment_gives_a_share_for_each_of_its_methods(small_landmarks):
    expected = {
        delf_claims.attention_mass: ["attention", "feature norm", "area"],
        delf_claims.attention_order: ["attention", "feature norm"],
        delf_claims.attention_pooling: ["attention pooling", "average pooling"],
        delf_claims.reranking: ["re-ranked by inliers", "global descriptor"],
    }
    for experiment, names in expected.items():
        figures = experiment(1)
        assert list(figures) == names
        assert all(0 <= v <= 1 for v in figures.values())
    assert delf_claims.attention_mass(1) == delf_claims.attention_mass(1)


def test_the_stages_are_combined_in_every_way(small_landmarks):
    figures = delf_claims.stages(1)
    assert list(figures) == [f"{a}, {b}" for a in ("fine-tuned", "not fine-tuned") for b in ("attention", "average")]
    assert len(set(figures.values())) > 1


def test_average_pooling_shares_the_backbone_and_leaves_it_alone(small_landmarks):
    delf = delf_claims.trained_delf(1)
    before = {name: value.clone() for name, value in delf.state_dict().items()}
    average = delf_claims.with_average_pooling(delf, 1)
    assert average.backbone is delf.backbone
    assert all(value.equal(before[name]) for name, value in delf.state_dict().items())


def test_reranking_moves_an_image_with_a_consistent_geometry_to_the_front():
    random = np.random.default_rng(0)
    points, vectors = random.uniform(10, 100, (12, 2)), random.normal(size=(36, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def features(where, rows):
        boxes = np.column_stack([where - 4, where + 4])
        return LocalFeatureSet(where, vectors[rows], np.ones(12), np.ones(12), boxes, (112, 112))

    query, right = features(points, slice(12)), features(points + 6, slice(12))
    wrong = features(random.uniform(10, 100, (12, 2)), slice(12, 24))
    scores = delf_claims.reranked_scores(np.float32([[0.9, 0.1]]), [query], [wrong, right])
    assert scores[0, 1] > scores[0, 0]
    assert retrieval.mean_average_precision(scores, np.array([[False, True]])).mean == 1.0


def test_streets_without_a_landmark_are_relevant_to_nothing():
    class Side:
        def __init__(self, labels):
            import torch

            self.labels = torch.tensor(labels)

    np.testing.assert_array_equal(
        delf_claims.same_landmark(Side([3, -1]), Side([3, -1, 5])), [[True, False, False], [False, False, False]]
    )
