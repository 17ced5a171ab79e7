"""One plan for all geometry: image, mask, box and key point read the same map.

**Problem.** Libraries move the image with one piece of code and the boxes with another. Each piece has its own idea of where
a pixel is, and the label ends up one pixel away from its object. **Idea.** A geometric transform is a map of the plane.
Write the map down once; let everything that lives in the plane read it.

**Where a pixel is.** Pixel (row i, column j) is the square [j, j+1) x [i, i+1). Its centre is (j + 0.5, i + 0.5). Points are
(x, y), boxes (x1, y1, x2, y2), all of them real numbers. The canvas is [0, W] x [0, H].

==================  ==================  =============================================================================
name in code        symbol              meaning
==================  ==================  =============================================================================
``matrix``          M                   forward map (3, 3): a point p of the source lands at M p
``displacement``    D                   for the output point q, the source point is ``M^-1 q + D(q)``; pixels of the source
``size``            (H', W')            canvas of the output
``source``          (H, W)              canvas of the input
==================  ==================  =============================================================================

* image: for the centre q of an output pixel, read the source at ``M^-1 q + D(q)``, bilinear;
* mask: the same place, nearest pixel; what lies outside gets a class of its own, never a mixture of two classes;
* point: ``M p``, divided by the third coordinate. With D, the q that satisfies ``M^-1 q + D(q) = p`` (fixed point);
* box: the hull of its moved outline, not clipped (``targets`` clips, once, at the end).

**Chains.** ``first.then(second)`` multiplies the matrices. The image is then read once, and blurred once, for a chain of any
length; a box is inflated once. A crop inside a chain hides nothing: a later rotation reads the pixels beside the crop.

**Exact rows.** A map that sends pixel squares to pixel squares (flip, quarter turn, whole-pixel crop) copies pixels. It is
found by itself, row by row, and gives the same values bit by bit.

Source: the course's card 07, section 0. Grid convention: ``torch.nn.functional.grid_sample`` with ``align_corners=False``.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.augment import resample
from course_utils.checks import checked_choice, checked_tensor, message

OUTLINE = 16  # points along a side of a box, where straight lines bend
FIXED_POINT_STEPS, FIXED_POINT_TOLERANCE = 50, 1e-4  # steps at most, pixels


@dataclass(frozen=True)
class GeometryPlan:
    """A map of the plane for every image of a batch.

    Attributes
    ----------
    matrix : Tensor of shape (B, 3, 3), float64 where the device has it
        Forward map on continuous pixel coordinates.
    size : tuple of int
        Output canvas (H', W').
    source : tuple of int
        Input canvas (H, W).
    displacement : Tensor of shape (B, 2, H', W'), optional
        Inverse displacement (x, y) in source pixels, given at the centres of the output pixels.
    window : Tensor of int, shape (B, 4), optional
        Part (x1, y1, x2, y2) of the source that is resized to the whole output. Pixels beside it are not read, as if it had
        been cut out before.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """

    matrix: Tensor
    size: tuple[int, int]
    source: tuple[int, int]
    displacement: Tensor | None = None
    window: Tensor | None = None

    def __post_init__(self) -> None:
        if self.matrix.ndim != 3 or self.matrix.shape[1:] != (3, 3):
            raise ValueError(message("matrix", "of shape (B, 3, 3)", f"shape {tuple(self.matrix.shape)}"))
        if min(*self.size, *self.source) < 1:
            raise ValueError(message("size", "a canvas with at least one pixel", f"{self.source} to {self.size}"))
        expected = (len(self.matrix), 2, *self.size)
        if self.displacement is not None and self.displacement.shape != expected:
            raise ValueError(message("displacement", f"of shape {expected}", f"shape {tuple(self.displacement.shape)}"))

    def __len__(self) -> int:
        return len(self.matrix)

    @classmethod
    def identity(cls, n: int, size: tuple[int, int], device: torch.device | str | None = None) -> GeometryPlan:
        """Return the plan of ``n`` images that changes nothing.

        >>> GeometryPlan.identity(2, (4, 6)).points(torch.tensor([[1.0, 2.0]]))[1]
        tensor([[1., 2.]])
        """
        return cls(torch.eye(3, dtype=matrix_dtype(device), device=device).repeat(n, 1, 1), tuple(size), tuple(size))

    # ---------------------------------------------------------------------------------------------------------- algebra

    def then(self, following: GeometryPlan) -> GeometryPlan:
        """Return the plan of this map followed by another one: one matrix product.

        Raises
        ------
        ValueError
            If ``following`` starts from another canvas, or has another number of rows.

        Examples
        --------
        >>> right = GeometryPlan(translation(torch.tensor([[2.0, 0.0]])), (4, 6), (4, 6))
        >>> right.then(right).points(torch.tensor([[0.5, 0.5]]))
        tensor([[[4.5000, 0.5000]]])
        """
        if following.source != self.size or len(following) != len(self):
            got = f"{len(following)} rows on {following.source}"
            raise ValueError(message("following", f"a plan of {len(self)} rows that starts from {self.size}", got))
        joined = GeometryPlan(following.matrix @ self.matrix, following.size, self.source)
        if self.displacement is None and following.displacement is None:
            return joined
        between = following.source_points()  # where the output looks in the canvas between the two
        places = self._inverse_points(between.flatten(1, 2)).view_as(between)
        extra = places - joined.source_points()
        return replace(joined, displacement=extra.permute(0, 3, 1, 2).to(torch.float32))

    def only(self, active: Tensor) -> GeometryPlan:
        """Return a plan that leaves the rows that are not ``active`` (bool, B) as they are.

        Raises
        ------
        ValueError
            If the plan changes the canvas: an image that stays as it is would not fit into the batch.
        """
        if bool(active.all()):
            return self
        if self.size != self.source:
            raise ValueError(message("active", "all true where the size changes", f"{self.source} to {self.size}"))
        keep = active.view(-1, 1, 1)
        matrix = torch.where(keep, self.matrix, torch.eye(3, dtype=self.matrix.dtype, device=self.matrix.device))
        displacement = None if self.displacement is None else self.displacement * keep[..., None]
        whole = torch.tensor([0, 0, self.source[1], self.source[0]], device=self.matrix.device)
        window = None if self.window is None else torch.where(active[:, None], self.window, whole)
        return replace(self, matrix=matrix, displacement=displacement, window=window)

    def inverse_matrix(self) -> Tensor:
        """Return M^-1 of every row, (B, 3, 3), in closed form."""
        return inverse_3x3(self.matrix)

    def is_mirrored(self) -> Tensor:
        """Tell which rows turn left into right, bool (B,): the map reverses the sense of rotation."""
        centre = self.matrix.new_tensor([self.source[1] / 2, self.source[0] / 2, 1.0])
        return torch.linalg.det(self.matrix) * (self.matrix[:, 2] @ centre) < 0

    def is_affine(self) -> bool:
        """Tell whether every row keeps parallel lines parallel (and has no displacement)."""
        last = self.matrix.new_tensor([0.0, 0.0, 1.0])
        return self.displacement is None and bool((self.matrix[:, 2] == last).all())

    def folds(self) -> Tensor:
        """Tell which displacements fold the plane over, bool (B,): two places of the output show one of the source.

        The test is the sign of the Jacobian of ``q + D(q)`` between neighbouring pixels.
        """
        if self.displacement is None:
            return torch.zeros(len(self), dtype=torch.bool, device=self.matrix.device)
        d = F.pad(self.displacement.float(), (0, 1, 0, 1), mode="replicate")
        along_x = d[:, :, :-1, 1:] - d[:, :, :-1, :-1]  # (B, 2, H', W'): dD/dx
        along_y = d[:, :, 1:, :-1] - d[:, :, :-1, :-1]
        linear = self.inverse_matrix()[:, :2, :2].float()[..., None, None]
        a, b = linear[:, 0, 0] + along_x[:, 0], linear[:, 0, 1] + along_y[:, 0]
        c, e = linear[:, 1, 0] + along_x[:, 1], linear[:, 1, 1] + along_y[:, 1]
        sign = torch.linalg.det(self.matrix).sign().view(-1, 1, 1)
        return ((a * e - b * c) * sign <= 0).flatten(1).any(1)

    # ----------------------------------------------------------------------------------------------------------- pixels

    def source_points(self) -> Tensor:
        """Return where every output pixel looks in the source, (B, H', W', 2), in pixels."""
        return resample.source_points(self.inverse_matrix(), self.size, self.displacement)

    def images(
        self,
        images: Tensor,
        fill: resample.Fill = 0.0,
        padding: str = "fill",
        interpolation: str = "bilinear",
        antialias: bool = False,
    ) -> Tensor:
        """Return the moved images.

        Parameters
        ----------
        images : Tensor of shape (B, C, H, W)
            uint8 or floating; the dtype stays.
        fill : float, sequence of C floats, or "mean", default 0
            Colour of what lies outside of the source, in the units of the images; ``"mean"`` is the mean colour of each image.
        padding : {"fill", "reflection", "border"}, default "fill"
            Outside: the colour ``fill``; the image mirrored at its border (the border pixel comes twice); the border pixel
            repeated.
        interpolation : {"bilinear", "nearest"}, default "bilinear"
        antialias : bool, default False
            Average over what falls into an output pixel where the map shrinks. A resized window uses torchvision's triangle
            filter, any other map samples every output pixel several times.

        Returns
        -------
        Tensor of shape (B, C, H', W')

        Raises
        ------
        TypeError, ValueError
            If ``images`` do not fit the plan or an option is not one of those above.
        """
        checked_tensor(images, "images", ("B", "C", *self.source), floating=False)
        self._check_rows(images, "images")
        checked_choice(padding, "padding", ("fill", "reflection", "border"))
        checked_choice(interpolation, "interpolation", ("bilinear", "nearest"))
        colour = resample.fill_colour(fill, images)
        if not len(self):
            return images.new_zeros(0, images.shape[1], *self.size)
        if self.window is not None:
            return resample.resized_windows(images, self.window, self.size, interpolation, antialias)
        inverse = self.inverse_matrix()
        exact = resample.exact_rows(inverse)
        if self.displacement is not None:
            middle = self.displacement[:, :, self.size[0] // 2, self.size[1] // 2]
            exact = exact & (middle == 0).all(1)
            if bool(exact.any()):  # seldom: then look at every pixel
                exact = exact & (self.displacement == 0).flatten(1).all(1)
        if not bool(exact.any()):
            return self._warped(images, colour, padding, interpolation, antialias)
        if bool(exact.all()):
            return resample.copied(images, inverse, self.size, colour, padding)
        out = images.new_empty(len(self), images.shape[1], *self.size)
        for part, is_exact in ((exact.nonzero()[:, 0], True), ((~exact).nonzero()[:, 0], False)):
            plan, some, ink = self[part], images[part], colour[part] if len(colour) > 1 else colour
            if is_exact:
                out[part] = resample.copied(some, plan.inverse_matrix(), self.size, ink, padding)
            else:
                out[part] = plan._warped(some, ink, padding, interpolation, antialias)
        return out

    def masks(self, masks: Tensor, ignore_index: int = 255) -> Tensor:
        """Return the moved label maps or object masks: nearest pixel, any dtype.

        Parameters
        ----------
        masks : Tensor of shape (B, H, W) or (B, N, H, W)
        ignore_index : int, default 255
            Class of what lies outside of the source. Pass 0 for masks of single objects.

        Returns
        -------
        Tensor of shape (B, H', W') or (B, N, H', W')
            Every value in it stood in ``masks``, or is ``ignore_index``.
        """
        checked_tensor(masks, "masks", floating=False)
        if masks.ndim not in (3, 4) or tuple(masks.shape[-2:]) != self.source:
            raise ValueError(message("masks", f"of shape (B, H, W) or (B, N, H, W) on {self.source}", str(tuple(masks.shape))))
        self._check_rows(masks, "masks")
        layers = masks if masks.ndim == 4 else masks[:, None]
        out = resample.nearest(layers, self.source_points(), ignore_index)
        return out if masks.ndim == 4 else out[:, 0]

    # ----------------------------------------------------------------------------------------------- points and boxes

    def points(self, points: Tensor) -> Tensor:
        """Return where points land.

        Parameters
        ----------
        points : Tensor of shape (B, N, 2), or (N, 2) for every row
            (x, y), floating.

        Returns
        -------
        Tensor of shape (B, N, 2)
            NaN for a point that a homography sends to the horizon or behind it.

        Warns
        -----
        UserWarning
            If the displacement folds the plane at a point, so that its place is not defined.
        """
        checked_tensor(points, "points")
        exact = (points if points.ndim == 3 else points.expand(len(self), *points.shape)).to(self.matrix.dtype)
        self._check_rows(exact, "points")
        moved = apply_matrix(self.matrix, exact)
        if self.displacement is not None and moved.numel():
            moved = self._fixed_point(exact, moved)
        return moved.to(points.dtype)

    def boxes(self, boxes: Tensor, hull: str = "corners") -> Tensor:
        """Return the axis-parallel hulls of moved boxes; they may leave the canvas.

        Parameters
        ----------
        boxes : Tensor of shape (B, N, 4), or (N, 4) for every row
            (x1, y1, x2, y2), floating.
        hull : {"corners", "ellipse"}, default "corners"
            ``"corners"``: smallest box around the moved box. ``"ellipse"``: smallest box around the moved ellipse that the
            box surrounds, for round objects; smaller under rotation.

        Returns
        -------
        Tensor of shape (B, N, 4)
            NaN where a corner lies on the horizon of a homography or behind it.
        """
        checked_choice(hull, "hull", ("corners", "ellipse"))
        checked_tensor(boxes, "boxes")
        if hull == "corners":
            outline = box_corners(boxes) if self.displacement is None else box_outline(boxes)
        else:
            outline = box_ellipse(boxes)
        batch = outline if outline.ndim == 4 else outline.expand(len(self), *outline.shape)
        self._check_rows(batch, "boxes")
        moved = self.points(batch.flatten(1, 2)).view_as(batch)
        return torch.cat([moved.amin(2), moved.amax(2)], dim=-1)

    # ------------------------------------------------------------------------------------------------------------ parts

    def __getitem__(self, index: Tensor | slice) -> GeometryPlan:
        """Return the plan of some rows (a slice or a tensor of indices)."""
        parts = {name: getattr(self, name) for name in ("matrix", "displacement", "window")}
        return replace(self, **{name: None if value is None else value[index] for name, value in parts.items()})

    def to(self, device: torch.device | str) -> GeometryPlan:
        """Return the plan on a device: key points often stay on the CPU while the images are on a GPU."""
        if self.matrix.device == torch.device(device):
            return self
        parts = {name: getattr(self, name) for name in ("displacement", "window")}
        moved = {name: None if value is None else value.to(device) for name, value in parts.items()}
        return replace(self, matrix=self.matrix.to(device, matrix_dtype(device)), **moved)

    def _check_rows(self, tensor: Tensor, name: str) -> None:
        if len(tensor) != len(self):
            raise ValueError(message(name, f"as many as rows of the plan, {len(self)}", str(len(tensor))))

    def _warped(self, images: Tensor, colour: Tensor, padding: str, interpolation: str, antialias: bool) -> Tensor:
        k = self._samples_per_pixel() if antialias and interpolation == "bilinear" else 1
        if k == 1:
            grid = resample.Grid(self.inverse_matrix(), self.size, self.source, self.displacement)
            return resample.warped(images, grid, colour, padding, interpolation)
        finer = GeometryPlan.identity(len(self), self.size, self.matrix.device)
        finer = replace(
            finer, matrix=finer.matrix * finer.matrix.new_tensor([k, k, 1.0]), size=(k * self.size[0], k * self.size[1])
        )
        many = self.then(finer)._warped(images.float(), colour, padding, interpolation, False)
        mean = F.avg_pool2d(many, k)
        return mean.round_().clamp_(0, 255).to(images.dtype) if images.dtype == torch.uint8 else mean.to(images.dtype)

    def _samples_per_pixel(self) -> int:
        """Return k: an output pixel covers about k x k pixels of the source, at the centre of the plan that shrinks most."""
        centre = self.matrix.new_tensor([[[self.size[1] / 2, self.size[0] / 2]]]).expand(len(self), 1, 2)
        steps = centre + self.matrix.new_tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        places = apply_matrix(self.inverse_matrix(), steps)
        lengths = (places[:, 1:] - places[:, :1]).norm(dim=-1).nan_to_num(1.0, 1.0, 1.0)
        return int(lengths.max().round().clamp(1, 8))

    def _inverse_points(self, places: Tensor) -> Tensor:
        """Return ``M^-1 q + D(q)`` for output points q (B, N, 2)."""
        inverse = apply_matrix(self.inverse_matrix(), places)
        return inverse if self.displacement is None else inverse + self._displacement_at(places)

    def _displacement_at(self, places: Tensor) -> Tensor:
        """Return D at output points (B, N, 2), bilinear between pixel centres, constant beyond the outermost ones."""
        height, width = self.size
        grid = (places * places.new_tensor([2 / width, 2 / height]) - 1).to(self.displacement.dtype)
        found = F.grid_sample(self.displacement, grid[:, None], padding_mode="border", align_corners=False)
        return found[:, :, 0].transpose(1, 2).to(places.dtype)

    def _fixed_point(self, points: Tensor, start: Tensor) -> Tensor:
        places = start
        for _ in range(FIXED_POINT_STEPS):
            following = apply_matrix(self.matrix, points - self._displacement_at(places))
            step = (following - places).abs().nan_to_num(0).max()
            places = following
            if step < FIXED_POINT_TOLERANCE:
                return places
        miss = (self._inverse_points(places) - points).abs().nan_to_num(0)
        n_lost = int((miss.amax(-1) > 10 * FIXED_POINT_TOLERANCE).sum())
        if n_lost:
            warnings.warn(f"The displacement folds the plane: {n_lost} points have no place of their own.", stacklevel=4)
        return places


# ------------------------------------------------------------------------------------------------------------- matrices


def matrix_dtype(device: torch.device | str | None) -> torch.dtype:
    """Return the dtype of matrices on a device: float64, or float32 where the device has no other (Apple's GPU)."""
    return torch.float32 if device is not None and torch.device(device).type == "mps" else torch.float64


def affine_matrix(linear: Tensor, shift: Tensor) -> Tensor:
    """Return the matrices (n, 3, 3) of ``p -> linear p + shift`` from (n, 2, 2) and (n, 2)."""
    matrix = linear.new_zeros(len(linear), 3, 3)
    matrix[:, :2, :2] = linear
    matrix[:, :2, 2] = shift
    matrix[:, 2, 2] = 1
    return matrix


def translation(shift: Tensor) -> Tensor:
    """Return the matrices (n, 3, 3) that add ``shift`` (n, 2)."""
    shift = shift.to(matrix_dtype(shift.device))
    return affine_matrix(torch.eye(2, dtype=shift.dtype, device=shift.device).expand(len(shift), 2, 2), shift)


def about(linear: Tensor, centre: Tensor, shift: Tensor | float = 0.0) -> Tensor:
    """Return ``T(centre + shift) linear T(-centre)``, (n, 3, 3): a linear map about a point (2,) or (n, 2)."""
    return affine_matrix(linear, centre + shift - (linear @ centre.expand(len(linear), 2)[..., None])[..., 0])


def inverse_3x3(matrix: Tensor) -> Tensor:
    """Return the inverse of (..., 3, 3) matrices by cofactors: the rows of cofactors are cross products of rows.

    >>> inverse_3x3(2 * torch.eye(3))[0, 0]
    tensor(0.5000)
    """
    a, b, c = matrix.unbind(-2)
    cofactors = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=-1)
    return cofactors / (a * cofactors[..., 0]).sum(-1)[..., None, None]


