"""DELF: local features that learn from image labels alone which places of an image are worth matching.

**Problem.** A grid of convolutional features describes sky, trees and cars as eagerly as the landmark. Most of the
thousand vectors of an image are useless for finding it again, and nobody has marked the useful ones. **Idea.** Let an
image classifier choose. A small score network gives every cell ``n`` a weight ``alpha_n >= 0``; the classifier sees
only the weighted mean of the features. A cell whose feature votes for the right class gets a higher weight, because
that lowers the loss:

    y = W (1/N) sum_n alpha_n f_n + b,        alpha_n = softplus(g(F_n)),        L = -log softmax(y)[label]

After training, the weights say which cells to keep as local features. Description comes *before* detection: every cell
is described first, and the best ones are kept. SIFT does it the other way round.

Two stages, because the selection must not spoil what it selects from: first the descriptors (classification with
average pooling), then the attention on the frozen network. See ``delf_training``; extraction is ``delf_extraction``.

Source: H. Noh, A. Araujo, J. Sim, T. Weyand, B. Han, "Large-Scale Image Retrieval with Attentive Deep Local Features",
ICCV 2017, arXiv:1612.06321, section 4. Official code: ``tensorflow/models``, ``research/delf``. This code follows the
official code where the two differ: the features in the weighted mean are L2-normalised, the score network sees them
un-normalised, the mean replaces the sum, and a batch norm after the first layer of the score network is optional. The
global descriptor and the stopped gradient are those of its successor: B. Cao, A. Araujo, J. Sim, "Unifying Deep Local
and Global Features for Image Search" (DELG), ECCV 2020, arXiv:2001.05027.

=====================  ===============================  ======================================================
symbol                 code                             meaning
=====================  ===============================  ======================================================
``F`` (D, h, w)        ``maps``                         feature map of the backbone
``f_n`` (D,)           ``unit(maps)``                   the feature of cell n, divided by its length
``g``                  ``Attention``                    1 x 1 convolution, ReLU, 1 x 1 convolution
``alpha_n``            ``scores``                       attention: softplus of ``g``
``W, b``               ``classifier``                   linear classifier of the attention stage
``y`` (M,)             ``attention_logits``             one number per landmark class
=====================  ===============================  ======================================================

Taught in ``03_delf``, steps 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks import checked_int, checked_tensor, message
from course_utils.retrieval.local_feature_set import LocalFeatureSet
from course_utils.retrieval.receptive_field import ReceptiveField, receptive_field
from course_utils.training import drawing_from, evaluating, in_parts, standardize

HIDDEN = 512  # channels of the score network, section 4.2 and official code
TINY = 1e-12


class Attention(nn.Module):
    """Score every cell of a feature map: 1 x 1 convolution, ReLU, 1 x 1 convolution, softplus.

    Taught in ``03_delf``, step 2.

    Parameters
    ----------
    dim : int
        D, channels of the map.
    hidden : int, default 512
        Channels in between (paper, section 4.2).
    batch_norm : bool, default False
        Normalise the hidden channels, as the official TensorFlow 2 model does; the paper does not mention it.
    generator : torch.Generator, optional
        Draws the weights.

    Examples
    --------
    >>> scores = Attention(8, hidden=4)(torch.randn(2, 8, 5, 6))
    >>> scores.shape, bool((scores >= 0).all())
    (torch.Size([2, 5, 6]), True)
    """

    def __init__(self, dim: int, hidden: int = HIDDEN, batch_norm: bool = False, generator: torch.Generator | None = None):
        super().__init__()
        self.dim, hidden = checked_int(dim, "dim", low=1), checked_int(hidden, "hidden", low=1)
        with drawing_from(generator):
            self.hidden = nn.Conv2d(dim, hidden, 1)
            self.norm = nn.BatchNorm2d(hidden) if batch_norm else nn.Identity()
            self.last = nn.Conv2d(hidden, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map un-normalised features (B, D, h, w) to scores (B, h, w), 0 or more."""
        return F.softplus(self.last(F.relu(self.norm(self.hidden(maps))))).squeeze(1)


class UniformAttention(nn.Module):
    """Score every cell 1: average pooling, the baseline that the attention has to beat."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map features (B, D, h, w) to ones (B, h, w)."""
        return maps.new_ones(maps[:, 0].shape)


@dataclass(frozen=True, eq=False)
class LogitParts:
    """One class logit of one image, split exactly over the cells of its feature map.

    Attributes
    ----------
    contributions : ndarray of shape (h, w), float64
        ``alpha_n * (W_label . f_n) / N``.
    scores, votes : ndarray of shape (h, w), float64
        The two factors: the attention ``alpha_n``, and what the cell's own feature says, ``W_label . f_n``.
    bias : float
    label : int
    logit : float
        ``contributions.sum() + bias``.
    """

    contributions: np.ndarray
    scores: np.ndarray
    votes: np.ndarray
    bias: float
    label: int

    @property
    def logit(self) -> float:
        """The class logit."""
        return float(self.contributions.sum() + self.bias)


