"""PCA-whitening against its definition and scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn.covariance import OAS
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from course_utils.retrieval import PCAWhitening

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)) @ RNG.normal(size=(6, 6)) + 3
FEW = RNG.normal(size=(8, 20))


@pytest.mark.filterwarnings("ignore:Whitening to")
@parametrize_with_checks([PCAWhitening(), PCAWhitening(n_components=1, whiten=False)])
def test_scikit_learns_own_estimator_checks(estimator, check):
    check(estimator)


def test_whitened_training_vectors_have_the_identity_as_covariance():
    z = PCAWhitening(4, normalize=False).fit_transform(X)
    np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=1e-4)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-10)


def test_full_rank_pca_preserves_inner_products_of_centred_vectors():
    z = PCAWhitening(whiten=False, normalize=False).fit_transform(X)
    centred = X - X.mean(0)
    np.testing.assert_allclose(z @ z.T, centred @ centred.T, atol=1e-9)


@pytest.mark.parametrize("data", [X, FEW], ids=["more vectors than dimensions", "fewer"])
def test_variances_and_directions_are_those_of_scikit_learn(data):
    d = min(data.shape[1], len(data) - 1)
    ours, theirs = PCAWhitening(d, whiten=False).fit(data), PCA(d, svd_solver="full").fit(data)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-8)
    np.testing.assert_allclose(np.abs(np.sum(ours.components_ * theirs.components_, axis=1)), 1, atol=1e-8)
    np.testing.assert_allclose(ours.components_ @ ours.components_.T, np.eye(d), atol=1e-10)


def test_a_softer_exponent_leaves_the_variances_to_the_power_of_what_is_missing():
    model = PCAWhitening(3, exponent=0.25, normalize=False).fit(X)
    np.testing.assert_allclose(model.transform(X).var(0, ddof=1), np.sqrt(model.explained_variance_), rtol=1e-6)


def test_shrinkage_pulls_the_variances_to_their_mean_and_full_shrinkage_is_pca():
    model = PCAWhitening(shrinkage=0.3).fit(X)
    expected = 0.7 * model.explained_variance_ + 0.3 * model.explained_variance_.mean()
    np.testing.assert_allclose(model.shrunk_variance_, expected)
    np.testing.assert_allclose(
        PCAWhitening(shrinkage=1.0).fit_transform(X), PCAWhitening(whiten=False).fit_transform(X), atol=1e-6
    )


@pytest.mark.parametrize("data", [X[:15], FEW], ids=["more vectors than dimensions", "fewer"])
def test_oas_shrinkage_is_the_papers_formula(data):
    n, p = data.shape
    s = np.cov(data.T, bias=True)
    t1, t2 = np.trace(s), np.trace(s @ s)
    expected = ((1 - 2 / p) * t2 + t1**2) / ((n + 1 - 2 / p) * (t2 - t1**2 / p))
    assert PCAWhitening(2, shrinkage="oas").fit(data).shrinkage_ == pytest.approx(expected, rel=1e-9)


def test_oas_shrinkage_tends_to_that_of_scikit_learn_which_drops_two_terms():
    data = RNG.normal(size=(40, 400)) * np.linspace(1, 5, 400)
    ours = PCAWhitening(2, shrinkage="oas").fit(data).shrinkage_
    assert ours == pytest.approx(OAS().fit(data).shrinkage_, rel=2e-3)


def test_results_have_unit_length_in_the_dtype_of_the_input():
    z = PCAWhitening(3).fit(X).transform(X.astype(np.float32))
    assert z.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-5)


def test_a_vector_of_zeros_stays_zero():
    assert not PCAWhitening(3).fit(X).transform(np.zeros((1, 6))).any()


def test_identical_vectors_do_not_become_nan():
    z = PCAWhitening(2, whiten=True, shrinkage="oas").fit_transform(np.ones((30, 4)))
    assert np.isfinite(z).all()


def test_more_components_than_the_vectors_determine_are_refused_in_words():
    with pytest.raises(ValueError, match="at most 7 .8 training vectors of 20 dimensions determine at most 7 directions.*got 8"):
        PCAWhitening(8).fit(FEW)


def test_whitening_with_few_vectors_warns_and_shrinkage_or_no_whitening_does_not():
    with pytest.warns(UserWarning, match="Whitening to 4 dimensions from 8 training vectors, 2.0 per dimension"):
        PCAWhitening(4).fit(FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PCAWhitening(4, shrinkage="oas").fit(FEW)
        PCAWhitening(4, whiten=False).fit(FEW)
        PCAWhitening(6).fit(X)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"exponent": 1.5}, "`exponent`"),
        ({"shrinkage": "auto"}, "`shrinkage` must be a number between 0 and 1, or 'oas'"),
        ({"shrinkage": 2.0}, "`shrinkage`"),
        ({"n_components": 0}, "`n_components`"),
        ({"eps": -1.0}, "`eps`"),
    ],
)
def test_wrong_parameters_are_refused_in_words(parameters, text):
    with pytest.raises(ValueError, match=text):
        PCAWhitening(**parameters).fit(X)
