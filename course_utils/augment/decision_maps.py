"""What a classifier says about every point of the plane, and numbers that describe the picture.

**Problem.** Accuracy on a test set says nothing about the places between the examples. **Idea.** With two inputs the whole
input space is a picture: ask the network on a fine grid. These numbers go with it:

=====================================  =============================================================================
``DecisionMap.confident_share(0.95)``  the part of the plane where the network is at least that sure
``DecisionMap.boundary_length``        how long the border between the classes is: the same data, a shorter border
``DecisionMap.distances(points)``      how far each example is from the border
``intrusions``                         which mixed examples lie where another class lives: their label is wrong there
``participation_ratio``                along how many directions the hidden tensors of a class vary
``relative_spread``                    how wide the cloud of a class is, measured by the distance between the clouds
=====================================  =============================================================================

The plane is the box around the data, 1.1 times as wide and as high.

Sources: V. Verma et al., "Manifold Mixup", ICML 2019, arXiv:1806.05236 (figures of the plane, flattening of hidden
representations); H. Guo, Y. Mao, R. Zhang, "MixUp as Locally Linear Out-Of-Manifold Regularization", AAAI 2019,
arXiv:1809.02499 (manifold intrusion); the measures are the course's card 09, section 5.

Taught in ``15_mixing``, step 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.checks import checked_float, checked_int, checked_tensor, message

MARGIN = 1.1
RESOLUTION = 150


@dataclass(frozen=True)
class DecisionMap:
    """The answers of a classifier on a grid.

    Attributes
    ----------
    probabilities : Tensor of shape (R, R, K), float32
        Row i belongs to the i-th y from below, column j to the j-th x from the left; cell centres.
    box : (left, right, bottom, top)
        Of the grid, in data units.
    """

    probabilities: Tensor
    box: tuple[float, float, float, float]

    @property
    def confidence(self) -> Tensor:
        """Return the largest probability of each cell, (R, R)."""
        return self.probabilities.amax(2)

    @property
    def predicted(self) -> Tensor:
        """Return the class of each cell, (R, R) int64."""
        return self.probabilities.argmax(2)

    def confident_share(self, above: float = 0.95) -> float:
        """Return the part of the plane, in [0, 1], where the network is more than ``above`` sure."""
        return float((self.confidence > above).double().mean())

    @property
    def boundary(self) -> Tensor:
        """Return the places (M, 2) where two cells side by side have different classes; each is the side that they share."""
        across, up = self._changes
        left, right, bottom, top = self.box
        step_x, step_y = self._cell
        rows, columns = across.nonzero(as_tuple=True)
        beside = torch.stack([left + step_x * (columns + 1), bottom + step_y * (rows + 0.5)], dim=1)
        rows, columns = up.nonzero(as_tuple=True)
        above = torch.stack([left + step_x * (columns + 0.5), bottom + step_y * (rows + 1)], dim=1)
        return torch.cat([beside, above])

    @property
    def boundary_length(self) -> float:
        """Return the length of the border between classes, in data units.

        The border is drawn along the sides of cells: a slanted line is a staircase and counts up to 1.41 times its length. That
        is the same for every network, so lengths may be compared.
        """
        across, up = self._changes
        step_x, step_y = self._cell
        return float(across.sum()) * step_y + float(up.sum()) * step_x

    def distances(self, points: Tensor) -> Tensor:
        """Return the distance of points (N, 2) to the nearest place of the border, (N,); infinite where there is no border."""
        places = self.boundary
        if not len(places):
            return torch.full((len(points),), torch.inf)
        return torch.cdist(points, places.to(points.dtype)).amin(1)

    @property
    def _cell(self) -> tuple[float, float]:
        left, right, bottom, top = self.box
        rows, columns = self.probabilities.shape[:2]
        return (right - left) / columns, (top - bottom) / rows

    @property
    def _changes(self) -> tuple[Tensor, Tensor]:
        predicted = self.predicted
        return predicted[:, 1:] != predicted[:, :-1], predicted[1:] != predicted[:-1]


def plane_around(points: Tensor, margin: float = MARGIN) -> tuple[float, float, float, float]:
    """Return the box (left, right, bottom, top) around points (N, 2), ``margin`` times as wide and as high.

    Raises
    ------
    ValueError
        If there are no points, or all stand on one vertical or horizontal line.
    """
    checked_tensor(points, "points", ("N", 2))
    margin = checked_float(margin, "margin", above=0)
    if not len(points) or bool((points.amax(0) <= points.amin(0)).any()):
        raise ValueError(message("points", "points that span a rectangle", f"{len(points)} points on a line"))
    low, high = points.amin(0).double(), points.amax(0).double()
    middle, half = (low + high) / 2, (high - low) / 2 * margin
    (left, bottom), (right, top) = (middle - half).tolist(), (middle + half).tolist()
    return left, right, bottom, top


def grid_of(box: tuple[float, float, float, float], resolution: int = RESOLUTION) -> Tensor:
    """Return the centres of ``resolution`` x ``resolution`` cells, (R * R, 2) float32, row by row from below."""
    left, right, bottom, top = box
    centres = (torch.arange(checked_int(resolution, "resolution", low=2)) + 0.5) / resolution
    y, x = torch.meshgrid(bottom + (top - bottom) * centres, left + (right - left) * centres, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


@torch.no_grad()
def decision_map(
    logits_of: Callable[[Tensor], Tensor], box: tuple[float, float, float, float], resolution: int = RESOLUTION
) -> DecisionMap:
    """Return what a classifier says about every cell of a box.

    Parameters
    ----------
    logits_of : callable, points (N, 2) -> logits (N, K)
        A network in evaluation mode.
    box : (left, right, bottom, top)
        Such as ``plane_around(points)``.
    resolution : int, default 150
        Cells a side, at least 2.

    Examples
    --------
    >>> sure = decision_map(lambda xy: torch.stack([9 * xy[:, 0], -9 * xy[:, 0]], dim=1), (-1, 1, -1, 1), resolution=40)
    >>> round(sure.confident_share(0.95), 3), round(sure.boundary_length, 3)
    (0.85, 2.0)
    """
    logits = logits_of(grid_of(box, resolution))
    return DecisionMap(logits.float().softmax(1).reshape(resolution, resolution, -1), box)


def intrusions(mixed: Tensor, soft: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """Return for mixed examples whether they lie where another class lives, (M,) bool.

    A mixed example intrudes if the example nearest to it has a class that gets less than half of the mixed label. The network
    is then asked for one thing at this place by the data, and for another by the mixture.

    Parameters
    ----------
    mixed : Tensor of shape (M, 2)
    soft : Tensor of shape (M, K)
        Their labels.
    points : Tensor of shape (N, 2)
        The examples that were mixed, N at least 1.
    labels : Tensor of shape (N,), int64

    Examples
    --------
    >>> line = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    >>> intrusions(torch.tensor([[0.1, 0.0]]), torch.tensor([[1.0, 0.0]]), line, torch.tensor([0, 1, 0]))
    tensor([True])
    """
    nearest = labels[torch.cdist(mixed, points).argmin(1)] if len(mixed) else labels[:0]
    return soft.gather(1, nearest[:, None])[:, 0] < 0.5


def participation_ratio(hidden: Tensor, labels: Tensor) -> float:
    """Return along how many directions hidden tensors vary inside of their classes: 1 for a line, D for a ball.

    With s the singular values of the rows, each class moved to the origin: ``(sum s^2)^2 / sum s^4``. The paper says that
    manifold mixup makes it smaller ("flattening").

    Parameters
    ----------
    hidden : Tensor of shape (N, ...)
    labels : Tensor of shape (N,), int64

    Returns
    -------
    float
        0 if nothing varies.

    Examples
    --------
    >>> participation_ratio(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), torch.zeros(4, dtype=torch.long))
    2.0
    """
    inside, _ = _inside_and_centres(hidden, labels)
    energies = torch.linalg.svdvals(inside).square()
    total = float(energies.sum())
    return total**2 / float(energies.square().sum()) if total > 0 else 0.0


def relative_spread(hidden: Tensor, labels: Tensor) -> float:
    """Return the width of the class clouds, measured by the distance between them.

    The root of the mean squared distance of a hidden tensor to the centre of its class, over the root of the mean squared
    distance between two centres. Blends of two tight and distant clouds have clear labels.

    Parameters
    ----------
    hidden : Tensor of shape (N, ...)
    labels : Tensor of shape (N,), int64
        At least two different ones.

    Raises
    ------
    ValueError
        If there is one class only.

    Examples
    --------
    >>> relative_spread(torch.tensor([[0.0], [2.0], [10.0], [12.0]]), torch.tensor([0, 0, 1, 1]))
    0.1
    """
    inside, centres = _inside_and_centres(hidden, labels)
    if len(centres) < 2:
        raise ValueError(message("labels", "of at least two classes", str(labels.unique().tolist())))
    return float(inside.square().sum(1).mean().sqrt() / torch.pdist(centres).square().mean().sqrt())


def _inside_and_centres(hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of ``hidden`` moved so that each class has its centre at the origin, and the centres (K, D)."""
    rows = hidden.double().flatten(1)
    classes, index = labels.unique(return_inverse=True)
    centres = torch.stack([rows[labels == k].mean(0) for k in classes])
    return rows - centres[index], centres
