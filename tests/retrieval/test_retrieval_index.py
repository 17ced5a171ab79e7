"""The index against a full matrix product, on disk and with every kind of missing result."""

import faiss
import numpy as np
import pytest

from course_utils.retrieval import Index


def unit(rows, dim=16, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


DATABASE, QUERIES = unit(600), unit(7, seed=1)


def reference(queries, database, k):
    similarity = np.round(queries @ database.T, 6)
    order = np.stack([np.lexsort((np.arange(len(database)), -row)) for row in similarity])[:, :k]
    return order, np.take_along_axis(similarity, order, 1)


def test_flat_search_equals_the_full_matrix_product():
    result = Index().add(DATABASE).search(QUERIES, k=10)
    order, similarity = reference(QUERIES, DATABASE, 10)
    np.testing.assert_array_equal(result.indices, order)
    np.testing.assert_allclose(result.similarities, similarity, atol=2e-6)


def test_inner_product_and_euclidean_distance_rank_unit_vectors_alike():
    l2 = faiss.IndexFlatL2(16)
    l2.add(DATABASE)
    np.testing.assert_array_equal(Index().add(DATABASE).search(QUERIES, k=10).indices, l2.search(QUERIES, 10)[1])


def test_all_lists_probed_is_exact():
    index = Index("ivf", n_lists=8, n_probe=8, random_state=0).add(DATABASE)
    np.testing.assert_array_equal(index.search(QUERIES, k=10).indices, Index().add(DATABASE).search(QUERIES, k=10).indices)


def test_fewer_probes_find_a_part_and_more_probes_find_more():
    exact = Index().add(DATABASE).search(DATABASE[:100], k=10).indices
    index, found = Index("ivf", n_lists=20, random_state=0).add(DATABASE), []
    for index.n_probe in (1, 4, 20):
        got = index.search(DATABASE[:100], k=10).indices
        found.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, got)]))
    assert found[0] < found[1] < found[2] == 1.0


def test_product_codes_of_one_quarter_of_the_bytes_still_find_the_right_cluster():
    clusters = np.arange(600) % 12
    x = unit(12, 16, seed=2)[clusters] + 0.1 * unit(600, 16, seed=3)  # clustered data, as image vectors are
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    index = Index("ivfpq", n_lists=4, n_probe=4, code_bytes=16, random_state=0).add(x)
    found = index.search(x[:100], k=5).indices
    assert np.mean(clusters[found] == clusters[:100, None]) > 0.95


@pytest.mark.parametrize("n_equal", [2, 5, 300])
def test_ties_are_ordered_by_index_even_across_the_end_of_the_list(n_equal):
    base = unit(400)
    copies = np.random.default_rng(0).choice(400, n_equal, replace=False)
    base[copies] = QUERIES[0]
    result = Index().add(base).search(QUERIES[:1], k=2)
    np.testing.assert_array_equal(result.indices[0], np.sort(copies)[:2])


def test_more_results_than_vectors_are_filled_with_no_result():
    result = Index().add(DATABASE[:3]).search(QUERIES, k=5)
    assert (result.indices[:, 3:] == -1).all() and np.isneginf(result.similarities[:, 3:]).all()
    assert (result.indices[:, :3] >= 0).all()
    np.testing.assert_array_equal(result.n_found, 3)


def test_lists_that_hold_too_few_vectors_give_no_result_and_not_the_last_image():
    result = Index("ivf", n_lists=20, n_probe=1, random_state=0).add(DATABASE).search(QUERIES, k=300)
    assert (result.indices == -1).any() and (result.n_found < 300).all()
    assert np.isneginf(result.similarities[result.indices == -1]).all()
    assert (np.diff((result.indices >= 0).astype(int), axis=1) <= 0).all()  # once it ends it stays ended


def test_the_zero_vector_is_similar_to_nothing():
    result = Index().add(DATABASE).search(np.zeros((1, 16)), k=3)
    np.testing.assert_array_equal(result.indices, [[0, 1, 2]])
    np.testing.assert_array_equal(result.similarities, 0)


