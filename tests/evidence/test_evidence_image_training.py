"""What all arms of a claim about augmentation share: batches, start, order."""

import torch

from course_utils import augment
from course_utils.evidence.image_training import SHIFT, Batches, LabelledImages, ToUnits, descended, small_network


def pictures_of_noise(n=24):
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(n) % 6
    return LabelledImages(images, labels, images, labels)


def weights_of(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def images_and_labels(n=12):
    """Image i is i everywhere, but for a white column at its left."""
    images = torch.arange(n, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 16, 16)
    images[..., 0] = 255
    return images, torch.arange(n)


def test_another_transform_sees_the_same_images_in_the_same_order_mirrored_alike():
    images, labels = images_and_labels()
    plain, erased = (Batches(images, labels, 8, 3, change) for change in (None, augment.Cutout(4, value="black")))
    for (before, which), (after, same), _ in zip(plain, erased, range(5)):
        assert torch.equal(which, same)
        changed = (before != after).any(1).flatten(1).float().mean(1)
        assert changed.max() <= 16 / 256 + 1e-6  # apart from the square
        assert torch.equal(before[:, 0, 8, 8], which.to(torch.uint8)) and before.dtype == torch.uint8


def test_about_half_of_the_images_are_mirrored_and_all_move_by_a_few_pixels():
    """Every column shows its own number: the numbers fall in a mirrored image, and the middle one tells the shift."""
    images = torch.arange(16, dtype=torch.uint8).expand(12, 3, 16, 16).contiguous()
    seen = torch.cat([batch for (batch, _), _ in zip(Batches(images, torch.arange(12), 50, seed=0), range(4))])
    middle = seen[:, 0, 8, 8].int()
    mirrored = seen[:, 0, 8, 9].int() < middle
    assert 0.4 < mirrored.float().mean() < 0.6
    assert set((middle[~mirrored] - 8).tolist()) == set(range(-SHIFT, SHIFT + 1))


def test_another_seed_gives_other_batches():
    images, labels = images_and_labels()
    first = [next(iter(Batches(images, labels, 12, seed)))[1].tolist() for seed in (0, 0, 1)]
    assert first[0] == first[1] != first[2]


# -- the training ---------------------------------------------------------------------------------------------------------
def test_all_losses_start_alike_and_see_the_same_pictures():
    pictures, seen = pictures_of_noise(), {}
    for arm in ("plain", "drawing", "other"):
        network = small_network(6, 3)
        seen[arm] = []

        def loss(model, images, labels, generator, arm=arm):
            seen[arm].append(images.clone())
            if arm == "drawing":
                torch.rand(7, generator=generator)
            return model(images).square().mean() + 0 * labels.sum()

        descended(network, loss, pictures, 3, 2)
        seen[arm].append(weights_of(small_network(6, 3)))
    first = seen["plain"]
    assert all(torch.equal(a, b) for other in seen.values() for a, b in zip(first, other, strict=True))


def test_images_of_either_dtype_become_the_same_numbers():
    images = pictures_of_noise(2).train_images
    torch.testing.assert_close(ToUnits()(images), ToUnits()(images.float() / 255))
    assert ToUnits()(torch.full((1, 3, 2, 2), 0.5)).abs().max() == 0


def test_a_training_repeats_and_its_seed_counts():
    pictures = pictures_of_noise()

    def loss(model, images, labels, generator):
        return torch.nn.functional.cross_entropy(model(images), labels)

    ends = [weights_of(descended(small_network(6, seed), loss, pictures, seed, 2)) for seed in (1, 1, 2)]
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])
