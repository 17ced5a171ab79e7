"""The product-quantised local index against brute force over decoded descriptors, on disk, and on too little data."""

import faiss
import numpy as np
import pytest
import torch

from course_utils.retrieval import LocalFeatureSet, LocalIndex, match_descriptors


def unit(rows, dim=40, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def features(points, descriptors):
    n = len(points)
    return LocalFeatureSet(points, descriptors, np.ones(n), np.ones(n), np.c_[points - 4, points + 4], (200, 200))


def image(seed, n=40, dim=40):
    return features(np.random.default_rng(seed).uniform(10, 190, (n, 2)), unit(n, dim, seed))


def view(of, seed, noise=0.03, n=30):
    """Another view of an image: moved, slightly different descriptors, some features gone."""
    rng = np.random.default_rng(seed)
    x = of.descriptors[:n] + noise * rng.normal(size=(n, of.descriptors.shape[1]))
    return features(0.7 * of.points[:n] + [9, 4], (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32))


IMAGES = [image(seed) for seed in range(20)]
ALL = np.concatenate([one.descriptors for one in IMAGES])


def test_a_view_finds_its_image_and_verification_counts_its_features():
    index = LocalIndex(random_state=0).add(IMAGES)
    for i in (0, 7, 19):
        result = index.retrieve(view(IMAGES[i], i), threshold=3.0, generator=torch.Generator().manual_seed(0))
        assert result.images[0] == i
        assert result.n_inliers[0] >= 25 and result.n_inliers[0] > 3 * result.n_inliers[1:].max(initial=0)
        assert (np.diff(result.n_inliers) <= 0).all()


def test_all_words_probed_equals_brute_force_over_the_decoded_descriptors():
    index = LocalIndex(n_words=8, n_probe=8, n_neighbours=800, random_state=0).add(IMAGES)
    index._faiss.make_direct_map()
    decoded = index._faiss.reconstruct_n(0, len(index))
    query = view(IMAGES[3], 1)
    distances = np.linalg.norm(query.descriptors[:, None] - decoded[None], axis=-1)
    found = {one.image: one for one in index.search(query)}
    for i, one in enumerate(IMAGES):
        block = distances[:, 40 * i : 40 * (i + 1)]
        nearest = block.argmin(1)
        expected = {}
        for q in np.flatnonzero(block.min(1) < 0.9):
            j = int(nearest[q])
            if j not in expected or block[q, j] < block[expected[j], j]:
                expected[j] = int(q)
        got = {int(j): int(q) for q, j in found[i].indices} if i in found else {}
        assert got == expected
        if i in found:
            np.testing.assert_allclose(found[i].distances, block[tuple(found[i].indices.T)], atol=1e-4)
            np.testing.assert_array_equal(found[i].points, one.points[found[i].indices[:, 1]])


def test_codes_without_loss_give_the_matches_of_match_descriptors():
    palette = unit(32, 4, seed=1)  # 10 pieces from 32 patterns: 32 centres for each piece describe them exactly
    rng = np.random.default_rng(0)
    images = [
        features(rng.uniform(0, 200, (40, 2)), palette[rng.integers(0, 32, (40, 10))].reshape(40, 40) / np.sqrt(10))
        for _ in range(12)
    ]
    index = LocalIndex(n_words=1, n_neighbours=480, max_distance=0.8, random_state=0)
    index.train(np.concatenate([one.descriptors for one in images]))
    index._faiss.pq.train(0 * ALL[:320])  # placeholders; the exact centres are written next
    centre = index._faiss.quantizer.reconstruct(0).reshape(10, 4)
    exact = np.stack([palette / np.sqrt(10) - piece for piece in centre]).astype(np.float32)  # residuals to the one word
    faiss.copy_array_to_vector(exact.ravel(), index._faiss.pq.centroids)
    index.add(images)
    query = images[5]
    found = {one.image: one for one in index.search(query)}
    for i, one in enumerate(images):
        expected = match_descriptors(query.descriptors, one.descriptors, 0.8)
        close = expected.distances < 0.799  # float32 cannot decide at the threshold
        got = found[i].indices.tolist() if i in found else []
        assert [pair for pair, sure in zip(expected.indices.tolist(), close) if sure] == got
    np.testing.assert_array_equal(found[5].indices, np.column_stack([np.arange(40)] * 2))


def test_matches_are_one_to_one_in_every_image():
    index = LocalIndex(n_words=2, max_distance=None, random_state=0).add(IMAGES)
    for one in index.search(view(IMAGES[0], 3)):
        assert len(set(one.indices[:, 0])) == len(set(one.indices[:, 1])) == len(one)
        assert (np.diff(one.indices[:, 0]) > 0).all()


def test_more_probes_and_more_neighbours_find_more_votes():
    index = LocalIndex(n_words=20, n_probe=1, random_state=0).add(IMAGES)
    query, votes = view(IMAGES[4], 0, noise=0.12), []
    for index.n_probe, index.n_neighbours in ((1, 1), (5, 1), (20, 1), (20, 60)):
        votes.append(sum(len(one) for one in index.search(query)))
    assert votes[0] < votes[1] <= votes[2] <= votes[3]


def test_few_votes_are_not_verified_beyond_the_limit():
    index = LocalIndex(max_distance=None, random_state=0).add(IMAGES)
    result = index.retrieve(view(IMAGES[2], 0), n_verify=1, threshold=3.0)
    assert result.images[0] == 2 and (result.n_inliers[1:] == 0).all() and len(result.images) > 5
    votes = index.retrieve(view(IMAGES[2], 0), n_verify=0)
    assert (votes.n_inliers == 0).all() and (np.diff(votes.n_matches) <= 0).all()
    assert len(index.retrieve(view(IMAGES[2], 0), k=2).images) == 2


def test_images_without_features_keep_their_number():
    empty = LocalFeatureSet.empty(40, (200, 200))
    index = LocalIndex(random_state=0).add([empty, *IMAGES[:10], empty, empty]).add([IMAGES[10], empty])
    assert index.n_images_ == 15 and len(index) == 440
    assert index.retrieve(IMAGES[0]).images[0] == 1
    assert index.retrieve(IMAGES[10]).images[0] == 13
    assert index.retrieve(empty).images.shape == (0,) and index.search(empty) == []
    assert LocalIndex().add([empty]).n_images_ == 1


def test_training_apart_and_adding_in_pieces_equals_adding_at_once():
    whole = LocalIndex(random_state=0).add(IMAGES)
    parts = LocalIndex(random_state=0).train(ALL)
    for one in IMAGES:
        parts.add([one])
    for a, b in zip(whole.search(IMAGES[6]), parts.search(IMAGES[6]), strict=True):
        np.testing.assert_array_equal(a.indices, b.indices)
        np.testing.assert_array_equal(a.distances, b.distances)


def test_a_saved_index_searches_alike_and_can_grow(tmp_path):
    index = LocalIndex(n_words=4, n_probe=3, max_distance=0.8, random_state=0).add(IMAGES[:15])
    path = index.save(tmp_path / "folder" / "local.index")
    loaded = LocalIndex.load(path)
    assert repr(loaded) == repr(index) == "LocalIndex(15 images, 600 descriptors of 40, 4 words, 50 bits a code)"
    for one, two in zip(index.search(IMAGES[1]), loaded.search(IMAGES[1]), strict=True):
        np.testing.assert_array_equal(one.indices, two.indices)
        np.testing.assert_array_equal(one.points, two.points)
    assert loaded.add([IMAGES[19]]).retrieve(IMAGES[19]).images[0] == 15
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    path = LocalIndex(random_state=0).add(IMAGES).save(tmp_path / "a.index")
    with pytest.raises(FileNotFoundError, match=r"There is no index at b\.index"):
        LocalIndex.load(tmp_path / "b.index")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"a\.index is not a complete index"):
        LocalIndex.load(path)
    np.savez(tmp_path / "c.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match=r"c\.npz is not a complete index"):
        LocalIndex.load(tmp_path / "c.npz")


def test_a_code_of_50_bits_takes_7_bytes_as_faiss_says():
    index = LocalIndex(random_state=0).add(IMAGES)
    assert index.bytes_per_descriptor == {"code": 7, "number": 8, "point": 8, "total": 23}
    assert index._faiss.code_size == 7 and index._faiss.pq.ksub == 32
    assert LocalIndex(n_parts=8, bits=8).bytes_per_descriptor["code"] == 8


def test_small_sets_get_fewer_words_and_large_ones_the_papers():
    assert LocalIndex(random_state=0).train(ALL).n_words_ == 800 // 39
    assert LocalIndex(random_state=0).train(ALL[:35]).n_words_ == 1
    assert LocalIndex().n_words is None and (LocalIndex().n_parts, LocalIndex().bits, LocalIndex().n_probe) == (10, 5, 5)


@pytest.mark.parametrize(
    "call, kind, error",
    [
        (lambda: LocalIndex().train(ALL[:31]), ValueError, "`descriptors` must be at least 32 rows, one per centre of a code, but got 31"),
        (lambda: LocalIndex(n_words=900).train(ALL), ValueError, "`descriptors` must be at least `n_words` = 900 rows, but got 800"),
        (lambda: LocalIndex(n_parts=7).train(ALL), ValueError, "`n_parts` must be a divisor of the descriptors' length 40"),
        (lambda: LocalIndex().train(2 * ALL), ValueError, "`descriptors` must be rows of unit length, but got length 2 in row 0"),
        (lambda: LocalIndex().add(IMAGES).train(ALL), ValueError, "already holds 800 descriptors"),
        (lambda: LocalIndex().add(IMAGES[0]), TypeError, "`images` must be a sequence of LocalFeatureSet"),
        (lambda: LocalIndex().add([ALL]), TypeError, r"`images\[0\]` must be a LocalFeatureSet, but got ndarray"),
        (lambda: LocalIndex().add([IMAGES[0], image(0, 40, 20)]), ValueError, "descriptors of length 40, but got 20"),
        (lambda: LocalIndex().add(IMAGES).add([image(0, 40, 20)]), ValueError, r"`images\[0\]` must be features with descriptors of length 40"),
        (lambda: LocalIndex().add(IMAGES).search(image(0, 4, 20)), ValueError, "`query` must be features with descriptors of length 40"),
        (lambda: LocalIndex().add(IMAGES).search(ALL), TypeError, "`query` must be a LocalFeatureSet"),
        (lambda: LocalIndex().search(IMAGES[0]), ValueError, "The index is empty"),
        (lambda: LocalIndex(n_probe=0), ValueError, "`n_probe` must be an integer of at least 1"),
        (lambda: LocalIndex(bits=17), ValueError, "`bits` must be an integer between 1 and 16"),
        (lambda: LocalIndex(max_distance=0.0), ValueError, "`max_distance` must be a finite number above 0"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(call, kind, error):
    with pytest.raises(kind, match=error):
        call()
