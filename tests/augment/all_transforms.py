"""Every transform of ``course_utils.augment``, by name: the contract test runs each of them on everything.

A factory takes no argument and returns a transform that changes every image (p = 1).
"""

from __future__ import annotations

from collections.abc import Callable

from course_utils.augment.augmix import AugMix
from course_utils.augment.blur import GaussianBlur, MotionBlur
from course_utils.augment.chain import SpatialChain
from course_utils.augment.colour_jitter import BrightnessJitter, ColorJitter, ContrastJitter, HueJitter, SaturationJitter
from course_utils.augment.crops import IoUCrop, RandomCrop, RandomResizedCrop, Resize
from course_utils.augment.elastic import Elastic
from course_utils.augment.equalise import Equalize
from course_utils.augment.erasing import Cutout, RandomErasing
from course_utils.augment.hide_and_seek import HideAndSeek
from course_utils.augment.jpeg import JPEGCompression
from course_utils.augment.noise import GaussianNoise, ISONoise
from course_utils.augment.patch_shuffle import PatchShuffle
from course_utils.augment.sampling import RandomTransform
from course_utils.augment.spatial import Affine, Flip, Perspective, Rotation
from course_utils.augment.tones import (
    AutoContrast,
    ChannelShuffle,
    Gamma,
    Grayscale,
    Invert,
    PCAColorNoise,
    Posterize,
    Sharpness,
    Solarize,
)
from course_utils.augment.weather import Fog, Rain

FACTORIES: dict[str, Callable[[], RandomTransform]] = {
    "Flip": lambda: Flip(p=1, mirror_pairs=[(0, 1)]),
    "Flip, vertical": lambda: Flip("vertical", p=1),
    "Rotation": lambda: Rotation(40, fill="mean"),
    "Rotation, expanding": lambda: Rotation(40, expand=True),
    "Affine": lambda: Affine(30, padding="reflection"),
    "Perspective": lambda: Perspective(0.5, fill=0.5),
    "Elastic": lambda: Elastic(10, 3, padding="border"),
    "RandomCrop": lambda: RandomCrop(24, 4, pad_if_needed=True),
    "RandomResizedCrop": lambda: RandomResizedCrop(20, (0.3, 1)),
    "IoUCrop": lambda: IoUCrop(16),
    "Resize": lambda: Resize((12, 18)),
    "SpatialChain": lambda: SpatialChain([Flip(), Rotation(20), Elastic(5, 3), RandomResizedCrop(20, (0.5, 1))]),
    "RandomErasing, random": lambda: RandomErasing(p=1),
    "RandomErasing, normal, three, log": lambda: RandomErasing(p=1, value="normal", count=3, ratio_sampling="log"),
    "RandomErasing, object-aware": lambda: RandomErasing(p=1, value="mean", aware="object", min_visible=0.3),
    "RandomErasing, both": lambda: RandomErasing.preset("detection", p=1, value="white"),
    "Cutout": lambda: Cutout(length=8),
    "Cutout, inside": lambda: Cutout(length=5, n_holes=2, overhang=False, value="black"),
    "HideAndSeek": lambda: HideAndSeek(cell_sizes=(0, 3, 4)),
    "PatchShuffle": lambda: PatchShuffle(p=1),
    "PatchShuffle, 3 pixels, separable": lambda: PatchShuffle(3, p=1, separable=True),
    "AugMix": lambda: AugMix(),
    "AugMix, all operations": lambda: AugMix(severity=9, width=2, depth=4, alpha=0.5, operations="all"),
    "BrightnessJitter": lambda: BrightnessJitter(0.4),
    "ContrastJitter": lambda: ContrastJitter(0.4),
    "SaturationJitter": lambda: SaturationJitter((0.2, 1.8)),
    "HueJitter": lambda: HueJitter(0.3),
    "ColorJitter": lambda: ColorJitter(0.4, 0.4, 0.4, 0.1),
    "ColorJitter, fused": lambda: ColorJitter(0.8, 0.8, 0.8, 0.2, method="fused"),
    "Gamma": lambda: Gamma((0.7, 1.5)),
    "Posterize": lambda: Posterize((2, 6)),
    "Solarize": lambda: Solarize((0.2, 0.8)),
    "Equalize": lambda: Equalize(),
    "AutoContrast": lambda: AutoContrast(),
    "Grayscale": lambda: Grayscale(),
    "ChannelShuffle": lambda: ChannelShuffle(),
    "Invert": lambda: Invert(),
    "Sharpness": lambda: Sharpness(),
    "PCAColorNoise": lambda: PCAColorNoise(),
    "GaussianBlur": lambda: GaussianBlur(),
    "MotionBlur, line": lambda: MotionBlur(),
    "MotionBlur, trail": lambda: MotionBlur("trail"),
    "GaussianNoise": lambda: GaussianNoise(),
    "ISONoise": lambda: ISONoise(),
    "ISONoise, HLS": lambda: ISONoise(model="hls"),
    "JPEGCompression": lambda: JPEGCompression(),
    "JPEGCompression, in tensors": lambda: JPEGCompression(codec="tensor"),
    "Fog": lambda: Fog(),
    "Rain": lambda: Rain(),
}
