"""NetVLAD against its definition, its limit cases and hard VLAD."""

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from course_utils.retrieval import VLAD, NetVLAD, alpha_from_gaps, assignment_gaps
from course_utils.retrieval.codebook import learn_codebook
from course_utils.retrieval.netvlad import KMEANS_ITERATIONS


def features(seed=0, b=2, n=7, d=5, dtype=torch.float64):
    return torch.randn(b, n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def layer(variant="v1", d=5, k=3, dtype=torch.float64, seed=0, **options):
    net = NetVLAD(d, k, variant, generator=torch.Generator().manual_seed(seed), **options).to(dtype)
    rows = np.random.default_rng(seed).normal(size=(200, d))
    return net.init_from(rows, random_state=seed)


@torch.no_grad()
def reference(net, x):
    """The definition, one descriptor and one cluster at a time."""
    out = []
    for image in x:
        blocks = torch.zeros(net.n_clusters, net.dim, dtype=x.dtype)
        for row in image:
            if row.norm() == 0:
                continue
            row = row / row.norm() if net.normalize_input else row
            scores = [net.assignment_weight[k] @ row for k in range(net.n_clusters)]
            if net.assignment_bias is not None:
                scores = [s + net.assignment_bias[k] for k, s in enumerate(scores)]
            weights = [math.exp(float(s - max(scores))) for s in scores]
            for k in range(net.n_clusters):
                blocks[k] += weights[k] / sum(weights) * (row - net.centers[k])
        blocks = torch.stack([b / max(float(b.norm()), 1e-12) for b in blocks])
        out.append(blocks.flatten() / max(float(blocks.norm()), 1e-12))
    return torch.stack(out)


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_netvlad_is_its_double_loop(variant):
    net, x = layer(variant), features()
    torch.testing.assert_close(net(x), reference(net, x), atol=1e-10, rtol=0)


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_a_feature_map_and_its_list_of_locations_give_the_same_vector(variant):
    net, x = layer(variant), torch.randn(3, 5, 2, 4, dtype=torch.float64)
    torch.testing.assert_close(net(x), net(x.flatten(2).transpose(1, 2)))
    torch.testing.assert_close(net(x.contiguous(memory_format=torch.channels_last)), net(x))


@pytest.mark.parametrize(("alpha", "tolerance"), [(1e3, 4e-2), (1e5, 1e-9)])
def test_v2_becomes_hard_vlad_as_alpha_grows(alpha, tolerance):
    rows = np.random.default_rng(3).normal(size=(60, 6))
    centers = np.random.default_rng(4).normal(size=(4, 6))
    net = NetVLAD(6, 4, "v2", normalize_input=False).double()
    net.init_from(rows, centers=centers).set_alpha(alpha)
    hard = VLAD.from_centers(centers, normalization="intra").transform([rows])[0]
    soft = net(torch.from_numpy(rows)[None])[0].detach().numpy()
    assert np.abs(soft - hard).max() < tolerance + 1e-6  # VLAD answers in float32


def test_v2_with_unit_descriptors_becomes_hard_vlad_too():
    rows = F.normalize(features(5, b=1, n=80, d=6)[0], dim=1)
    net = layer("v2", d=6, k=5).set_alpha(1e6)
    hard = VLAD.from_centers(net.centers.detach().numpy(), normalization="intra").transform([rows.numpy()])[0]
    np.testing.assert_allclose(net(rows[None])[0].detach().numpy(), hard, atol=1e-6)


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_without_sharpness_every_cluster_gets_an_equal_share(variant):
    net, x = layer(variant).set_alpha(0.0), features()
    unit = F.normalize(x, dim=2)
    expected = (unit.shape[1] / 3) * (unit.mean(1)[:, None] - net.centers)
    torch.testing.assert_close(net.assignment(x), torch.full((2, 7, 3), 1 / 3, dtype=torch.float64))
    torch.testing.assert_close(net.residual_sums(x), expected)


def test_shifting_all_weights_and_all_biases_changes_nothing():
    net, x = layer("v2"), features()
    before = net(x)
    with torch.no_grad():
        net.assignment_weight += torch.randn(5, dtype=torch.float64)
        net.assignment_bias += 3.7
    torch.testing.assert_close(net(x), before, atol=1e-9, rtol=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), k=st.integers(1, 5))
