"""A folder of somebody's own pictures, with everything that can be wrong with one."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data import ImageFolder

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (30, 30, 220)


def save(path, colour=RED, size=(60, 40), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


def colours(folder):
    return [tuple(image.float().mean((1, 2)).round().int().tolist()) for image in folder.images]


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "JPG"])
def test_every_promised_format_is_read(tmp_path, suffix):
    save(tmp_path / f"a.{suffix}")
    folder = ImageFolder(tmp_path, size=(16, 24))
    assert folder.images.shape == (1, 3, 16, 24) and folder.images.dtype == torch.uint8
    assert np.allclose(colours(folder)[0], RED, atol=6)


def test_pictures_come_in_the_order_of_their_paths_through_nested_folders(tmp_path):
    for name in ("b/c/2.png", "b/10.png", "a.png", "b.png", "b/c/10.png"):
        save(tmp_path / name)
    save(tmp_path / ".hidden" / "x.png")
    save(tmp_path / ".y.png")
    (tmp_path / "notes.txt").write_text("no picture")
    folder = ImageFolder(tmp_path, size=(8, 8))
    assert [path.relative_to(tmp_path).as_posix() for path in folder.paths] == [
        "a.png", "b/10.png", "b/c/10.png", "b/c/2.png", "b.png",
    ]  # fmt: skip
    assert folder.skipped == [] and len(folder) == 5
    view = folder[4]
    assert view.path.name == "b.png" and torch.equal(view.image, folder.images[4])


def test_the_picture_is_cropped_around_its_centre_and_not_stretched(tmp_path):
    stripes = np.zeros((40, 120, 3), np.uint8)
    stripes[:, :40], stripes[:, 40:80], stripes[:, 80:] = RED, GREEN, BLUE
    Image.fromarray(stripes).save(tmp_path / "wide.png")
    Image.fromarray(stripes.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    folder = ImageFolder(tmp_path, size=(40, 40))
    assert colours(folder) == [GREEN, GREEN]


@pytest.mark.parametrize("orientation, corner", [(1, "upper left"), (3, "lower right"), (6, "upper right"), (8, "lower left")])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_the_exif_flag_turns_the_picture_upright(tmp_path, orientation, corner, suffix):
    pixels = np.full((48, 48, 3), 200, np.uint8)
    pixels[:24, :24] = 0
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / f"turned.{suffix}", exif=exif)
    image = ImageFolder(tmp_path, size=(48, 48)).images[0].float().mean(0)
    quarters = {"upper left": image[:20, :20], "upper right": image[:20, 28:], "lower left": image[28:, :20]}
    quarters["lower right"] = image[28:, 28:]
    assert min(quarters, key=lambda name: quarters[name].mean()) == corner


def test_grey_alpha_palette_cmyk_and_bitmap_pictures_become_rgb(tmp_path):
    Image.new("L", (20, 20), 100).save(tmp_path / "a_grey.png")
    Image.new("RGBA", (20, 20), (*BLUE, 0)).save(tmp_path / "b_transparent.png")
    Image.new("LA", (20, 20), (50, 255)).save(tmp_path / "c_grey_alpha.png")
    palette = Image.new("P", (20, 20), 0)
    palette.putpalette([*GREEN] * 256)
    palette.save(tmp_path / "d_palette.png")
    palette.save(tmp_path / "e_palette_transparent.png", transparency=0)
    Image.new("CMYK", (20, 20), (0, 0, 0, 255)).save(tmp_path / "f_cmyk.jpg")
    Image.new("1", (20, 20), 1).save(tmp_path / "g_bitmap.png")
    white = (255, 255, 255)
    expected = [(100, 100, 100), white, (50, 50, 50), GREEN, white, (0, 0, 0), white]
    np.testing.assert_allclose(colours(ImageFolder(tmp_path, size=(8, 8))), expected, atol=3)


def test_sixteen_bit_and_floating_pictures_keep_their_brightness(tmp_path):
    Image.fromarray(np.full((20, 20), 32768, np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(np.full((20, 20), 32768, np.uint16)).save(tmp_path / "b.tif")
    Image.fromarray(np.full((20, 20), 0.25, np.float32)).save(tmp_path / "c.tif")
    Image.fromarray(np.full((20, 20), 90, np.int32)).save(tmp_path / "d.tif")
    values = [colour[0] for colour in colours(ImageFolder(tmp_path, size=(8, 8)))]
    np.testing.assert_allclose(values, [128, 128, 64, 90], atol=1)


def bomb(path):
    """A PNG of a few bytes that claims to have 60,000 x 60,000 pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b""))


def test_files_that_cannot_be_used_are_listed_with_a_reason_and_the_others_are_read(tmp_path):
    good = save(tmp_path / "good.png")
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(noise).save(tmp_path / "z.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "z.png").read_bytes()[:2000])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("this is no picture")
    bomb(tmp_path / "bomb.png")
    (tmp_path / "folder.png").mkdir()
    folder = ImageFolder(tmp_path, size=(8, 8))
    assert [path.name for path in folder.paths] == ["good.png", "whole.jpg", "z.png"] and good in folder.paths
    reasons = {path.name: reason for path, reason in folder.skipped}
    assert sorted(reasons) == ["bomb.png", "cut.jpg", "cut.png", "empty.jpg", "text.png"]
    assert reasons["empty.jpg"] == "the file is empty"
    assert reasons["bomb.png"].startswith("too large")
    assert "not a picture" in reasons["text.png"]
    assert "cut short" in reasons["cut.jpg"] and "cut short" in reasons["cut.png"]
    assert "5 skipped" in repr(folder)


def test_a_missing_folder_is_a_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="`root` must be an existing folder, but got '.*nowhere'"):
        ImageFolder(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder_is_a_clear_error(tmp_path):
    with pytest.raises(NotADirectoryError, match="`root` must be a folder, but got the file .* Give the folder around it"):
        ImageFolder(save(tmp_path / "a.png"))


def test_a_folder_without_pictures_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match=r"`root` must be a folder with pictures, but got none under .* Looked for \.jpg"):
        ImageFolder(tmp_path)


def test_a_folder_with_only_broken_pictures_says_why_the_first_one_failed(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ValueError, match=r"1 unusable file\(s\) under .*first: a.jpg: the file is empty"):
        ImageFolder(tmp_path)


def test_a_loop_of_symbolic_links_ends(tmp_path):
    save(tmp_path / "in" / "a.png")
    try:
        (tmp_path / "in" / "again").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    assert len(ImageFolder(tmp_path, size=(8, 8))) == 1


def test_it_feeds_a_data_loader(tmp_path):
    for i in range(5):
        save(tmp_path / f"{i}.png", (50 * i, 0, 0))
    loader = torch.utils.data.DataLoader(ImageFolder(tmp_path, size=(8, 8)), batch_size=2, collate_fn=list)
    assert [len(batch) for batch in loader] == [2, 2, 1]