def apply_matrix(matrix: Tensor, points: Tensor) -> Tensor:
    """Return the points (B, N, 2) moved by (B, 3, 3); NaN where the third coordinate is not above 0."""
    moved = points @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 2]
    w = points @ matrix[:, 2, :2, None] + matrix[:, None, 2, 2:]
    return torch.where(w > 0, moved / w, torch.nan)


# ------------------------------------------------------------------------------------------------------ outlines of boxes


def box_corners(boxes: Tensor) -> Tensor:
    """Return the corners of boxes (..., 4) as (..., 4, 2): top left, top right, bottom right, bottom left."""
    return boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].unflatten(-1, (4, 2))


def box_outline(boxes: Tensor) -> Tensor:
    """Return points along the outline of boxes (..., 4) as (..., 4 * OUTLINE, 2), for maps that bend lines."""
    corners = box_corners(boxes)
    share = torch.arange(OUTLINE, dtype=boxes.dtype, device=boxes.device)[:, None] / OUTLINE
    along = corners[..., None, :] + share * (corners.roll(-1, -2) - corners)[..., None, :]
    return along.flatten(-3, -2)


def box_ellipse(boxes: Tensor) -> Tensor:
    """Return points on the ellipses that boxes (..., 4) surround, (..., 128, 2)."""
    angle = torch.arange(128, dtype=boxes.dtype, device=boxes.device) * (2 * torch.pi / 128)
    circle = torch.stack([angle.cos(), angle.sin()], dim=-1)
    centre, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    return centre[..., None, :] + half[..., None, :] * circle