def test_order_of_locations_does_not_matter_rows_sum_to_one_and_the_vector_has_unit_length(seed, n, k):
    x = features(seed, b=2, n=n)
    net = NetVLAD(5, k, "v2", generator=torch.Generator().manual_seed(seed)).double().set_alpha(20.0)
    permutation = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(net(x[:, permutation]), net(x), atol=1e-9, rtol=0)
    torch.testing.assert_close(net.assignment(x).sum(2), torch.ones(2, n, dtype=torch.float64))
    torch.testing.assert_close(net(x).norm(dim=1), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_first_to_second_weight_is_100_in_the_geometric_mean_after_initialisation(variant):
    rows = np.random.default_rng(1).normal(size=(300, 5))
    net = NetVLAD(5, 6, variant).double().init_from(rows, random_state=0)
    logits = torch.log(net.assignment(torch.from_numpy(rows)[None])[0].detach()).sort(dim=1).values
    log_ratio = logits[:, -1] - logits[:, -2]
    assert float(log_ratio.mean().exp()) == pytest.approx(100, rel=1e-6)
    assert float(log_ratio.exp().mean()) > 1000, "the arithmetic mean is something else altogether"


def test_the_gap_of_v1_uses_normalised_centres_and_that_of_v2_squared_distances():
    rows, centers = np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    assert assignment_gaps(rows, centers, "v1") == pytest.approx([1.0])  # 1 and 0
    assert assignment_gaps(rows, centers, "v2") == pytest.approx([3.0])  # 1 and 4; the third centre is second


def test_alpha_is_ln_100_over_the_mean_gap():
    assert alpha_from_gaps([0.1, 0.3]) == pytest.approx(math.log(100) / 0.2)


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_weights_after_initialisation_are_those_of_the_table(variant):
    net = layer(variant)
    if variant == "v1":
        torch.testing.assert_close(net.assignment_weight, net.alpha * F.normalize(net.centers, dim=1))
        assert net.assignment_bias is None
    else:
        torch.testing.assert_close(net.assignment_weight, 2 * net.alpha * net.centers)
        torch.testing.assert_close(net.assignment_bias, -net.alpha * net.centers.square().sum(1))


def test_without_centres_it_starts_from_the_codebook_of_vlad_on_the_unit_rows():
    rows = np.random.default_rng(0).normal(size=(200, 6))
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    seed = int(np.random.default_rng(4).integers(2**31 - 1))
    centers, _ = learn_codebook(unit, 5, KMEANS_ITERATIONS, seed)
    np.testing.assert_array_equal(NetVLAD(6, 5).init_from(rows, random_state=4).centers.detach().numpy(), centers)


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_the_start_does_not_depend_on_the_number_of_threads(variant):
    rows = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    starts = []
    for n in (1, 2):
        with threadpool_limits(n):
            starts.append(NetVLAD(16, 8, variant).init_from(rows, random_state=3).state_dict())
    for name in ("centers", "assignment_weight"):
        assert torch.equal(starts[0][name], starts[1][name])


def test_init_from_clusters_what_is_aggregated():
    rows = np.random.default_rng(0).normal(size=(100, 4)) * np.geomspace(1e-3, 1e3, 100)[:, None]
    scaled = NetVLAD(4, 3).init_from(rows, random_state=0)
    unit = NetVLAD(4, 3).init_from(rows / np.linalg.norm(rows, axis=1, keepdims=True), random_state=0)
    torch.testing.assert_close(scaled.centers, unit.centers, atol=1e-6, rtol=0)


def test_given_centres_are_used_as_they_are():
    centers = np.eye(3)
    net = NetVLAD(3, 3, "v2").init_from(np.random.default_rng(0).normal(size=(20, 3)), centers=centers)
    np.testing.assert_array_equal(net.centers.detach().numpy(), centers)


def test_coinciding_centres_warn_and_keep_alpha_finite():
    with pytest.warns(RuntimeWarning, match="centres coincide"):
        net = NetVLAD(3, 2).init_from(np.random.default_rng(0).normal(size=(20, 3)), centers=np.ones((2, 3)))
    assert net.alpha == pytest.approx(math.log(100) / 1e-6)
    assert torch.isfinite(net(torch.randn(1, 4, 3))).all()


def test_all_zero_features_count_as_nothing():
    net, x = layer("v2"), features()
    padded = torch.cat([x, torch.zeros(2, 3, 5, dtype=torch.float64)], dim=1)
    torch.testing.assert_close(net(padded), net(x))
    assert net.assignment(padded)[:, -3:].abs().max() == 0


def test_a_mask_leaves_locations_out():
    net, x = layer(), features(n=6)
    mask = torch.tensor([[True] * 4 + [False] * 2] * 2)
    torch.testing.assert_close(net(x, mask), net(x[:, :4]))
    grid = x.transpose(1, 2).reshape(2, 5, 2, 3)
    torch.testing.assert_close(net(grid, mask.reshape(2, 2, 3)), net(x[:, :4]))


def test_an_image_without_valid_features_is_the_zero_vector_with_finite_gradient():
    net = layer()
    x = torch.zeros(1, 4, 5, dtype=torch.float64, requires_grad=True)
    out = net(x)
    out.sum().backward()
    assert out.abs().max() == 0
    assert torch.isfinite(x.grad).all()


def test_an_empty_soft_cluster_stays_zero_with_finite_gradient():
    net = NetVLAD(3, 2, "v2").init_from(np.random.default_rng(0).normal(size=(20, 3)), centers=[[1, 0, 0], [-1, 0, 0]])
    net.set_alpha(1e4)
    x = torch.tensor([[[1.0, 0.1, 0.0], [1.0, -0.1, 0.2]]], requires_grad=True)
    out = net(x)
    out.sum().backward()
    assert out[0, 3:].abs().max() < 1e-6
    assert torch.isfinite(x.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_one_image_one_location_one_cluster_work():
    assert layer(k=3)(torch.randn(1, 5, 1, 1, dtype=torch.float64)).shape == (1, 15)
    net = NetVLAD(5, 1).double().init_from(np.random.default_rng(0).normal(size=(9, 5)))
    x = features(b=1)
    residual = F.normalize(x, dim=2).sum(1) - 7 * net.centers
    torch.testing.assert_close(net(x), F.normalize(residual, dim=1))


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_gradients_are_right(variant):
    net, x = layer(variant, d=3, k=2).set_alpha(2.0), features(b=2, n=4, d=3).requires_grad_()
    names = [name for name, _ in net.named_parameters()]

    def call(x, *parameters):
        return torch.func.functional_call(net, dict(zip(names, parameters)), (x,))

    assert torch.autograd.gradcheck(call, (x, *(p for p in net.parameters())))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_input_is_aggregated_in_float32(dtype):
    net, x = layer(dtype=torch.float32), features(dtype=torch.float32).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = net(x)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, net(x.float()))
    half = layer(dtype=torch.float32).to(dtype)(x)
    assert half.dtype == dtype
    assert torch.isfinite(half).all()


def test_a_compiled_layer_captures_one_whole_graph():
    net, x = layer(dtype=torch.float32), features(dtype=torch.float32)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x))


