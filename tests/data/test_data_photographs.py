"""The embedded photographs and their credits."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import data
from course_utils.data.photographs import _load_through_the_package, _rgb, photograph_array


@pytest.mark.parametrize("name", data.photograph_names())
def test_every_photograph_can_be_shown_and_has_a_credit(name):
    picture = data.photograph(name)
    assert picture.dtype == torch.uint8 and picture.ndim == 3 and picture.shape[0] == 3
    assert min(picture.shape[1:]) > 100 and picture.float().std() > 5
    credit = data.photograph_credits()[name]
    assert credit.endswith(".") and ("scikit-image" in credit or "scikit-learn" in credit)


@pytest.mark.parametrize("name", ["china", "coffee", "hubble", "motorcycle_right", "text"])
def test_a_photograph_read_from_the_wheel_is_the_one_the_package_loads(name):
    np.testing.assert_array_equal(photograph_array(name), _rgb(_load_through_the_package(name)))


def test_the_credits_name_the_photographers_of_scikit_learns_own_readme():
    readme = Path(find_spec("sklearn").submodule_search_locations[0]) / "datasets" / "images" / "README.txt"
    text = readme.read_text(encoding="utf-8")
    credits = data.photograph_credits()
    for name, author in (("china", "danielbuechele"), ("flower", "vultilion")):
        assert author in credits[name] and author in text
        assert "CC BY 2.0" in credits[name] and "creativecommons.org/licenses/by/2.0" in text


def test_the_two_motorcycles_are_a_stereo_pair_not_the_same_picture():
    left, right = data.photograph("motorcycle"), data.photograph("motorcycle_right")
    assert left.shape == right.shape and not torch.equal(left, right)


def test_an_unknown_photograph_is_refused_with_the_list_of_names():
    with pytest.raises(ValueError, match="`name` must be one of 'astronaut', .*'text', but got 'mona lisa'"):
        data.photograph("mona lisa")


def test_writing_into_a_photograph_does_not_change_the_next_one():
    data.photograph("camera").zero_()
    assert data.photograph("camera").float().mean() > 50


def test_importing_the_room_loads_neither_torch_nor_scikit_image():
    script = "import sys, course_utils.data; print([m for m in ('torch', 'skimage', 'sklearn', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    assert all(getattr(data, name) is not None for name in data.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = data.nonsense
