"""Small networks that learn on a laptop's processor, without downloaded weights.

**Problem.** The papers start from networks pre-trained on a million photographs; the course has no download. A small
network from random weights learns too slowly to be shown live. **Idea.** Spend the knowledge of early vision instead
of the million photographs: give the first layer what trained first layers look like, oriented edges and opponent
colours, and normalise contrast as the retina does. Everything stays trainable.

``OrientedBackbone`` is that network, ``SmallCNN`` the plain one (convolution, batch norm, ReLU) with an optional
classification head. Both map images ``(B, 3, H, W)``, standardised by ``standardize``, to feature maps
``(B, dim, H/4, W/4)``.

Sources: D. Gabor-like first layers of trained networks: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet
classification with deep convolutional neural networks", NeurIPS 2012, figure 3. Half-wave rectified orientations,
pooling, root and local normalisation: the steps of SIFT (D. Lowe, IJCV 2004) and RootSIFT (R. Arandjelovic,
A. Zisserman, CVPR 2012). Divisive normalisation: K. Jarrett et al., "What is the best multi-stage architecture for
object recognition?", ICCV 2009, section 2. The combination and its constants were chosen for this course by
experiment on the street world.

Taught in ``02_netvlad``, step 6.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks import checked_int, checked_tensor, message

N_ORIENTATIONS = 8  # as SIFT
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
OPPONENTS = ((1.0, -1.0, 0.0), (-0.5, -0.5, 1.0), (1 / 3, 1 / 3, 1 / 3))  # red-green, blue-yellow, light
COLOUR_GAIN = 0.25  # colour casts differ between day and night: start them quieter than edges
FREE_GAIN = 0.2  # of the first layer's random channels
MIXING_GAIN = 0.15  # of the second layer's random channels
ROOT_OFFSET = 1e-3  # sqrt(x + offset) - sqrt(offset): a finite slope at 0
BORDER = "replicate"  # zeros would draw an edge around every image, the same in all: a match for the wrong reason
CONTRAST_FLOOR = 0.3  # share of the image's mean contrast that a flat patch is divided by


def standardize(images: Tensor, reduction: int = 1) -> Tensor:
    """Return images with zero mean and unit deviation each, optionally made smaller by averaging.

    Parameters
    ----------
    images : Tensor of shape (B, 3, H, W) or (3, H, W), uint8 or floating
    reduction : int, default 1
        Average ``reduction x reduction`` pixels into one; 2 turns 96 x 128 into 48 x 64.

    Returns
    -------
    Tensor of shape (B, 3, H // reduction, W // reduction), float32
        One mean and one deviation per image, over all channels, so that its colour cast stays. A constant image
        becomes all zero.

    Examples
    --------
    >>> standardize(torch.full((1, 3, 4, 4), 7, dtype=torch.uint8)).abs().max()
    tensor(0.)
    """
    checked_tensor(images, "images", floating=False)
    if images.ndim not in (3, 4) or images.shape[-3] != 3:
        raise ValueError(message("images", "of shape (B, 3, H, W) or (3, H, W)", f"shape {tuple(images.shape)}"))
    pixels = images.float() if images.ndim == 4 else images.float()[None]
    if checked_int(reduction, "reduction", low=1) > 1:
        pixels = F.avg_pool2d(pixels, reduction)
    centred = pixels - pixels.mean((1, 2, 3), keepdim=True)
    deviation = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
    return centred / deviation.clamp_min(1e-6 * max(1.0, float(pixels.abs().max()) if pixels.numel() else 1.0))


def oriented_bank() -> Tensor:
    """Return 14 filters of 5 x 5 pixels for RGB, (14, 3, 5, 5): 8 oriented derivatives, 6 opponent blobs.

    A derivative of a Gaussian (sigma 1 pixel) of the luminance in each of 8 directions; after a ReLU, direction
    a and direction a + 180 degrees keep the two signs of an edge apart. The blobs are red-green, blue-yellow and light,
    each with both signs.
    """
    axis = torch.arange(-2.0, 3.0)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    gaussian = torch.exp(-(x**2 + y**2) / 2)
    filters = []
    for k in range(N_ORIENTATIONS):
        angle = 2 * math.pi * k / N_ORIENTATIONS
        derivative = -(x * math.cos(angle) + y * math.sin(angle)) * gaussian
        filters.append(2 * torch.tensor(LUMINANCE)[:, None, None] * derivative / derivative.abs().sum())
    for weights in OPPONENTS:
        blob = torch.tensor(weights)[:, None, None] * gaussian / gaussian.sum()
        filters += [COLOUR_GAIN * blob, -COLOUR_GAIN * blob]
    return torch.stack(filters)


class OrientedBackbone(nn.Module):
    """Feature maps from a first layer that already sees edges and colours.

    5 x 5 convolution (the bank and ``n_free`` random channels), ReLU, halve by averaging; 3 x 3 convolution (the bank's
    channels smoothed, and random mixtures), ReLU, halve; square root; divide by the local contrast (all this is the
    ``stem``); 3 x 3 projection (the ``head``). Trainings that freeze the stem compute its maps once. Beyond its border an
    image goes on as it ends (replicate padding), in all three convolutions and in the local contrast.

    Parameters
    ----------
    dim : int, default 64
        Channels of the output.
    n_free : int, default 10
        Random channels beside the 14 of the bank.
    width : int, default 48
        Channels of the second layer, at least 14.
    generator : torch.Generator, optional
        Draws the random weights; torch's global generator otherwise.

    Examples
    --------
    >>> backbone = OrientedBackbone(dim=16, generator=torch.Generator().manual_seed(0))
    >>> backbone(torch.zeros(2, 3, 48, 64)).shape
    torch.Size([2, 16, 12, 16])
    """

    reduction = 4  # pixels of the input per location of the output

    def __init__(self, dim: int = 64, n_free: int = 10, width: int = 48, generator: torch.Generator | None = None):
        super().__init__()
        bank = oriented_bank()
        n_bank = len(bank)
        self.dim = checked_int(dim, "dim", low=1)
        n_free = checked_int(n_free, "n_free", low=0)
        width = checked_int(width, "width", low=n_bank)
        with drawing_from(generator):
            self.first = nn.Conv2d(3, n_bank + n_free, 5, padding=2, padding_mode=BORDER)
            self.second = nn.Conv2d(n_bank + n_free, width, 3, padding=1, padding_mode=BORDER)
            self.project = nn.Conv2d(width, dim, 3, padding=1, padding_mode=BORDER, bias=False)
            nn.init.orthogonal_(self.project.weight)
        with torch.no_grad():
            self.first.weight[:n_bank] = bank
            self.first.weight[n_bank:] *= FREE_GAIN
            self.first.bias.zero_()
            smooth = torch.tensor([1.0, 2.0, 1.0])
            self.second.weight *= MIXING_GAIN
            self.second.weight[:n_bank] = 0
            self.second.weight[range(n_bank), range(n_bank)] = torch.outer(smooth, smooth) / 16
            self.second.bias.zero_()

    def stem(self, images: Tensor) -> Tensor:
        """Map standardised images (B, 3, H, W) to contrast-normalised maps (B, width, H // 4, W // 4)."""
        images = images.contiguous(memory_format=torch.channels_last)  # 1.6 times faster on a CPU
        maps = F.avg_pool2d(F.relu(self.first(images)), 2)
        maps = F.avg_pool2d(F.relu(self.second(maps)), 2)
        maps = (maps + ROOT_OFFSET).sqrt() - ROOT_OFFSET**0.5
        return local_contrast_normalized(maps)

    def head(self, maps: Tensor) -> Tensor:
        """Project the stem's maps to features (B, dim, H // 4, W // 4); linear, so features may be negative."""
        return self.project(maps)

    def forward(self, images: Tensor) -> Tensor:
        """Map standardised images (B, 3, H, W) to features (B, dim, H // 4, W // 4)."""
        return self.head(self.stem(images))


def local_contrast_normalized(maps: Tensor) -> Tensor:
    """Divide each location by the length of the features in its 3 x 3 neighbourhood, (B, C, H, W) to the same.

    The floor, a share of the image's mean length, keeps flat sky from being blown up to the strength of a facade.
    """
    energy = maps.square().sum(1, keepdim=True)  # (B, 1, H, W)
    length = F.avg_pool2d(F.pad(energy, (1, 1, 1, 1), mode="replicate"), 3, stride=1).clamp_min(1e-12).sqrt()
    return maps / (length + CONTRAST_FLOOR * length.mean((2, 3), keepdim=True) + 1e-4)


class SmallCNN(nn.Module):
    """A plain convolutional network: four 3 x 3 convolutions with batch norm and ReLU, halving twice.

    Parameters
    ----------
    dim : int, default 64
        Channels of the feature map.
    n_classes : int, optional
        Adds average pooling and a linear classifier; ``forward`` then returns logits instead of the feature map.
    generator : torch.Generator, optional
        Draws the weights.

    Examples
    --------
    >>> SmallCNN(dim=8, n_classes=10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    reduction = 4

    def __init__(self, dim: int = 64, n_classes: int | None = None, generator: torch.Generator | None = None):
        super().__init__()
        self.dim = checked_int(dim, "dim", low=1)
        self.n_classes = None if n_classes is None else checked_int(n_classes, "n_classes", low=2)
        half = max(dim // 2, 1)
        with drawing_from(generator):
            self.body = nn.Sequential(
                *_block(3, half), *_block(half, half), nn.MaxPool2d(2), *_block(half, dim), nn.MaxPool2d(2), *_block(dim, dim)
            )
            self.classifier = None if n_classes is None else nn.Linear(dim, n_classes)

    def features(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, dim, H // 4, W // 4)."""
        return self.body(images)

    def embed(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to their average feature (B, dim)."""
        return self.features(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, n_classes), or the feature map where there is no classifier."""
        return self.features(images) if self.classifier is None else self.classifier(self.embed(images))


def _block(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()


@contextmanager
def drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """Let torch's layers draw their weights from ``generator`` and leave the global stream as it was.

    torch's layer constructors know only the global generator. With None they use it as usual.
    """
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield
