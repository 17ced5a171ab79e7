"""Mining: radii, hardest negatives, memory, and what is refused."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from course_utils.retrieval import TupleMiner


def world(seed=0, n_queries=12, n_images=60, dim=8):
    random = np.random.default_rng(seed)
    queries, images = random.uniform(0, 100, (n_queries, 2)), random.uniform(0, 100, (n_images, 2))
    vectors = [
        v / np.linalg.norm(v, axis=1, keepdims=True) for v in (random.normal(size=(n, dim)) for n in (n_queries, n_images))
    ]
    return queries, images, vectors[0], vectors[1]


def mined(seed=0, **options):
    queries, images, q, v = world(seed)
    miner = TupleMiner(queries, images, **{"margin": 0.5, "random_state": 0} | options)
    miner.refresh(q, v)
    return miner, queries, images, q, v


def test_positives_are_those_of_a_radius_search():
    queries, images, *_ = world()
    miner = TupleMiner(queries, images, positive_radius=17.0)
    search = NearestNeighbors(radius=17.0).fit(images).radius_neighbors(queries, return_distance=False)
    for found, expected in zip(miner.positives, search):
        np.testing.assert_array_equal(found, np.sort(expected))


def test_definite_negatives_are_all_beyond_the_negative_radius():
    miner, queries, images, *_ = mined()
    for i, query in enumerate(queries):
        distance = np.linalg.norm(images - query, axis=1)
        np.testing.assert_array_equal(miner.negatives(i), np.flatnonzero(distance > 25))


def test_both_radii_are_inclusive():
    miner = TupleMiner([[0, 0]], [[10, 0], [25, 0], [25.001, 0]])
    assert miner.positives[0].tolist() == [0]
    assert miner.negatives(0).tolist() == [2]


def test_trivial_positives_can_be_skipped():
    positions = [[0.5, 0], [1.0, 0], [1.5, 0], [99, 0]]
    assert TupleMiner([[0, 0]], positions).positives[0].tolist() == [0, 1, 2]
    assert TupleMiner([[0, 0]], positions, minimal_distance=1.0).positives[0].tolist() == [2]


def test_a_tuple_is_the_brute_force_one():
    miner, _, _, q, v = mined(n_negatives=4)
    for query in miner.queries:
        found = miner.mine(int(query))
        squared = ((v - q[query]) ** 2).sum(1)
        positives, negatives = miner.positives[query], miner.negatives(int(query))
        best = positives[squared[positives].argmin()]
        hard = negatives[squared[negatives] < squared[best] + 0.5]
        expected = hard[np.argsort(squared[hard], kind="stable")][:4]
        assert found.positive == best
        np.testing.assert_array_equal(found.negatives, expected)
        np.testing.assert_allclose(found.negative_distances, squared[expected], atol=1e-5)
        assert found.positive_distance == pytest.approx(squared[best], abs=1e-5)
        assert (found.n_searched, found.n_violating) == (len(negatives), len(hard))


def test_very_hard_negatives_closer_than_the_positive_are_kept():
    miner = TupleMiner([[0, 0]], [[1, 0], [50, 0]])
    miner.refresh(np.eye(2)[:1], np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert miner.mine(0).negatives.tolist() == [1]


def test_no_violation_gives_an_empty_tuple():
    miner = TupleMiner([[0, 0]], [[1, 0], [50, 0]])
    miner.refresh(np.eye(2)[:1], np.eye(2))
    found = miner.mine(0)
    assert found.negatives.size == 0
    assert found.n_searched == 1


def test_the_hardest_of_the_last_visit_are_found_again_in_a_small_pool():
    queries, images, q, v = world(n_images=400)
    miner = TupleMiner(queries, images, n_pool=5, n_negatives=3, margin=4.0, random_state=0)
    miner.refresh(q, v)
    query = int(miner.queries[0])
    squared = ((v - q[query]) ** 2).sum(1)
    best = np.inf
    for _ in range(40):
        worst_kept = squared[miner.mine(query).negatives].max()
        assert worst_kept <= best + 1e-6, "a remembered negative was lost"
        best = worst_kept
    assert best < np.quantile(squared[miner.negatives(query)], 0.1)


def test_the_pool_is_drawn_without_replacement_and_never_longer_than_the_database():
    miner, *_ = mined(n_pool=10_000)
    query = int(miner.queries[0])
    assert miner.mine(query).n_searched == len(miner.negatives(query))
    miner, *_ = mined(n_pool=7)
    assert miner.mine(query).n_searched == 7


def test_queries_without_positives_are_counted_and_never_mined():
    miner = TupleMiner([[0, 0], [70, 0]], [[1, 0], [30, 0]])
    assert miner.queries.tolist() == [0]
    assert miner.unmatched.tolist() == [1]
    assert "1 queries unmatched" in repr(miner)
    miner.refresh(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match=r"query 1 without any. Draw from `miner.queries`"):
        miner.mine(1)


def test_the_same_seed_mines_the_same_and_a_restored_state_goes_on_alike():
    one, two = (mined(n_pool=6)[0] for _ in range(2))
    for query in one.queries[:4]:
        np.testing.assert_array_equal(one.mine(int(query)).negatives, two.mine(int(query)).negatives)
    state = one.state_dict()
    expected = [one.mine(int(query)).negatives for query in one.queries]
    other = mined(seed=0, n_pool=6, random_state=99)[0]
    other.load_state_dict(state)
    for query, negatives in zip(other.queries, expected):
        np.testing.assert_array_equal(other.mine(int(query)).negatives, negatives)


def test_degrees_are_refused_and_local_metres_is_named():
    queries = np.array([[37.5665, 126.9780], [37.5700, 126.9820]])
    with pytest.raises(ValueError, match=r"must be in metres.*spread over 0.009 units.*local_metres"):
        TupleMiner(queries, queries + 0.001 * np.array([[1, 0], [0, 5]]))


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        (([[0, 0]], [[99, 0], [1, np.nan]]), {}, "`database_positions` must be finite"),
        (([[0, 0, 0]], [[99, 0]]), {}, "`query_positions` must be an array of shape (Q, 2)"),
        (([[0, 0]], [[99, 0]]), {}, "no query with a potential positive"),
        (([[0, 0]], np.empty((0, 2))), {}, "1 queries and 0 database images"),
        (([[0, 0]], [[9, 0], [99, 0]]), {"negative_radius": 5.0}, "`negative_radius` must be a finite number of at least 10.0"),
        (([[0, 0]], [[9, 0], [99, 0]]), {"minimal_distance": 12.0}, "`positive_radius` must be a finite number above 12.0"),
        (([[0, 0]], [[9, 0], [99, 0]]), {"n_negatives": 0}, "`n_negatives` must be an integer of at least 1"),
    ],
)
def test_wrong_input_is_named(arguments, options, text):
    with pytest.raises(ValueError) as caught:
        TupleMiner(*arguments, **options)
    assert text in str(caught.value)


def test_mining_before_the_first_refresh_says_what_to_do():
    with pytest.raises(RuntimeError, match="call `refresh"):
        TupleMiner([[0, 0]], [[1, 0], [99, 0]]).mine(0)


def test_descriptors_must_fit_the_positions_and_be_finite():
    miner = TupleMiner([[0, 0]], [[1, 0], [99, 0]])
    with pytest.raises(ValueError, match="database_descriptors"):
        miner.refresh(np.eye(1), np.eye(3))
    with pytest.raises(ValueError, match="`query_descriptors` must be finite"):
        miner.refresh([[np.nan, 0.0]], np.eye(2))
