"""Benchmarks of chapter 05: detection metrics."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
from harness import benchmark

from course_utils import retrieval


def detector_output(n_images: int, n_classes: int, n_objects: int, n_strays: int) -> tuple[list[dict], list[dict]]:
    """Objects of 10 to 120 pixels, for each one to three shaken boxes, and boxes on nothing; on quarters of a pixel."""
    random = np.random.default_rng(0)

    def boxes(n: int) -> np.ndarray:
        corner = random.integers(0, 2000, (n, 2)) / 4
        return np.concatenate([corner, corner + random.integers(40, 480, (n, 2)) / 4], axis=1)

    detections, objects = [], []
    for _ in range(n_images):
        truth, labels = boxes(n_objects), random.integers(1, n_classes + 1, n_objects)
        of = np.repeat(np.arange(n_objects), random.integers(1, 4, n_objects))
        shaken = truth[of] + random.integers(-24, 25, (len(of), 4)) / 4
        found = np.concatenate([shaken, boxes(n_strays)])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2])
        names = np.concatenate([labels[of], random.integers(1, n_classes + 1, n_strays)])
        detections.append({"boxes": found, "scores": random.random(len(found)), "labels": names})
        objects.append({"boxes": truth, "labels": labels, "crowd": random.random(n_objects) < 0.03})
    return detections, objects


def coco_program(detections: list[dict], objects: list[dict]) -> Callable[[], np.ndarray]:
    """COCOeval on the same data; reading it into COCO's structures is not timed, and only the "all" range of areas runs."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for i, (found, truth) in enumerate(zip(detections, objects)):
        for box, label, crowd in zip(truth["boxes"], truth["labels"], truth["crowd"]):
            size = box[2:] - box[:2]
            one = {"id": len(annotations) + 1, "image_id": i, "category_id": int(label), "area": float(size.prod())}
            annotations.append({**one, "iscrowd": int(crowd), "bbox": [*box[:2], *size]})
        for box, label, score in zip(found["boxes"], found["labels"], found["scores"]):
            size = (box[2:] - box[:2]).tolist()
            results.append({"image_id": i, "category_id": int(label), "score": float(score), "bbox": [*box[:2].tolist(), *size]})
    data = COCO()
    classes = sorted({a["category_id"] for a in annotations})
    images = [{"id": i} for i in range(len(objects))]
    data.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": [{"id": c} for c in classes]}
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        found_data = data.loadRes(results)

    def run() -> np.ndarray:
        with contextlib.redirect_stdout(io.StringIO()):
            program = COCOeval(data, found_data, "bbox")
            program.params.areaRng, program.params.areaRngLbl = [[0, 1e10]], ["all"]
            program.params.maxDets = [100]
            program.params.recThrs = np.linspace(0, 1, 101) - 1e-9  # levels that are reached exactly count as reached
            program.evaluate()
            program.accumulate()
        return program.eval["precision"][..., 0, -1].mean(axis=1)  # (thresholds, classes)

    return run


@benchmark(
    "Detection mAP, COCO protocol (200 images, 10 classes, 2,000 objects, 8,000 boxes)",
    ours="all images and classes at once",
    theirs="pycocotools",
)
def detection_map_of_200_images() -> tuple[Callable, Callable]:
    """A small test set: ten objects an image, twenty shaken boxes and twenty strays."""
    detections, objects = detector_output(200, 10, 10, 20)
    return lambda: retrieval.detection_mean_average_precision(detections, objects).table, coco_program(detections, objects)


@benchmark(
    "Detection mAP, COCO protocol (1,000 images, 80 classes, 8,000 objects, 66,000 boxes)",
    ours="all images and classes at once",
    theirs="pycocotools",
)
def detection_map_of_1000_images() -> tuple[Callable, Callable]:
    """A fifth of COCO's validation set."""
    detections, objects = detector_output(1000, 80, 8, 50)
    return lambda: retrieval.detection_mean_average_precision(detections, objects).table, coco_program(detections, objects)
