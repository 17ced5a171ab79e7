"""Several moves, one map: the plans are multiplied, and the image is read once.

Every reading between pixels blurs a little, and every hull around a turned box is a little larger than the last. Ten turns by
36 degrees, one after the other, bring back a pale image and a huge box. Multiplied first, they are the identity.

Source: the course's card 07, section 0.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.plan import GeometryPlan
from course_utils.augment.sampling import uniform
from course_utils.augment.spatial import SpatialTransform
from course_utils.checks import message


class SpatialChain(SpatialTransform):
    """Several spatial transforms in a row, multiplied into one map: the image is read once.

    Parameters
    ----------
    transforms : sequence of SpatialTransform
        In order of application, each with its own gate ``p``. Their own ``fill``, ``padding`` and so on do not count: the
        chain reads the image, with its own.
    **reading
        As in ``SpatialTransform``.

    Convention
        Reading once blurs once, and keeps what a crop would have cut off: a rotation after a crop shows the pixels beside the
        crop instead of empty corners. The parameters are a ``GeometryPlan``; ``sample_steps`` gives those of the steps.

    Raises
    ------
    TypeError
        If a step is no spatial transform, or looks at boxes as ``IoUCrop`` does.

    Examples
    --------
    >>> from course_utils.augment import Flip, Rotation
    >>> chain = SpatialChain([Flip(p=1.0), Rotation((180, 180)), Flip("vertical", p=1.0)])
    >>> image = torch.rand(3, 4, 6)
    >>> torch.equal(chain(image), image)
    True
    """

    def __init__(self, transforms: Sequence[SpatialTransform], **reading: Any) -> None:
        super().__init__(**reading)
        for step in transforms:
            if not isinstance(step, SpatialTransform) or step.needs_boxes:
                expected = "spatial transforms that do not look at boxes"
                raise TypeError(message("transforms", expected, type(step).__name__, "Put it before the chain."))
        self.transforms = torch.nn.ModuleList(transforms)

    def sample_steps(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> list[tuple[Tensor, Any]]:
        """Draw the gate (bool, n) and the parameters of every step, in order; a step that is not active has parameters too."""
        steps = []
        for step in self.transforms:
            active = torch.ones(n, dtype=torch.bool, device=device)
            if step.p < 1:
                active = uniform(n, 0, 1, generator, device) < step.p
            params = step.sample(n, shape, generator, device)
            shape = (shape[0], *step.plan(params, tuple(shape[1:])).size)
            steps.append((active, params))
        return steps

    def fuse(self, steps: Sequence[tuple[Tensor, Any]], size: tuple[int, int], device: Any = None) -> GeometryPlan:
        """Return the one plan of all steps, for images of ``size`` (H, W)."""
        plan = None
        for transform, (active, params) in zip(self.transforms, steps):
            following = transform.plan(params, size if plan is None else plan.size).only(active)
            plan = following if plan is None else plan.then(following)
        return plan

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> GeometryPlan:
        """Draw every step, and multiply their maps."""
        size = tuple(shape[1:])
        if not len(self.transforms):
            return GeometryPlan.identity(n, size, device)
        return self.fuse(self.sample_steps(n, shape, generator, device), size)

    def plan(self, params: GeometryPlan, size: tuple[int, int]) -> GeometryPlan:
        """Return ``params``: they are the plan."""
        return params