def test_the_state_dict_carries_alpha():
    net, other = layer("v2"), NetVLAD(5, 3, "v2").double()
    other.load_state_dict(net.state_dict())
    assert other.alpha == net.alpha
    torch.testing.assert_close(other(features()), net(features()))


def test_centres_and_assignment_are_independent_parameters():
    net = layer("v2")
    net(features()).square()[:, :5].sum().backward()
    assert {n for n, p in net.named_parameters() if p.grad is not None} == {"centers", "assignment_weight", "assignment_bias"}
    with torch.no_grad():
        before = net.assignment(features())
        net.centers += 1.0
    torch.testing.assert_close(net.assignment(features()), before)


def test_the_same_seed_gives_the_same_layer():
    rows = np.random.default_rng(0).normal(size=(100, 5))
    one, two = (NetVLAD(5, 4).init_from(rows, random_state=7) for _ in range(2))
    torch.testing.assert_close(one.centers, two.centers, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: NetVLAD(5, 3, "v3"), ValueError, "`variant` must be one of 'v1', 'v2'"),
        (lambda: NetVLAD(0), ValueError, "`dim` must be an integer of at least 1"),
        (lambda: NetVLAD(5, 3, "v1", normalize_input=False), ValueError, "v1 compares directions"),
        (lambda: NetVLAD(5, 3)(torch.zeros(2, 4, 6)), ValueError, "of shape (B, 5, H, W) or (B, N, 5)"),
        (lambda: NetVLAD(5, 3)(torch.zeros(2, 5)), ValueError, "of shape (B, 5, H, W) or (B, N, 5)"),
        (lambda: NetVLAD(5, 3)(torch.zeros(2, 4, 5, dtype=torch.int64)), TypeError, "floating-point"),
        (lambda: NetVLAD(5, 3)(torch.zeros(2, 4, 5), torch.ones(2, 3)), ValueError, "one entry per location"),
        (lambda: NetVLAD(5, 3).init_from(np.ones((2, 5))), ValueError, "at least 3 rows that are not zero"),
        (lambda: NetVLAD(5, 3).init_from(np.zeros((9, 5))), ValueError, "but got 0"),
        (lambda: NetVLAD(5, 3).init_from(np.full((9, 5), np.nan)), ValueError, "`descriptors` must be finite"),
        (lambda: NetVLAD(5, 3).init_from(np.ones((9, 4))), ValueError, "(N, 5)"),
        (lambda: assignment_gaps([[1.0]], [[1.0]]), ValueError, "a gap needs a second centre"),
        (lambda: alpha_from_gaps([-1.0]), ValueError, "none negative"),
        (lambda: alpha_from_gaps([]), ValueError, "at least one number"),
    ],
)
def test_wrong_input_is_named(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)


def test_a_good_initialisation_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer()
