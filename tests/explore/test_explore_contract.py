"""The contract of every explorer, without a browser: new explorers add one line to ``EXPLORERS``."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import ipywidgets as widgets
import numpy as np
import pytest
from affinity_catalogue import catalogue, examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.evidence.pools import QUESTIONS, recorded_pools
from course_utils.explore.affinity_map import AffinityMap
from course_utils.explore.affinity_state import ALL, MapState
from course_utils.explore.assignment import LIMIT, PRESETS, AssignmentState
from course_utils.explore.assignment_laboratory import AssignmentLaboratory
from course_utils.explore.augmix_graph import AugMixGraph
from course_utils.explore.augmix_state import CHOICES, GraphState, Mixture
from course_utils.explore.augmix_state import presets_for as mixtures_for
from course_utils.explore.base import PresetExplorer
from course_utils.explore.city import CityState
from course_utils.explore.city_navigator import CityNavigator
from course_utils.explore.convention_court import ConventionCourt
from course_utils.explore.court import CONVENTIONS, KINDS, CourtState
from course_utils.explore.court_play import GUESSES
from course_utils.explore.court_play import PRESETS as RANKINGS
from course_utils.explore.detection import PROTOCOLS, TASKS, BenchState
from course_utils.explore.detection_bench import DetectionBench
from course_utils.explore.erasing import FILLS, METHODS, ErasingState
from course_utils.explore.erasing_bench import ErasingBench
from course_utils.explore.evidence_desk import EvidenceDesk
from course_utils.explore.evidence_state import DeskState
from course_utils.explore.matching import SCALES, MatchState
from course_utils.explore.matching_bench import MatchingBench
from course_utils.explore.matching_play import GUESSES as EXPECTATIONS
from course_utils.explore.matching_play import PRESETS as PAIRS
from course_utils.explore.mixer import METHODS as MIXER_METHODS
from course_utils.explore.mixer import MixerState
from course_utils.explore.mixer_bench import MixerBench
from course_utils.explore.pipeline import PipelineState
from course_utils.explore.pipeline_bench import PipelineBench
from course_utils.explore.pipeline_operations import OPERATIONS, Chip
from course_utils.explore.pipeline_pictures import NAMES as PICTURES
from course_utils.explore.pipeline_play import PRESETS as ROWS_OF_CHIPS
from course_utils.explore.protocol import KINDS as CHIPS
from course_utils.explore.protocol import PRESETS as CHIP_LISTS
from course_utils.explore.protocol import ProtocolState
from course_utils.explore.protocol_switch import ProtocolSwitch
from course_utils.explore.push_and_pull import PushAndPull
from course_utils.explore.ranking_forces import CONTESTANTS, PushState, RaceStart
from course_utils.explore.ranking_forces import PRESETS as LISTS
from course_utils.explore.spiral_state import N_POINTS, PLACES, SpiralState
from course_utils.explore.spiral_state import PRESETS as SPIRALS
from course_utils.explore.spiral_theatre import SpiralTheatre
from course_utils.explore.theatre import Moment, TheatreState
from course_utils.explore.threshold_theatre import ThresholdTheatre

VIEW_KEY = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Case:
    """How to build an explorer, and how to draw states of it (extreme ones included)."""

    build: Callable[[Any], Any]
    states: st.SearchStrategy
    extremes: tuple[Any, ...]


def _points(n: int) -> st.SearchStrategy:
    number = st.floats(-1.5 * LIMIT, 1.5 * LIMIT, allow_nan=False, width=32)
    return st.lists(st.tuples(number, number), min_size=n, max_size=n).map(tuple)


_LABORATORY_STATES = st.builds(
    AssignmentState,
    a=st.integers(1, 5).flatmap(_points),
    b=st.integers(1, 5).flatmap(_points),
    words=_points(3),
    anchors=_points(3),
    log_alpha=st.floats(-2, 3),
    intra=st.booleans(),
    together=st.booleans(),
    copies=st.sampled_from([1, 20]),
    preset=st.sampled_from(sorted(PRESETS)),
)
_SAME = ((0.5, 0.5),) * 3
_LABORATORY_EXTREMES = (
    replace(PRESETS["burst"], words=_SAME, anchors=_SAME),  # three words at one place
    replace(PRESETS["burst"], a=_SAME, b=_SAME, words=_SAME, anchors=_SAME),  # no residual at all
    replace(PRESETS["decoupling"], log_alpha=2.0),
    replace(PRESETS["decoupling"], log_alpha=-1.0),
    replace(PRESETS["decoupling"], a=((2.0, 2.0),), b=((-2.0, -2.0),)),
)

_METRES = st.floats(-60, 160, allow_nan=False)
_CITY_STATES = st.builds(
    CityState,
    x=_METRES,
    y=_METRES,
    heading=st.floats(-10, 10),
    condition=st.sampled_from(["sun", "overcast", "night"]),
    season=st.sampled_from(["summer", "winter"]),
    choice=st.integers(-2, 7),
    word=st.integers(-1, 4),
    hover=st.integers(-1, 4),
    brush=st.none() | st.tuples(_METRES, _METRES, _METRES, _METRES),
    why=st.booleans(),
)
_CITY_EXTREMES = (
    CityState(-1e4, 1e4, 100.0, "night", "winter"),
    CityState(0.0, 20.0, 0.0, "sun", "summer", choice=99, word=99, hover=99),
    CityState(40.0, 20.0, 0.0, "sun", "summer", brush=(500.0, 501.0, 500.0, 501.0)),
)

_LIST = st.integers(1, 10).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-1.5, 1.5, allow_nan=False), min_size=n, max_size=n).map(tuple),
        st.lists(st.booleans(), min_size=n, max_size=n).map(tuple),
    )
)
_PUSH_STATES = _LIST.flatmap(
    lambda drawn: st.builds(
        PushState,
        st.just(drawn[0]),
        st.just(drawn[1]),
        loss=st.sampled_from(sorted(CONTESTANTS)),
        n_bins=st.integers(-1, 60),
        temperature=st.floats(-1, 2),
        interpolation=st.floats(-1, 100),
        margin=st.floats(-1, 2),
        normalised=st.booleans(),
        path=st.lists(st.floats(0, 1), max_size=50).map(tuple),
        preset=st.sampled_from(sorted(LISTS)),
    )
)
_PUSH_EXTREMES = (
    replace(LISTS["tie"], scores=(0.5,) * 10),  # all scores equal
    replace(LISTS["tie"], relevant=(True,) * 10),
    replace(LISTS["crowd"], relevant=(False,) * 10),
    replace(LISTS["far error"], scores=(1.0, -1.0) * 5, n_bins=50),
    PushState((0.3,), (True,), race=RaceStart((0.3, -0.1), (False, True), 2, 0.001, 0.01, 0.0)),
    replace(LISTS["crowd"], loss="smooth", temperature=0.001, path=(0.4,) * 400),
)

_SCORE = st.floats(-0.2, 1.2, allow_nan=False) | st.sampled_from([0.2, 0.5, 0.8])
_COURT_STATES = st.builds(
    CourtState,
    scores=st.lists(_SCORE, min_size=0, max_size=14).map(tuple),
    kinds=st.lists(st.sampled_from(KINDS), min_size=0, max_size=14).map(tuple),
    k=st.integers(-1, 20),
    missing=st.integers(-1, 5),
    guess=st.sampled_from(sorted(GUESSES)),
    judged=st.booleans(),
    pinned=st.booleans(),
    shown=st.sampled_from(sorted(CONVENTIONS)),
    before_scores=st.lists(_SCORE, min_size=10, max_size=10).map(tuple),
    before_kinds=st.lists(st.sampled_from(KINDS), min_size=10, max_size=10).map(tuple),
    moving=st.sampled_from(["", "A", "C"]),
    task=st.integers(-1, 9),
    preset=st.sampled_from(sorted(RANKINGS)),
)
_COURT_EXTREMES = (
    replace(RANKINGS["ties"], scores=(0.5,) * 10),  # one tie group
    replace(RANKINGS["ties"], kinds=("not relevant",) * 10),  # nothing to average
    replace(RANKINGS["partial list"], kinds=("not relevant",) * 10),  # all relevant items are elsewhere
    replace(RANKINGS["junk"], kinds=("junk",) * 10),  # an empty list
    replace(RANKINGS["top or bottom"], kinds=("relevant",) * 10, scores=(0.0,) * 10, k=10),
    CourtState((0.3,), ("relevant",)),
)

_PIXEL = st.floats(-50, 250, allow_nan=False)
_BOX = st.tuples(_PIXEL, _PIXEL, _PIXEL, _PIXEL)
_BENCH_STATES = st.builds(
    BenchState,
    detections=st.lists(st.builds(lambda box, c: (*box, c), _BOX, st.floats(-0.5, 1.5)), max_size=14).map(tuple),
    objects=st.lists(st.builds(lambda box, d: (*box, d), _BOX, st.sampled_from([0.0, 1.0])), max_size=6).map(tuple),
    iou_threshold=st.floats(-1, 2),
    protocol=st.sampled_from(sorted(PROTOCOLS)),
    chosen=st.sampled_from(["", "d0", "d13", "o0", "o9", "x", "d"]),
    draft=st.none() | _BOX,
    compare=st.booleans(),
    preset=st.sampled_from(TASKS),
)
_CAR = (0.0, 0.0, 60.0, 40.0)
_BENCH_EXTREMES = (
    BenchState((), ()),
    BenchState((), ((*_CAR, 0.0),)),  # nothing detected
    BenchState(((*_CAR, 0.5),), ()),  # nothing to detect
    BenchState(((*_CAR, 0.5),) * 12, ((*_CAR, 1.0),)),  # only a difficult object
    BenchState(((*_CAR, 0.5),) * 12, ((*_CAR, 0.0),) * 12, 1.0, "VOC 2007", "o11", (5.0, 5.0, 5.0, 5.0)),
    BenchState(((-9e3, 9e3, -9e3, 9e3, 7.0),), ((60.0, 40.0, 0.0, 0.0, 1.0), (*_CAR, 0.0)), 0.05, "VOC 2010", "d0"),
)

_ORDER = st.permutations(range(14)).map(tuple) | st.lists(st.integers(-1, 15), max_size=15).map(tuple)
_CHIPS = st.lists(st.sampled_from(CHIPS), min_size=0, max_size=15).map(tuple)
_PROTOCOL_STATES = st.builds(
    ProtocolState,
    labels=_CHIPS | st.lists(st.sampled_from(CHIPS), min_size=14, max_size=14).map(tuple),
    order=_ORDER,
    protocol=st.sampled_from(["easy", "medium", "hard"]),
    before_labels=_CHIPS,
    before_order=_ORDER,
    pinned=st.booleans(),
    moving=st.sampled_from(["", "A", "C"]),
    task=st.integers(-1, 9),
    preset=st.sampled_from(sorted(CHIP_LISTS)),
)
_PROTOCOL_EXTREMES = (
    replace(CHIP_LISTS["ignored"], labels=("junk",) * 14),  # nothing is left of the list
    replace(CHIP_LISTS["ignored"], labels=("negative",) * 14),  # no protocol has a positive
    replace(CHIP_LISTS["ignored"], labels=("hard",) * 14, protocol="easy"),
    ProtocolState(("easy",), (0,)),
)

_SURE = st.lists(st.floats(-0.2, 1.2, allow_nan=False), min_size=40, max_size=40).map(tuple)
_FEW_OR_ALL = _SURE | st.lists(st.floats(0, 1), max_size=5).map(tuple)
_SYSTEMS = st.sampled_from(["similarity", "own scales", "calibrated", "perfect lists", "your system", "nobody", ""])
_THEATRE_STATES = st.builds(
    TheatreState,
    confidences=_FEW_OR_ALL,
    threshold=st.floats(-1, 2),
    n_others=st.integers(-1, 30),
    chosen=st.integers(-1, 50),
    draws=st.integers(0, 5),
    before=st.builds(Moment, _FEW_OR_ALL, st.floats(-1, 2), st.integers(-1, 30), st.integers(0, 5), _SYSTEMS),
    pinned=st.booleans(),
    moving=st.sampled_from(["", "threshold", "3"]),
    task=st.integers(-1, 9),
    preset=_SYSTEMS,
)
_STAGE = TheatreState((0.5,) * 40, 0.2, 10, 0, 0, Moment((0.5,) * 40, 0.2, 10, 0, "similarity"), preset="similarity")
_THEATRE_EXTREMES = (
    _STAGE,  # one tie of all answers
    replace(_STAGE, confidences=(0.0,) * 40),  # nobody answers
    replace(_STAGE, threshold=1.0),
    replace(_STAGE, n_others=0, chosen=39),  # the query shown is not asked
    replace(_STAGE, n_others=20, confidences=(1.0,) * 40, preset="perfect lists"),
    TheatreState((0.9, 0.1)),
)
_OWN = {"b1": ("bell", 7.0), "b2": ("bell", 3.0), "g1": ("bell", 5.0), "x": ("gate", 6.0), "y": ("bell", 1.0)}
_OWN_TRUTH = {"b1": {"bell"}, "b2": {"bell"}, "g1": {"gate"}, "g2": {"gate"}, "x": set(), "y": set(), "z": set(), "w": set()}
_OWN_EXTREMES = (
    TheatreState((0.6,) * 8, 0.0, 4, before=Moment((0.5,) * 8, 0.0, 4, 0, "your system"), preset="your system"),
    TheatreState((0.0,) * 8, 0.9, 0, before=Moment((1.0,) * 8, 0.0, 4, 0, "your system"), preset="your system"),
)

_CROP = st.tuples(_PIXEL, _PIXEL, _PIXEL, _PIXEL)
_MATCH_STATES = st.builds(
    MatchState,
    crop=_CROP,
    keep=st.integers(-5, 300),
    scales=st.sampled_from(sorted(SCALES)),
    threshold=st.floats(-1, 200),
    verify=st.booleans(),
    accept=st.integers(-1, 200),
    shown=st.integers(-2, 20),
    probe=st.tuples(_PIXEL, _PIXEL),
    step=st.integers(-1, 300),
    guess=st.sampled_from(sorted(EXPECTATIONS)),
    judged=st.booleans(),
    moving=st.sampled_from(["", "crop", "threshold"]),
    last=st.sampled_from(["", "crop", "keep"]),
    before=st.just(())
    | st.tuples(_CROP, st.integers(-5, 300), st.sampled_from(sorted(SCALES)), st.floats(-1, 99), st.booleans()),
    task=st.integers(-1, 9),
    preset=st.sampled_from(sorted(PAIRS)),
)
_MATCH_EXTREMES = (
    replace(PAIRS["crop"], crop=(0.0, 0.0, 0.0, 0.0), keep=1, step=200),  # hardly a feature
    replace(PAIRS["crop"], crop=(-1e9, -1e9, 1e9, 1e9), keep=9999, threshold=1e9, accept=0, shown=99),
    replace(PAIRS["samples"], threshold=0.0, step=150, scales="0.5 and below"),
    replace(PAIRS["no landmark"], verify=True, step=3),
    replace(PAIRS["two eyes"], probe=(1e9, -1e9), before=((5.0, 5.0, 5.0, 5.0), 0, "only 1", 0.0, False)),
)

_SHARE = st.floats(-0.5, 1.5)
_ROW = st.lists(st.builds(Chip, st.sampled_from([*OPERATIONS, "nothing"]), _SHARE, _SHARE), max_size=8).map(tuple)
_PIPELINE_STATES = st.builds(
    PipelineState,
    chips=_ROW,
    names=st.sampled_from(["", "A", "CAB", "ABCDEF", "XY"]),
    picture=st.sampled_from([*PICTURES, "nobody"]),
    seed=st.integers(-1, 20000),
    fuse=st.booleans(),
    chosen=st.sampled_from(["", "A", "F"]),
    outcome=st.integers(-1, 9),
    held=st.sampled_from(["", "A", "shelf rotate", "A strength"]),
    at=st.tuples(_PIXEL, _PIXEL),
    last=st.sampled_from(["", "A"]),
    before=st.just(()) | st.tuples(_ROW, st.booleans(), st.sampled_from([*PICTURES, "x"]), st.integers(-5, 5)),
    task=st.integers(-1, 9),
    preset=st.sampled_from(sorted(ROWS_OF_CHIPS)),
)
_PIPELINE_EXTREMES = (
    PipelineState((), ""),  # nothing is done
    PipelineState((Chip("crop", 1.0, 1.0),) * 6, "ABCDEF", "person", fuse=False),  # hardly an object is left
    PipelineState((Chip("normalise"), Chip("normalise"), Chip("colours", 1.0, 1.0)), "ABC", "sign", chosen="C"),
    PipelineState(tuple(Chip(name, 1.0, 1.0) for name in ("elastic", "perspective", "zoom", "affine")), "ABCD", "six"),
    PipelineState(tuple(Chip(name, 0.0, 0.0) for name in OPERATIONS), "", "cup", seed=-1, fuse=False),
)

_HOLE = st.just(()) | st.tuples(_PIXEL, _PIXEL, _PIXEL, _PIXEL)
_ERASING_STATES = st.builds(
    ErasingState,
    hole=_HOLE,
    method=st.sampled_from([*METHODS, "none"]),
    draw=st.integers(-1, 99),
    fill=st.sampled_from([*FILLS, "grey"]),
    threshold=st.floats(-1, 2),
    picture=st.integers(-1, 20),
    shown=st.integers(-2, 9),
    draft=st.none() | st.tuples(_PIXEL, _PIXEL, _PIXEL, _PIXEL),
    overlay=st.booleans(),
    task=st.integers(-1, 9),
    preset=st.sampled_from(["telling part", "fills", "random holes", "map to box", "nowhere"]),
)
_ERASING_EXTREMES = (
    ErasingState(hole=(-9e3, -9e3, 9e3, 9e3)),  # everything is hidden
    ErasingState(hole=(7.0, 7.0, 7.0, 7.0), draft=(5.0, 5.0, 5.0, 5.0), threshold=1.0),
    ErasingState(method="Hide-and-Seek", draw=3, fill="noise", picture=99, shown=2, threshold=0.0),
    ErasingState(method="Cutout", draw=10_000, overlay=False, task=99, preset="map to box"),
)

_IN_PLANE = st.tuples(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32))
_SPIRAL_STATES = st.builds(
    SpiralState,
    points=st.dictionaries(st.integers(0, N_POINTS - 1), _IN_PLANE, max_size=3).map(
        lambda moved: tuple(moved.get(i, point) for i, point in enumerate(SPIRALS["spirals"].points))
    ),
    layers=st.sampled_from([*PLACES.values(), (5,)]),
    log_alpha=st.floats(-3, 3),
    seed=st.integers(-2, 200),
    steps=st.integers(-50, 900),
    blends=st.booleans(),
    preset=st.sampled_from(["spirals", "moons", "nowhere"]),
)
_SPIRAL_EXTREMES = (
    replace(SPIRALS["spirals"], points=((0.1, 0.1),) * N_POINTS),  # all points at one place
    replace(SPIRALS["moons"], points=((9.0, -9.0),) * 3, layers=(0, 1, 2), log_alpha=9.0),
    replace(SPIRALS["spirals"], steps=0, layers=(1, 2), log_alpha=-9.0),
)

_MIXER_STATES = st.builds(
    MixerState,
    preset=st.sampled_from([*MIXER_METHODS, "nowhere"]),
    pictures=st.tuples(*[st.integers(-1, 20)] * 4),
    box=st.tuples(_PIXEL, _PIXEL, _PIXEL, _PIXEL),
    point=st.tuples(_PIXEL, _PIXEL),
    ratio=st.floats(-1, 2),
    strokes=st.lists(st.tuples(_PIXEL, _PIXEL, _PIXEL, _PIXEL), max_size=3).map(tuple),
    draft=st.none() | st.tuples(_PIXEL, _PIXEL, _PIXEL, _PIXEL),
    draw=st.integers(-1, 99),
    masked=st.booleans(),
)
_MIXER_EXTREMES = (
    MixerState(box=(-9e3, -9e3, 9e3, 9e3)),  # the second picture alone
    MixerState(box=(47.0, 47.0, 47.0, 47.0), draft=(5.0, 5.0, 5.0, 5.0)),
    MixerState(preset="RICAP", point=(0.0, 99.0), pictures=(7, 7, 7, 7)),
    MixerState(preset="brush", strokes=((0.0, 0.0, 48.0, 48.0),) * 99),
    MixerState(preset="Mixup", ratio=1.0),
    MixerState(preset="SmoothMix, square", ratio=0.0, point=(-9.0, 99.0)),
    MixerState(preset="noisy_mixup", ratio=9.0, draw=-3),
)

_DESK_STATES = st.builds(
    DeskState,
    preset=st.sampled_from([*QUESTIONS, "nothing"]),
    shown=st.integers(-1, 99),
    order=st.integers(-1, 20),
    strict=st.booleans(),
    stopped=st.booleans(),
)
_DESK_EXTREMES = (
    DeskState(shown=2),
    DeskState(shown=99, stopped=True, strict=True),
    DeskState("AP loss", shown=3, order=10_001, stopped=True),
)

_LENS = st.tuples(st.floats(-1, 3), st.floats(-9, 9))
_MAP_STATES = st.builds(
    MapState, family=st.sampled_from([ALL, "space", "noise", "none"]), first=_LENS, second=_LENS, named=st.booleans()
)
_MAP_EXTREMES = (
    MapState(family="erasing", first=(-9e9, 9e9), second=(-9e9, 9e9), named=False),
    MapState(first=(0.7, -2.7), second=(0.7, -2.7)),
)

_PLACE = st.tuples(st.sampled_from([*CHOICES, "no such operation"]), st.floats(-20, 20))
_MIXTURE = st.builds(
    Mixture,
    st.tuples(*[st.tuples(*[_PLACE] * 3)] * 3),
    st.tuples(*[st.floats(-1, 3) | st.just(float("nan"))] * 3),
    st.floats(-1, 2),
)
_GRAPH_STATES = st.builds(
    GraphState,
    picture=st.integers(-3, 40),
    first=_MIXTURE,
    other=_MIXTURE,
    second=st.booleans(),
    chosen=st.tuples(st.integers(-2, 5), st.integers(-2, 5)),
    draws=st.integers(-1, 99),
    moving=st.sampled_from(["", "m", "weights"]),
    task=st.integers(-1, 9),
    preset=st.sampled_from(sorted(mixtures_for(12))),
)
_FAR = ((("posterize", 10.0), ("rotate", -10.0), ("shear_x", 10.0)),) * 3
_GRAPH_EXTREMES = (
    GraphState(99, Mixture(_FAR, (0.0, 0.0, 0.0), 2.0), Mixture(_FAR, (-1.0, 9e9, 0.0), -1.0), second=True),
    GraphState(second=True, chosen=(9, 9), task=99, draws=-5),
    GraphState(1, Mixture(_FAR, (float("nan"), 1.0, float("inf")), float("nan")), preset="too strong"),
)

EXPLORERS = {
    "assignment-decoupling": Case(lambda _get: AssignmentLaboratory("decoupling"), _LABORATORY_STATES, _LABORATORY_EXTREMES),
    "assignment-burst": Case(lambda _get: AssignmentLaboratory("burst"), _LABORATORY_STATES, _LABORATORY_EXTREMES),
    "push-far-error": Case(lambda _get: PushAndPull("far error"), _PUSH_STATES, _PUSH_EXTREMES),
    "push-crowd": Case(lambda _get: PushAndPull("crowd"), _PUSH_STATES, _PUSH_EXTREMES),
    "matching": Case(lambda _get: MatchingBench(), _MATCH_STATES, _MATCH_EXTREMES),
    "matching-eyes": Case(lambda _get: MatchingBench(preset="two eyes"), _MATCH_STATES, _MATCH_EXTREMES),
    "court": Case(lambda _get: ConventionCourt(), _COURT_STATES, _COURT_EXTREMES),
    "court-ties": Case(lambda _get: ConventionCourt("ties"), _COURT_STATES, _COURT_EXTREMES),
    "theatre": Case(lambda _get: ThresholdTheatre(), _THEATRE_STATES, _THEATRE_EXTREMES),
    "theatre-own": Case(lambda _get: ThresholdTheatre(predictions=_OWN, truth=_OWN_TRUTH), _THEATRE_STATES, _OWN_EXTREMES),
    "protocol": Case(lambda _get: ProtocolSwitch(), _PROTOCOL_STATES, _PROTOCOL_EXTREMES),
    "pipeline": Case(lambda _get: PipelineBench(), _PIPELINE_STATES, _PIPELINE_EXTREMES),
    "detection": Case(lambda _get: DetectionBench(), _BENCH_STATES, _BENCH_EXTREMES),
    "augmix": Case(lambda _get: AugMixGraph(), _GRAPH_STATES, _GRAPH_EXTREMES),
    "augmix-strong": Case(lambda _get: AugMixGraph("too strong"), _GRAPH_STATES, _GRAPH_EXTREMES),
    "erasing": Case(lambda _get: ErasingBench(), _ERASING_STATES, _ERASING_EXTREMES),
    "erasing-map": Case(lambda _get: ErasingBench("map to box"), _ERASING_STATES, _ERASING_EXTREMES),
    "mixer": Case(lambda _get: MixerBench(), _MIXER_STATES, _MIXER_EXTREMES),
    "evidence": Case(lambda _get: EvidenceDesk(recorded_pools()), _DESK_STATES, _DESK_EXTREMES),
    "affinity": Case(lambda _get: AffinityMap(*catalogue(), examples()), _MAP_STATES, _MAP_EXTREMES),
    "spirals": Case(lambda _get: SpiralTheatre(scheduler=lambda _pause, _piece: None), _SPIRAL_STATES, _SPIRAL_EXTREMES),
    "city": Case(lambda get: CityNavigator(get("describer"), city=get("city")), _CITY_STATES, _CITY_EXTREMES),
}

_built: dict[str, Any] = {}


@pytest.fixture(params=sorted(EXPLORERS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def explorer(name: str, request: pytest.FixtureRequest) -> Any:
    if name not in _built:
        _built[name] = EXPLORERS[name].build(request.getfixturevalue)
    _built[name].state = _built[name].initial_state()  # *Reset* would stay with the preset of the test before
    _built[name].reset()
    return _built[name]


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray):
        return np.array_equal(one, two, equal_nan=True)
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(_same(a, b) for a, b in zip(one, two))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if hasattr(one, "__dataclass_fields__"):
        return all(_same(getattr(one, field.name), getattr(two, field.name)) for field in fields(one))
    return one == two or (one != one and two != two)


def _snapshot(explorer: Any) -> Any:
    return {name: canvas.scene for name, canvas in explorer.canvases.items()}, explorer._status.value


def test_computing_twice_gives_the_same_result(explorer: Any) -> None:
    assert _same(explorer.compute(explorer.state), explorer.compute(explorer.state))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_random_state_raises(explorer: Any, name: str, data: st.DataObject) -> None:
    explorer.last_error = None
    explorer.state = data.draw(EXPLORERS[name].states)
    assert explorer.last_error is None
    assert explorer.error == ""


def test_extreme_states_are_shown_without_an_error(explorer: Any, name: str) -> None:
    for state in EXPLORERS[name].extremes:
        explorer.last_error = None
        explorer.state = state
        assert explorer.last_error is None
        assert "nan" not in explorer.sentence(explorer.state, explorer.result)
        explorer.still()


def test_the_state_is_admissible_after_it_was_admitted(explorer: Any, name: str) -> None:
    for state in EXPLORERS[name].extremes:
        once = explorer.admit(state)
        twice = explorer.admit(once)
        for field in fields(once):
            one, two = getattr(once, field.name), getattr(twice, field.name)
            assert one == two or np.allclose(one, two, atol=1e-9), field.name


def test_every_control_changes_picture_or_status(explorer: Any) -> None:
    for control in explorer._controls:
        explorer.reset()
        before = _snapshot(explorer)
        widget = control.widget
        if isinstance(widget, widgets.Checkbox):
            widget.value = not widget.value
        elif hasattr(widget, "options"):
            values = [option[1] if isinstance(option, tuple) else option for option in widget.options]
            widget.value = next(value for value in values if value != widget.value)
        else:
            widget.set_state({"value": widget.value * 2})
        if control.field != "together":  # decides about the next move only
            assert _snapshot(explorer) != before, control.field
        assert explorer.last_error is None
        explorer.reset()
    explorer.state = explorer.initial_state()


def test_every_mark_moves_by_event_and_changes_the_picture(explorer: Any) -> None:
    explorer.reset()
    counter = 1000
    for name, canvas in explorer.canvases.items():
        for mark in list(canvas.scene["marks"]):
            explorer.state = explorer.initial_state()
            before = _snapshot(explorer)
            left, _, bottom, _ = canvas.scene["box"]
            x, y = mark["x"] + 0.07 * (left - mark["x"]), mark["y"] + 0.07 * (bottom - mark["y"])
            counter += 1
            event = {"kind": "move", "name": mark["name"], "x": x, "y": y}
            canvas.receive({"kind": "events", "counter": counter, "events": [event]})
            assert explorer.last_error is None
            assert canvas.answer == counter
            assert _snapshot(explorer) != before, (name, mark["name"])


def test_reset_restores_the_first_picture(explorer: Any, name: str) -> None:
    explorer.state = explorer.initial_state()
    before = _snapshot(explorer)
    explorer.state = EXPLORERS[name].extremes[0]
    assert _snapshot(explorer) != before
    explorer.state = replace(explorer.state, **{"preset": explorer.preset} if hasattr(explorer, "preset") else {})
    explorer.buttons["Reset"].click()
    assert _snapshot(explorer) == before


def test_the_mime_bundle_has_view_picture_and_one_sentence_with_a_number(explorer: Any) -> None:
    data, metadata = explorer._repr_mimebundle_()
    assert VIEW_KEY in data
    mime = f"image/{explorer.still_kind}"
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data[mime]))).convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    sentence = data["text/plain"]
    assert metadata[mime]["alt"] == sentence == repr(explorer)
    assert sentence.endswith(".") and "\n" not in sentence
    assert sentence.count(". ") == 0  # one sentence
    assert any(character.isdigit() for character in sentence)


def test_two_stills_of_one_state_are_the_same_bytes(explorer: Any) -> None:
    assert explorer.still() == explorer.still()


def test_updates_create_no_widgets_and_no_pyplot_figures(explorer: Any, name: str) -> None:
    from matplotlib import pyplot

    states = [explorer.initial_state(), *EXPLORERS[name].extremes]
    before = len(widgets.widgets.widget._instances)
    for i in range(200):
        explorer.state = states[i % len(states)]
    explorer.still()
    assert len(widgets.widgets.widget._instances) == before
    assert pyplot.get_fignums() == []


def test_an_injected_exception_lands_in_the_error_line_and_the_last_good_state_stays(explorer: Any, monkeypatch: Any) -> None:
    good, picture = explorer.state, _snapshot(explorer)
    other = next(control for control in explorer._controls if isinstance(control.widget, widgets.Checkbox))
    before = other.widget.value

    def broken(_state: Any) -> Any:
        raise RuntimeError("<the roof> is on fire")

    monkeypatch.setattr(explorer, "compute", broken)
    other.widget.value = not before
    assert "the roof" in explorer.error and "RuntimeError" in explorer.error
    assert 'role="alert"' in explorer._error.value and "<the roof>" not in explorer._error.value
    assert "Traceback" in explorer.last_error
    assert explorer.state == good and _snapshot(explorer) == picture
    assert other.widget.value == before
    canvas = next(canvas for canvas in explorer.canvases.values() if canvas.scene["marks"])
    mark = canvas.scene["marks"][0]
    canvas.receive({"kind": "events", "counter": 77, "events": [{"kind": "move", "name": mark["name"], "x": 0.0, "y": 0.0}]})
    assert canvas.answer == 77  # the front end is not left waiting
    monkeypatch.undo()
    explorer.reset()
    assert explorer.error == ""


def test_a_state_of_another_explorer_is_refused(explorer: Any) -> None:
    with pytest.raises(TypeError, match=r"`state` must be a \w+State, but got dict. Use dataclasses.replace"):
        explorer.state = {}


def test_the_status_is_announced_and_holds_the_sentence(explorer: Any) -> None:
    import html

    value = html.unescape(explorer._status.value)
    assert 'role="status"' in value and 'aria-live="polite"' in value
    assert explorer.sentence(explorer.state, explorer.result) in value


def test_every_view_describes_itself_and_every_mark_has_a_name_to_read(explorer: Any) -> None:
    for canvas in explorer.canvases.values():
        assert len(canvas.scene["label"]) > 15
        assert all(mark["label"] for mark in canvas.scene["marks"])
        assert all(field["label"] for field in canvas.scene["fields"])


def _size(value: Any) -> int:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(one) for one in value.values())
    if isinstance(value, list):
        return sum(_size(one) for one in value)
    return 8


def test_an_update_sends_less_than_a_megabyte(explorer: Any, name: str) -> None:
    for state in (explorer.initial_state(), *EXPLORERS[name].extremes):
        explorer.state = state
        assert sum(_size(canvas.scene) for canvas in explorer.canvases.values()) < 1_000_000


@pytest.mark.parametrize("explorer_class", PresetExplorer.__subclasses__(), ids=lambda one: one.__name__)
def test_an_explorer_with_presets_begins_at_the_first_one_and_refuses_unknown_ones(explorer_class: Any) -> None:
    given = (recorded_pools(),) if explorer_class is EvidenceDesk else ()
    explorer = explorer_class(*given)
    assert explorer.preset == explorer.state.preset == next(iter(explorer.presets))
    assert all(state.preset == name for name, state in explorer.presets.items())
    with pytest.raises(ValueError, match="`preset` must be one of"):
        explorer_class(*given, preset="no such preset")