def test_vectors_can_be_added_in_parts():
    parts = Index().add(DATABASE[:200]).add(DATABASE[200:])
    assert len(parts) == 600
    np.testing.assert_array_equal(parts.search(QUERIES).indices, Index().add(DATABASE).search(QUERIES).indices)


@pytest.mark.parametrize("kind", ["flat", "ivf", "ivfpq"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_a_saved_index_gives_the_same_results(tmp_path, kind, in_memory):
    index = Index(kind, n_lists=6, n_probe=3, code_bytes=8, random_state=0).add(DATABASE)
    loaded = Index.load(index.save(tmp_path / "deep" / "street.index"), in_memory=in_memory)
    assert loaded.kind == kind and len(loaded) == 600 and loaded.dim_ == 16
    before, after = index.search(QUERIES), loaded.search(QUERIES)
    np.testing.assert_array_equal(before.indices, after.indices)
    np.testing.assert_array_equal(before.similarities, after.similarities)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["street.index"]


def test_an_index_on_disk_keeps_its_lists_in_the_file_and_refuses_additions(tmp_path):
    path = Index("ivf", n_lists=6, random_state=0).add(DATABASE).save(tmp_path / "a.index")
    loaded = Index.load(path, in_memory=False)
    assert "OnDisk" in type(faiss.downcast_InvertedLists(loaded._faiss.invlists)).__name__
    with pytest.raises(ValueError, match="reads from its file"):
        loaded.add(DATABASE)
    assert len(Index.load(path).add(DATABASE)) == 1200


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = Index().add(DATABASE).save(tmp_path / "a.index")

    def interrupted(index, name):
        with open(name, "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(faiss, "write_index", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Index().add(DATABASE[:5]).save(path)
    assert len(Index.load(path)) == 600 and len(list(tmp_path.iterdir())) == 1


def test_a_truncated_or_foreign_file_is_refused_in_words(tmp_path):
    path = Index().add(DATABASE).save(tmp_path / "a.index")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"a.index is not a complete index of this course"):
        Index.load(path)
    foreign = faiss.IndexLSH(16, 8)
    faiss.write_index(foreign, str(path))
    with pytest.raises(ValueError, match="holds a IndexLSH"):
        Index.load(path)
    with pytest.raises(FileNotFoundError, match="no index at b.index"):
        Index.load(tmp_path / "b.index")


def test_the_same_seed_trains_the_same_index():
    one, two = (Index("ivfpq", n_lists=4, code_bytes=8, random_state=5).add(DATABASE).search(QUERIES) for _ in range(2))
    np.testing.assert_array_equal(one.indices, two.indices)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Index().add(np.full((2, 4), np.nan)), "`vectors` must be finite"),
        (lambda: Index().add(DATABASE).search(np.full((1, 16), np.nan)), "`queries` must be finite"),
        (
            lambda: Index().add(2 * DATABASE),
            "rows of unit length .or zero., but got length 2 in row 0. Divide each row by its length",
        ),
        (lambda: Index().add(DATABASE).search(unit(2, 8)), r"\(N, 16\), but got shape \(2, 8\)"),
        (lambda: Index().search(QUERIES), "empty: call `add` first"),
        (lambda: Index().save("nowhere"), "empty: call `add` first"),
        (lambda: Index("tree"), "`kind` must be one of"),
        (lambda: Index("ivf", n_lists=50).add(DATABASE[:20]), "at least `n_lists` = 50 vectors to train on, but got 20"),
        (lambda: Index("ivfpq", code_bytes=8).add(DATABASE[:100]), "at least 256 vectors to train the codes"),
        (lambda: Index("ivfpq", code_bytes=5).add(DATABASE), "`code_bytes` must be a divisor of the vectors' length 16"),
        (lambda: Index().add(DATABASE).train(DATABASE), "already holds 600 vectors"),
        (lambda: Index().add(DATABASE).search(QUERIES, k=0), "`k`"),
        (lambda: Index().add(np.zeros((0, 4))), "at least one vector"),
    ],
)
def test_promised_errors_are_raised_in_words(call, text):
    with pytest.raises(ValueError, match=text):
        call()
