"""The judges of chapter 16: right answers of several makes, and the likely mistakes by name."""

import numpy as np
import pytest
import torch
from torchvision.ops import box_area, clip_boxes_to_image

from course_utils import learn
from course_utils.learn import chapter_16

# --- 16-1


def by_simulation():
    random = np.random.default_rng(0)
    s = np.sqrt(random.random(400_000))
    centre = random.random((2, 400_000))
    sides = np.minimum(centre + s / 2, 1) - np.maximum(centre - s / 2, 0)
    return 1 - sides.prod(0).mean()


@pytest.mark.parametrize("answer", [0.679, 1 - chapter_16.PASTED, by_simulation(), torch.tensor(0.6792)])
def test_right_weights_are_accepted(answer):
    found = learn.check("16-1", answer)
    assert found.outcome == "right" and "0.679" in found.sentence, found.sentence


@pytest.mark.parametrize("text", list(chapter_16.WEIGHT_TRAPS))
def test_wrong_weights_are_named(text):
    found = learn.check("16-1", round(chapter_16.WEIGHT_TRAPS[text], 3))
    assert found.outcome == "not yet" and found.text.startswith(text), found.text


def test_a_weight_that_is_no_known_mistake_is_told_how_to_check():
    assert "100,000 draws" in learn.check("16-1", 0.9).text


# --- 16-2


def by_masks(images, labels, partner, centre, size):
    height, width = images.shape[2:]
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    inside = (rows >= centre[0] - size[0] // 2) & (rows < centre[0] + size[0] // 2)
    inside = inside & (columns >= centre[1] - size[1] // 2) & (columns < centre[1] + size[1] // 2)
    weight = 1 - inside.mean()
    return np.where(inside, images[partner], images), weight * labels + (1 - weight) * labels[partner]


def by_loops(images, labels, partner, centre, size):
    mixed, soft = torch.tensor(images), np.zeros_like(labels)
    height, width = images.shape[2:]
    for i in range(len(images)):
        for y in range(height):
            for x in range(width):
                pasted = abs(2 * (y - centre[0]) + 1) < size[0] and abs(2 * (x - centre[1]) + 1) < size[1]
                j = partner[i] if pasted else i
                mixed[i, :, y, x] = torch.tensor(images[j, :, y, x])
                soft[i] += labels[j] / (height * width)
    return mixed, soft


@pytest.mark.parametrize("answer", [chapter_16.repaired_cutmix, by_masks, by_loops])
def test_right_repairs_are_accepted(answer):
    found = learn.check("16-2", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize("text", list(chapter_16.REPAIR_TRAPS))
def test_a_repair_that_leaves_one_mistake_is_told_which(text):
    found = learn.check("16-2", lambda *case: chapter_16._cutmix(*case, **chapter_16.REPAIR_TRAPS[text]))
    assert found.outcome == "not yet" and found.text.startswith(text), found.text


def test_the_broken_function_has_all_four_mistakes():
    assert "changes its first argument" in learn.check("16-2", chapter_16.broken_cutmix).text

    def on_a_copy(images, *others):
        return chapter_16.broken_cutmix(images.copy(), *others)

    found = learn.check("16-2", on_a_copy)
    assert found.outcome == "not yet"
    slips = {"moved": True, "chained": True, "raw": True, "exchanged": True}
    for case in chapter_16.batches_and_boxes():
        assert chapter_16._same(on_a_copy(*case), chapter_16._cutmix(*case, **slips))


@pytest.mark.parametrize("slip", ["moved", "chained", "raw", "exchanged"])
def test_every_mistake_shows_in_some_batch(slip):
    cases = chapter_16.batches_and_boxes()
    assert any(not chapter_16._same(chapter_16._cutmix(*case, **{slip: True}), chapter_16._cutmix(*case)) for case in cases)


def test_two_mistakes_at_once_and_a_lone_image_are_answered():
    found = learn.check("16-2", lambda *case: chapter_16._cutmix(*case, raw=True, chained=True))
    assert found.outcome == "not yet" and "batches differ" in found.text
    assert "two things" in learn.check("16-2", lambda images, *others: images).text


# --- 16-3


def by_torchvision(boxes, offset, tile):
    moved = torch.from_numpy(boxes) + torch.tensor([*offset, *offset])
    corner = torch.tensor([tile[0], tile[1]] * 2)
    cut = clip_boxes_to_image(moved - corner, (tile[3] - tile[1], tile[2] - tile[0])) + corner
    width, height = (cut[:, 2:] - cut[:, :2]).T
    kept = (width > 2) & (height > 2) & (box_area(cut) > 0.1 * box_area(moved))
    return cut[kept & (width < 100 * height) & (height < 100 * width)]


def by_loops_over_boxes(boxes, offset, tile):
    out = []
    for x1, y1, x2, y2 in boxes + np.tile(offset, 2):
        a, b, c, d = (min(max(v, lo), hi) for v, lo, hi in zip((x1, y1, x2, y2), tile[:2] * 2, tile[2:] * 2))
        if c - a > 2 and d - b > 2 and (c - a) * (d - b) > 0.1 * (x2 - x1) * (y2 - y1):
            if max(c - a, d - b) < 100 * min(c - a, d - b):
                out.append([a, b, c, d])
    return out


@pytest.mark.parametrize("answer", [chapter_16.surviving_boxes, by_torchvision, by_loops_over_boxes])
def test_right_survivors_are_accepted(answer):
    found = learn.check("16-3", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize("text", list(chapter_16.SURVIVOR_TRAPS))
def test_wrong_survivors_are_named(text):
    found = learn.check("16-3", lambda *case: chapter_16._survivors(*case, **chapter_16.SURVIVOR_TRAPS[text]))
    assert found.outcome == "not yet" and found.text.startswith(text), found.text


def test_boxes_of_another_form_are_answered():
    assert "(M, 4)" in learn.check("16-3", lambda boxes, offset, tile: np.zeros(3)).text
    assert "boxes, expected" in learn.check("16-3", lambda boxes, offset, tile: boxes[:1]).text


def test_each_exercise_has_three_hints_and_a_stub_is_not_attempted():
    def stub(boxes, offset, tile):
        return None

    for key, answer in (("16-1", None), ("16-2", stub), ("16-3", stub)):
        assert len({learn.hint(key, level).text for level in (1, 2, 3)}) == 3
        assert learn.check(key, answer).outcome == "not attempted"