class DELF(nn.Module):
    """A convolutional backbone, an attention over its cells, and the two classifiers that train them.

    Taught in ``03_delf``.

    Parameters
    ----------
    backbone : nn.Module
        Maps normalised images (B, 3, H, W) to features (B, D, h, w). Any convolutional network: its receptive field is
        computed from what it does.
    n_classes : int
        M, landmark classes of the training set, at least 2. Only training needs them.
    dim : int, optional
        D; default: ``backbone.dim``.
    attention : nn.Module, optional
        Maps (B, D, h, w) to scores (B, h, w). Default: ``Attention(dim, hidden, batch_norm)``. ``UniformAttention()``
        gives average pooling.
    hidden, batch_norm
        Of the default attention.
    normalize : callable, default ``training.standardize``
        Maps images (B, 3, H, W), uint8 or floating in [0, 255], to what the backbone was trained on. The official code
        uses ``(I - 128) / 128``.
    generator : torch.Generator, optional
        Draws the weights of attention and classifiers.

    Attributes
    ----------
    attention : nn.Module
    classifier, descriptor_classifier : nn.Linear
        Of the attention stage and of the descriptor stage.
    pca : transformer or None
        ``fit_pca`` learns it from training images; extracted descriptors then pass through it. It is no weight:
        ``state_dict`` leaves it out.
    receptive_field : ReceptiveField
        Of the backbone's output, computed at its first use.

    Notes
    -----
    **Scores have no unit.** Multiplying all ``alpha`` by t and ``W`` by 1/t leaves every logit as it was, so training
    leaves the scale of the scores open. A score threshold of one model means nothing for another: choose by rank.

    **The attention never moves the backbone.** ``attention_logits`` detaches the maps, as DELG does. Joint training of
    both was tried in the paper and gives a weak model; it is not offered.

    Half-precision features are normalised and averaged in float32: the length of a vector of 1024 entries overflows
    float16.

    Examples
    --------
    >>> from course_utils.training import SmallCNN
    >>> delf = DELF(SmallCNN(8), n_classes=5, hidden=4)
    >>> delf(torch.zeros(2, 3, 32, 48, dtype=torch.uint8)).shape
    torch.Size([2, 5])
    >>> delf.receptive_field
    ReceptiveField(size=20, stride=4, padding=8, statistics=())
    """

    def __init__(
        self,
        backbone: nn.Module,
        n_classes: int,
        dim: int | None = None,
        attention: nn.Module | None = None,
        hidden: int = HIDDEN,
        batch_norm: bool = False,
        normalize: Callable[[Tensor], Tensor] = standardize,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if not isinstance(backbone, nn.Module):
            raise TypeError(message("backbone", "a torch.nn.Module", type(backbone).__name__))
        dim = getattr(backbone, "dim", None) if dim is None else dim
        if dim is None:
            raise ValueError(message("dim", "given where the backbone has no `dim`", "None", "Pass its number of channels."))
        self.dim, self.n_classes = checked_int(dim, "dim", low=1), checked_int(n_classes, "n_classes", low=2)
        self.backbone, self.normalize = backbone, normalize
        self.attention = Attention(dim, hidden, batch_norm, generator) if attention is None else attention
        with drawing_from(generator):
            self.descriptor_classifier = nn.Linear(dim, n_classes)
            self.classifier = nn.Linear(dim, n_classes)
        self.pca: Any = None
        self._field: ReceptiveField | None = None

    @property
    def receptive_field(self) -> ReceptiveField:
        """Which pixels a cell sees."""
        if self._field is None:
            self._field = receptive_field(self.backbone)
        return self._field

    # ------------------------------------------------------------------------------------------------- the network

    def maps(self, images: Tensor) -> Tensor:
        """Return the feature maps (B, D, h, w) of images (B, 3, H, W), uint8 or floating."""
        return self.backbone(self.normalize(images))

    def scores(self, maps: Tensor) -> Tensor:
        """Return the attention (B, h, w), 0 or more, of un-normalised feature maps (B, D, h, w)."""
        return self.attention(maps)

    def pooled(self, maps: Tensor) -> Tensor:
        """Return the attention-weighted mean (B, D) of the normalised features; its length has a meaning: keep it."""
        features = unit(maps).flatten(2)  # (B, D, N)
        weights = self.scores(maps).flatten(1).to(features.dtype)  # (B, N)
        return (features @ weights[:, :, None])[:, :, 0] / weights.shape[1]

    def attention_logits(self, maps: Tensor) -> Tensor:
        """Return ``y`` (B, M). The gradient stops at ``maps``: what is selected is not changed by the selection."""
        maps = maps.detach()
        return self.classifier(self.pooled(maps).to(self.classifier.weight.dtype))

    def descriptor_logits(self, maps: Tensor) -> Tensor:
        """Return the logits (B, M) of the first stage: plain average pooling and a classifier of its own."""
        return self.descriptor_classifier(maps.mean((2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        """Return the class logits ``y`` (B, M) of images (B, 3, H, W)."""
        return self.attention_logits(self.maps(images))

    # ------------------------------------------------------------------------------------------- what one uses it for

    @torch.no_grad()
    def score_maps(self, images: Tensor, batch_size: int = 64) -> np.ndarray:
        """Return the attention (B, h, w), float32, of images (B, 3, H, W) at their own size, in evaluation mode.

        Raises
        ------
        TypeError, ValueError
            If ``images`` is not a tensor of shape (B, 3, H, W).
        """
        return self.in_parts(lambda part: self.scores(self.maps(part)), images, batch_size).numpy()

    @torch.no_grad()
    def describe(self, images: Tensor, batch_size: int = 64) -> np.ndarray:
        """Return one unit vector per image (B, D), float32: the attention-pooled map, the global descriptor of a shortlist.

        Raises
        ------
        TypeError, ValueError
            If ``images`` is not a tensor of shape (B, 3, H, W).
        """
        return self.in_parts(lambda part: F.normalize(self.pooled(self.maps(part)), dim=1), images, batch_size).numpy()

    @torch.no_grad()
    def predict(self, images: Tensor, batch_size: int = 64) -> np.ndarray:
        """Return the class (B,), int64, with the largest logit, in evaluation mode.

        Raises
        ------
        TypeError, ValueError
            If ``images`` is not a tensor of shape (B, 3, H, W).
        """
        return self.in_parts(self, images, batch_size).argmax(1).numpy()

    @torch.no_grad()
    def explain(self, image: Tensor, label: int | None = None) -> LogitParts:
        """Split a class logit of an image (3, H, W) exactly over its cells.

        Parameters
        ----------
        label : int, optional
            The class; default: the predicted one.

        Raises
        ------
        TypeError, ValueError
            If ``image`` has another shape, or there is no such class.
        """
        checked_tensor(image, "image", (3, "H", "W"), floating=False)
        with evaluating(self):
            maps = self.maps(image[None].to(self.classifier.weight.device))
            scores = self.scores(maps)[0].double()  # (h, w)
            label = int(self.attention_logits(maps).argmax()) if label is None else label
        label = checked_int(label, "label", low=0, high=self.n_classes - 1)
        votes = torch.einsum("d,dhw->hw", self.classifier.weight[label].double(), unit(maps)[0].double())
        parts = (scores * votes / scores.numel(), scores, votes)
        return LogitParts(*(part.cpu().numpy() for part in parts), float(self.classifier.bias[label]), label)

    def extract(self, images: Tensor | Sequence[Tensor], **options: Any) -> LocalFeatureSet | list[LocalFeatureSet]:
        """Return the local features of an image (3, H, W), or a list of them; options as in ``extract_local_features``."""
        from course_utils.retrieval.delf_extraction import extract_local_features

        return extract_local_features(self, images, **options)

    def fit_pca(self, images: Tensor, n_components: int = 40, **options: Any) -> DELF:
        """Learn ``pca`` from the selected descriptors of training images; options as in ``learn_pca``; return the network."""
        from course_utils.retrieval.delf_extraction import learn_pca

        self.pca = learn_pca(self, images, n_components, **options)
        return self

    def in_parts(self, function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 64) -> Tensor:
        """Return ``function(images)`` as float32 on the CPU, computed a part at a time, in evaluation mode, without graph."""
        checked_tensor(images, "images", ("B", 3, "H", "W"), floating=False)
        return in_parts(self, function, images, batch_size)

    @staticmethod
    def from_torchvision(
        name: str = "resnet50",
        n_classes: int = 1000,
        layer: str = "layer3",
        weights: Any = None,
        **options: Any,
    ) -> DELF:
        """Return a DELF on a network of torchvision, as in the paper: a ResNet-50 cut after its fourth stage.

        Parameters
        ----------
        name : str, default "resnet50"
            A classification model of ``torchvision.models``.
        n_classes : int
            Landmark classes.
        layer : str, default "layer3"
            Its output becomes the feature map; torchvision's ``layer3`` is the paper's conv4_x.
        weights : optional
            As in torchvision: ``"DEFAULT"`` downloads the weights trained on ImageNet (98 MB for ResNet-50) into torch's
            own cache. None, the default, needs no network and starts from random weights.
        options
            As in ``DELF``.

        Raises
        ------
        ValueError
            If there is no such model or layer.
        """
        from course_utils.retrieval.torchvision_backbone import TorchvisionBackbone, imagenet_normalized

        backbone = TorchvisionBackbone(name, layer, weights)
        return DELF(backbone, n_classes, **({"normalize": imagenet_normalized} | options))


def unit(maps: Tensor) -> Tensor:
    """Return maps (B, D, h, w) with features of length 1, float32 or wider; an all-zero feature stays zero."""
    wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
    return F.normalize(wide, dim=1, eps=TINY)
