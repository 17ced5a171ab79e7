"""The slips that ``make sabotage`` tries; a chapter that adds a method adds the slips that its method invites.

``right`` must stand exactly once in ``file`` (a test checks it at every run, so the list cannot rot).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sabotage:
    """One line of the package, replaced by a line that looks nearly as good.

    Attributes
    ----------
    name : str
        What is broken.
    file : str
        Path from the project's root.
    right, wrong : str
        The text that is replaced, and its replacement.
    tests : tuple of str
        The unit tests that ought to notice.
    chapter : str
        The chapter whose strict nbval run ought to notice.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]
    chapter: str


SABOTAGES = (
    Sabotage(
        name="intra-normalisation-over-the-wrong-axis",
        file="course_utils/retrieval/vlad.py",
        right="blocks = blocks / np.maximum(np.linalg.norm(blocks, axis=2, keepdims=True), TINY)",
        wrong="blocks = blocks / np.maximum(np.linalg.norm(blocks, axis=1, keepdims=True), TINY)",
        tests=("tests/retrieval/test_retrieval_vlad.py",),
        chapter="01_vlad",
    ),
    Sabotage(
        name="netvlad-intra-normalisation-wrong-axis",
        file="course_utils/retrieval/netvlad.py",
        right="blocks = F.normalize(self.residual_sums(features, mask), dim=2, eps=EPS)",
        wrong="blocks = F.normalize(self.residual_sums(features, mask), dim=1, eps=EPS)",
        tests=("tests/retrieval/test_retrieval_netvlad.py",),
        chapter="02_netvlad",
    ),
    Sabotage(
        name="alpha-rule-without-the-logarithm",
        file="course_utils/retrieval/netvlad.py",
        right="return -math.log(SECOND_TO_FIRST) / mean_gap",
        wrong="return (1 - SECOND_TO_FIRST) / mean_gap",
        tests=("tests/retrieval/test_retrieval_netvlad.py",),
        chapter="02_netvlad",
    ),
    Sabotage(
        name="un-squared-distance-in-the-loss",
        file="course_utils/retrieval/ranking_loss.py",
        right="return (others.to(wide) - query.to(wide)).square().sum(1)",
        wrong="return (others.to(wide) - query.to(wide)).square().sum(1).sqrt()",
        tests=("tests/retrieval/test_retrieval_ranking_loss.py",),
        chapter="02_netvlad",
    ),
    Sabotage(
        name="mean-positive-instead-of-the-best",
        file="course_utils/retrieval/ranking_loss.py",
        right="violation = to_positives[best] + self.margin - to_negatives",
        wrong="violation = to_positives.mean() + self.margin - to_negatives",
        tests=("tests/retrieval/test_retrieval_ranking_loss.py",),
        chapter="02_netvlad",
    ),
    Sabotage(
        name="recall-off-by-one",
        file="course_utils/retrieval/recall.py",
        right="(first_hit > 0) & (first_hit <= value)",
        wrong="(first_hit > 0) & (first_hit < value)",
        tests=("tests/retrieval/test_retrieval_recall.py",),
        chapter="01_vlad",
    ),
    Sabotage(
        name="evaluation-radius-in-feet",
        file="course_utils/retrieval/recall.py",
        right="result.append(index[(distance <= radius) & (distance > beyond)])",
        wrong="result.append(index[(distance <= radius * 0.3048) & (distance > beyond)])",
        tests=("tests/retrieval/test_retrieval_recall.py",),
        chapter="01_vlad",
    ),
    Sabotage(
        name="positive-radius-in-feet",
        file="course_utils/retrieval/mining.py",
        right="positives_within(query_positions, database_positions, self.positive_radius, beyond)",
        wrong="positives_within(query_positions, database_positions, self.positive_radius * 0.3048, beyond)",
        tests=("tests/retrieval/test_retrieval_mining.py",),
        chapter="02_netvlad",
    ),
    Sabotage(
        name="attention-trained-without-freezing",
        file="course_utils/retrieval/delf.py",
        right="        maps = maps.detach()\n",
        wrong="",
        tests=("tests/retrieval/test_retrieval_delf.py",),
        chapter="03_delf",
    ),
    Sabotage(
        name="attention-averages-features-of-any-length",
        file="course_utils/retrieval/delf.py",
        right="features = unit(maps).flatten(2)  # (B, D, N)",
        wrong="features = maps.flatten(2)  # (B, D, N)",
        tests=("tests/retrieval/test_retrieval_delf.py",),
        chapter="03_delf",
    ),
    Sabotage(
        name="receptive-field-padding-without-the-stride",
        file="course_utils/retrieval/receptive_field.py",
        right="return _Cells(self.start - padding * self.stride, ",
        wrong="return _Cells(self.start - padding, ",
        tests=("tests/retrieval/test_retrieval_receptive_field.py",),
        chapter="03_delf",
    ),
    Sabotage(
        name="key-points-times-the-scale",
        file="course_utils/retrieval/delf_extraction.py",
        right="scale=(small[0] / size[0], small[1] / size[1])",
        wrong="scale=(size[0] / small[0], size[1] / small[1])",
        tests=("tests/retrieval/test_retrieval_delf_extraction.py",),
        chapter="03_delf",
    ),
    Sabotage(
        name="gap-averaged-query-by-query",
        file="course_utils/retrieval/recognition_metrics.py",
        right="return float(self.precision[self.correct].sum() / self.n_landmark_images)",
        wrong="return float(self.correct.sum() / self.n_landmark_images)",
        tests=("tests/retrieval/test_retrieval_recognition_metrics.py",),
        chapter="04_landmark_recognition",
    ),
    Sabotage(
        name="only-answered-landmark-images-counted",
        file="course_utils/retrieval/recognition_metrics.py",
        right="n_landmark_images = sum(len(labels) > 0 for labels in truth.values())",
        wrong="n_landmark_images = sum(len(truth[image]) > 0 for image in ids)",
        tests=("tests/retrieval/test_retrieval_recognition_metrics.py",),
        chapter="04_landmark_recognition",
    ),
    Sabotage(
        name="repeated-result-is-a-second-hit",
        file="course_utils/retrieval/landmark_retrieval_metrics.py",
        right="hits.append(item in wanted and item not in seen)",
        wrong="hits.append(item in wanted)",
        tests=("tests/retrieval/test_retrieval_landmark_retrieval_metrics.py",),
        chapter="04_landmark_recognition",
    ),
    Sabotage(
        name="junk-counted-as-negative",
        file="course_utils/retrieval/revisited.py",
        right="adjusted = np.cumsum(~junk, axis=1) - 1",
        wrong="adjusted = np.cumsum(np.ones_like(junk), axis=1) - 1",
        tests=("tests/retrieval/test_retrieval_revisited.py",),
        chapter="04_landmark_recognition",
    ),
    Sabotage(
        name="recall-over-the-relevant-items-in-the-list-only",
        file="course_utils/retrieval/average_precision.py",
        right="totals[rows] = ranks.found if declared is None else declared[rows]",
        wrong="totals[rows] = ranks.found",
        tests=("tests/retrieval/test_retrieval_average_precision.py",),
        chapter="05_mean_average_precision",
    ),
    Sabotage(
        name="curve-recall-divides-by-the-length-of-the-list",
        file="course_utils/retrieval/precision_recall.py",
        right="return PrecisionRecallCurve(precision, hits / (n_relevant or total), thresholds, accepted, envelope)",
        wrong="return PrecisionRecallCurve(precision, hits / len(scores), thresholds, accepted, envelope)",
        tests=("tests/retrieval/test_retrieval_precision_recall.py",),
        chapter="05_mean_average_precision",
    ),
    Sabotage(
        name="ties-broken-by-input-order",
        file="course_utils/retrieval/average_precision.py",
        right='here, "stable" if ties == "stable" else "group", rows.start)',
        wrong='here, "stable", rows.start)',
        tests=("tests/retrieval/test_retrieval_average_precision.py",),
        chapter="05_mean_average_precision",
    ),
    Sabotage(
        name="ap-at-k-divides-by-all-relevant-items",
        file="course_utils/retrieval/average_precision.py",
        right='"min": np.minimum(total, cut), "found": found}[denominator]',
        wrong='"min": total, "found": found}[denominator]',
        tests=("tests/retrieval/test_retrieval_average_precision.py",),
        chapter="05_mean_average_precision",
    ),
    Sabotage(
        name="trapezoid-starts-at-precision-zero",
        file="course_utils/retrieval/average_precision.py",
        right="at_start = np.where(ranks.before > 0, hits_before / np.maximum(ranks.before, 1), 1.0)",
        wrong="at_start = np.where(ranks.before > 0, hits_before / np.maximum(ranks.before, 1), 0.0)",
        tests=("tests/retrieval/test_retrieval_average_precision.py",),
        chapter="05_mean_average_precision",
    ),
    Sabotage(
        name="bin-width-off-by-one",
        file="course_utils/retrieval/listwise_ap_loss.py",
        right="return (high - low) / (n_bins - 1)",
        wrong="return (high - low) / n_bins",
        tests=("tests/retrieval/test_retrieval_listwise_ap_loss.py",),
        chapter="06_listwise_ap_loss",
    ),
    Sabotage(
        name="query-left-in-its-own-list",
        file="course_utils/retrieval/score_lists.py",
        right="return ScoreLists(scores, relevant & ~itself, itself)",
        wrong="return ScoreLists(scores, relevant, torch.zeros_like(itself))",
        tests=("tests/retrieval/test_retrieval_score_lists.py",),
        chapter="06_listwise_ap_loss",
    ),
    Sabotage(
        name="shares-of-the-two-bins-exchanged",
        file="course_utils/retrieval/listwise_ap_loss.py",
        right="weight * (1 - share)).scatter_add(1, column + 1, weight * share)",
        wrong="weight * share).scatter_add(1, column + 1, weight * (1 - share))",
        tests=("tests/retrieval/test_retrieval_listwise_ap_loss.py",),
        chapter="06_listwise_ap_loss",
    ),
    Sabotage(
        name="every-chunk-gets-the-first-rows-of-the-gradient",
        file="course_utils/training/multistage.py",
        right="passes.second(lambda output, rows: output.backward(gradient[rows]), bar.update)",
        wrong="passes.second(lambda output, rows: output.backward(gradient[: len(output)]), bar.update)",
        tests=("tests/training/test_training_multistage.py",),
        chapter="06_listwise_ap_loss",
    ),
    Sabotage(
        name="batch-norm-thaws-in-the-first-pass",
        file="course_utils/training/two_passes.py",
        right="with torch.no_grad(), _evaluating(self.frozen):",
        wrong="with torch.no_grad():",
        tests=("tests/training/test_training_multistage.py",),
        chapter="06_listwise_ap_loss",
    ),
    Sabotage(
        name="mask-interpolated-bilinearly",
        file="course_utils/augment/plan.py",
        right="out = resample.nearest(layers, self.source_points(), ignore_index)",
        wrong="out = self.images(layers.float(), float(ignore_index)).round().to(masks.dtype)",
        tests=("tests/augment/test_augment_plan.py", "tests/augment/test_augment_targets.py"),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="box-not-clipped",
        file="course_utils/augment/targets.py",
        right="x = boxes[..., 0::2].clamp(0, width)",
        wrong="x = boxes[..., 0::2]",
        tests=("tests/augment/test_augment_targets.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="mirror-of-pixel-indices",
        file="course_utils/augment/spatial.py",
        right="matrix[row, row], matrix[row, 2] = -1, size[1 - row]",
        wrong="matrix[row, row], matrix[row, 2] = -1, size[1 - row] - 1",
        tests=("tests/augment/test_augment_spatial.py", "tests/augment/test_augment_dot_test.py"),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="contrast-about-the-mean-of-the-batch",
        file="course_utils/augment/colour.py",
        right="mean = grey_of_channels(images.mean((2, 3)))",
        wrong="mean = grey_of_channels(images.mean((2, 3))).mean().expand(len(images))",
        tests=("tests/augment/test_augment_colour.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="one-order-of-colour-steps-for-the-batch",
        file="course_utils/augment/colour_jitter.py",
        right="ranks = torch.rand(n, len(used), generator=generator, device=device).argsort(1)",
        wrong="ranks = torch.rand(1, len(used), generator=generator, device=device).argsort(1).expand(n, -1)",
        tests=("tests/augment/test_augment_colour.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="equalisation-counts-its-own-level",
        file="course_utils/augment/equalise.py",
        right="darker = counts.cumsum(1).sub_(counts)",
        wrong="darker = counts.cumsum(1)",
        tests=("tests/augment/test_augment_equalise.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="trail-runs-the-other-way",
        file="course_utils/augment/blur.py",
        right="offsets = -torch.ceil(along - 0.5)",
        wrong="offsets = torch.ceil(along - 0.5)",
        tests=("tests/augment/test_augment_blur.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="box-forgets-the-trail",
        file="course_utils/augment/blur.py",
        right="moved = boxes + shift.repeat(2)",
        wrong="moved = boxes",
        tests=("tests/augment/test_augment_blur.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="gain-does-not-cost-electrons",
        file="course_utils/augment/noise.py",
        right="per_electron = gains / full_well",
        wrong="per_electron = torch.ones_like(gains) / full_well",
        tests=("tests/augment/test_augment_noise.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="jpeg-scale-of-the-high-qualities",
        file="course_utils/augment/jpeg.py",
        right="torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)",
        wrong="torch.where(quality < 50, 5000 // quality, 150 - quality)",
        tests=("tests/augment/test_augment_jpeg.py",),
        chapter="13_colour_and_space",
    ),
    Sabotage(
        name="erased-area-drawn-from-the-side",
        file="course_utils/augment/erasing.py",
        right="area = (scale[0] + (scale[1] - scale[0]) * u) * sizes.prod(1, keepdim=True) * share",
        wrong="area = (scale[0] + (scale[1] - scale[0]) * u) ** 2 * sizes.prod(1, keepdim=True) * share",
        tests=("tests/augment/test_augment_erasing.py",),
        chapter="14_erasing",
    ),
    Sabotage(
        name="hiding-probability-inverted",
        file="course_utils/augment/hide_and_seek.py",
        right="generator=generator, device=device) < self.p_hide",
        wrong="generator=generator, device=device) > self.p_hide",
        tests=("tests/augment/test_augment_hide_and_seek.py",),
        chapter="14_erasing",
    ),
    Sabotage(
        name="objects-rectangles-drawn-in-the-whole-image",
        file="course_utils/augment/erasing.py",
        right='regions = objects if self.aware == "object" else torch.cat([regions, objects], dim=1)',
        wrong='regions = regions.expand_as(objects) if self.aware == "object" else torch.cat([regions, objects], dim=1)',
        tests=("tests/augment/test_augment_erasing.py",),
        chapter="14_erasing",
    ),
    Sabotage(
        name="augmix-weights-do-not-sum-to-one",
        file="course_utils/augment/augmix.py",
        right="return torch._sample_dirichlet(concentration, generator=generator).float()",
        wrong="return torch.rand(n, width, generator=generator, device=device)",
        tests=("tests/augment/test_augment_augmix.py",),
        chapter="17_patchshuffle_and_augmix",
    ),
    Sabotage(
        name="divergence-without-the-mixture",
        file="course_utils/augment/jensen_shannon.py",
        right="log_mixture = log_p.logsumexp(0) - math.log(len(logits))  # (B, K)",
        wrong="log_mixture = log_p[0]",
        tests=("tests/augment/test_augment_jensen_shannon.py",),
        chapter="17_patchshuffle_and_augmix",
    ),
    Sabotage(
        name="label-weights-of-the-wrong-image",
        file="course_utils/augment/mixing.py",
        right="return (self.weights.to(labels.dtype)[..., None] * labels[self.partners]).sum(1)",
        wrong="return (self.weights.to(labels.dtype)[..., None] * labels[self.partners.flip(1)]).sum(1)",
        tests=("tests/augment/test_augment_mixing.py", "tests/augment/test_augment_mixup.py"),
        chapter="15_mixing",
    ),
    Sabotage(
        name="one-permutation-for-images-and-another-for-labels",
        file="course_utils/augment/mixing.py",
        right="return _replaced(soft, draw.active, draw.plan.labels)",
        wrong="return _replaced(soft, draw.active, lambda rows: draw.plan.labels(rows.roll(1, 0)))",
        tests=("tests/augment/test_augment_mixing.py", "tests/augment/test_augment_ways_of_mixing.py"),
        chapter="15_mixing",
    ),
    Sabotage(
        name="pairing-schedule-shifted",
        file="course_utils/augment/mixup.py",
        right="return self.start <= epoch < self.end and (epoch - self.start) % (self.on + self.off) < self.on",
        wrong="return self.start <= epoch < self.end and epoch % (self.on + self.off) < self.on",
        tests=("tests/augment/test_augment_mixup.py",),
        chapter="15_mixing",
    ),
    Sabotage(
        name="hidden-tensors-and-labels-by-different-permutations",
        file="course_utils/augment/manifold_mixup.py",
        right="return self.plan.labels(soft_labels(labels, num_classes))",
        wrong="return self.plan.labels(soft_labels(labels, num_classes).roll(1, 0))",
        tests=("tests/augment/test_augment_manifold_mixup.py",),
        chapter="15_mixing",
    ),
    Sabotage(
        name="layer-drawn-outside-of-the-set",
        file="course_utils/augment/manifold_mixup.py",
        right="k = self.layers[int(torch.randint(len(self.layers), (1,), generator=generator, device=where))]",
        wrong="k = int(torch.randint(len(self.names) + 1, (1,), generator=generator, device=where))",
        tests=("tests/augment/test_augment_manifold_mixup.py",),
        chapter="15_mixing",
    ),
    Sabotage(
        name="cutmix-keeps-lam-after-the-border-cut-its-box",
        file="course_utils/augment/cutmix.py",
        right="return PastePlan(partners, torch.stack([whole, boxes], dim=1), shape[1:])",
        wrong="return PastePlan.__base__(partners, self.shares(params, shape), None, torch.stack([params.lam, 1 - params.lam], 1).float())",
        tests=("tests/augment/test_augment_cutmix.py",),
        chapter="16_cutting_and_pasting",
    ),
    Sabotage(
        name="smoothmix-labels-exchanged",
        file="course_utils/augment/mixing.py",
        right="return torch.cat([first, 1 - first.sum(1, keepdim=True)], dim=1)",
        wrong="return torch.cat([first, 1 - first.sum(1, keepdim=True)], dim=1).flip(1)",
        tests=("tests/augment/test_augment_smoothmix.py",),
        chapter="16_cutting_and_pasting",
    ),
    Sabotage(
        name="ricap-crops-from-the-same-place",
        file="course_utils/augment/ricap.py",
        right="params.starts - rectangles[..., :2])",
        wrong="torch.zeros_like(params.starts))",
        tests=("tests/augment/test_augment_ricap.py",),
        chapter="16_cutting_and_pasting",
    ),
    Sabotage(
        name="mosaic-boxes-moved-down-instead-of-right",
        file="course_utils/augment/mosaic.py",
        right="corner = boxes.new_tensor([(one.left, one.top) * 2 for one in tiles])[tile]",
        wrong="corner = boxes.new_tensor([(one.top, one.left) * 2 for one in tiles])[tile]",
        tests=("tests/augment/test_augment_mosaic.py",),
        chapter="16_cutting_and_pasting",
    ),
)
