"""A network in use: evaluation mode, a part at a time, and every part's own mode afterwards."""

import pytest
import torch
from torch import nn

from course_utils.training import evaluating, in_parts


def network_with_a_frozen_norm() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.BatchNorm1d(4)).train()
    network[3].eval()
    return network


def test_every_part_gets_its_own_mode_back_even_after_an_error():
    network = network_with_a_frozen_norm()
    with pytest.raises(RuntimeError, match="stop"), evaluating(network):
        assert not any(part.training for part in network.modules())
        raise RuntimeError("stop")
    assert [part.training for part in network] == [True, True, True, False]
    assert network.training


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_parts_do_not_change_the_result(batch_size):
    network, inputs = network_with_a_frozen_norm(), torch.randn(7, 3)
    with evaluating(network), torch.no_grad():
        expected = network(inputs)
    found = in_parts(network, network, inputs, batch_size)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
    assert network[0].weight.grad is None and network[1].running_mean.eq(0).all()  # nothing was learned on the way


def test_no_input_gives_no_output_and_half_precision_comes_back_as_float32():
    network = nn.Linear(3, 2).double()
    assert in_parts(network, network, torch.zeros(0, 3).double()).shape == (0, 2)
    assert in_parts(network, network, torch.zeros(4, 3).double()).dtype == torch.float32


def test_a_batch_size_of_zero_is_refused():
    network = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 1, but got 0"):
        in_parts(network, network, torch.zeros(4, 3), batch_size=0)
