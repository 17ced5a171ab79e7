"""Explorers: drag something, and every linked view follows.

In the order in which the course meets them:

- ``CityNavigator``: walk through the street world and watch retrieval change (`01_vlad`, `02_netvlad`);
- ``AssignmentLaboratory``: what VLAD and NetVLAD do with a few descriptors in the plane (`02_netvlad`);
- ``MatchingBench``: crop, attention, matches, RANSAC and acceptance, linked (`03_delf`);
- ``ThresholdTheatre``: confidence against GAP, and who is rewarded (`04_landmark_recognition`);
- ``ProtocolSwitch``: one ranked list read as easy, medium and hard (`04_landmark_recognition`);
- ``ConventionCourt``: one draggable ranking before every convention of average precision (`05_mean_average_precision`);
- ``DetectionBench``: draw and drag boxes, and see which count as found (`05_mean_average_precision`);
- ``PushAndPull``: whom a ranking loss pushes, and whom it leaves alone (`06_listwise_ap_loss`);
- ``PipelineBench``: drag augmentations into order, and see what moves along (`13_colour_and_space`);
- ``ErasingBench``: draw a hole, and watch score and activation map change (`14_erasing`);
- ``MixerBench``: draw a box or paint a mask, and watch label and network follow (`16_cutting_and_pasting`);
- ``SpiralTheatre``: drag points, choose where to blend, and watch a network learn (`15_mixing`);
- ``AugMixGraph``: chains, weights, three answers and their divergence (`17_patchshuffle_and_augmix`);
- ``EvidenceDesk``: seeds one by one, and what stopping early costs (`18_does_it_help`);
- ``AffinityMap``: which augmentation helps, on the plane of affinity and diversity (`18_does_it_help`).

To build one: ``Explorer``, ``View``, ``Control``, ``Action`` (``explore.base``), the layers of ``explore.scene`` and
``Event`` (``explore.canvas``). The names are looked up on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.explore.affinity_map import AffinityMap
    from course_utils.explore.assignment_laboratory import AssignmentLaboratory
    from course_utils.explore.augmix_graph import AugMixGraph
    from course_utils.explore.base import Action, Control, Explorer, View
    from course_utils.explore.canvas import Canvas, Event
    from course_utils.explore.city_navigator import CityNavigator
    from course_utils.explore.convention_court import ConventionCourt
    from course_utils.explore.detection_bench import DetectionBench
    from course_utils.explore.erasing_bench import ErasingBench
    from course_utils.explore.evidence_desk import EvidenceDesk
    from course_utils.explore.matching_bench import MatchingBench
    from course_utils.explore.mixer_bench import MixerBench
    from course_utils.explore.pipeline_bench import PipelineBench
    from course_utils.explore.protocol_switch import ProtocolSwitch
    from course_utils.explore.push_and_pull import PushAndPull
    from course_utils.explore.scene import Scene
    from course_utils.explore.spiral_theatre import SpiralTheatre
    from course_utils.explore.threshold_theatre import ThresholdTheatre

_HOME = {
    "CityNavigator": "city_navigator",
    "AssignmentLaboratory": "assignment_laboratory",
    "MatchingBench": "matching_bench",
    "ThresholdTheatre": "threshold_theatre",
    "ProtocolSwitch": "protocol_switch",
    "ConventionCourt": "convention_court",
    "DetectionBench": "detection_bench",
    "PushAndPull": "push_and_pull",
    "PipelineBench": "pipeline_bench",
    "ErasingBench": "erasing_bench",
    "MixerBench": "mixer_bench",
    "SpiralTheatre": "spiral_theatre",
    "AugMixGraph": "augmix_graph",
    "EvidenceDesk": "evidence_desk",
    "AffinityMap": "affinity_map",
    "Explorer": "base",
    "View": "base",
    "Control": "base",
    "Action": "base",
    "Canvas": "canvas",
    "Event": "canvas",
    "Scene": "scene",
}

__all__ = [  # noqa: RUF022 - the order of teaching
    "CityNavigator",
    "AssignmentLaboratory",
    "MatchingBench",
    "ThresholdTheatre",
    "ProtocolSwitch",
    "ConventionCourt",
    "DetectionBench",
    "PushAndPull",
    "PipelineBench",
    "ErasingBench",
    "MixerBench",
    "SpiralTheatre",
    "AugMixGraph",
    "EvidenceDesk",
    "AffinityMap",
    "Explorer",
    "View",
    "Control",
    "Action",
    "Canvas",
    "Event",
    "Scene",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
