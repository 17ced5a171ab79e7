"""The reader of Google Landmarks v2 on small folders of the real layout, and on the course's miniature."""

import shutil
from collections import Counter

import pytest
import torch
from PIL import Image

from course_utils.data import (
    GoogleLandmarks,
    check_parts,
    google_landmarks_miniature,
    read_solution,
    read_submission,
    write_submission,
)
from course_utils.data.google_landmarks.miniature import KNOWN_PER_CLASS, TEST_KNOWN, TEST_NEW
from course_utils.data.google_landmarks.tables import COLUMNS, id_number, id_text, image_path, read_rows
from course_utils.data.landmarks import class_name, rendered_view
from course_utils.data.landmarks.dataset import _items
from course_utils.retrieval import mean_average_precision_at_k, recognition_ranking

A, B, C, D = "0123456789abcdef", "fedcba9876543210", "00000000000000aa", "ffffffffffffffff"


@pytest.fixture
def root(tmp_path):
    """A folder of the real layout: three images of train (one missing on disk), two of the index, one of test."""
    for split, ids in {"train": (A, B), "index": (C,), "test": (D,)}.items():
        for shade, identity in enumerate(ids):
            file = tmp_path / split / image_path(identity)
            file.parent.mkdir(parents=True)
            Image.new("RGB", (6, 4), (50 * shade, 0, 0)).save(file)
    write(tmp_path, "metadata/train.csv", f"{A},http://x,7", f"{B},http://y,3", f"{C},http://z,7")
    write(tmp_path, "metadata/train_clean.csv", f"3,{B}", f"7,{A} {C} ")
    write(tmp_path, "metadata/train_attribution.csv", f'{A},http://x,"Kim, Yuna",CC BY 2.0,"a ""gate"""', f"{B},u,v,w,x")
    write(tmp_path, "metadata/train_label_to_hierarchical.csv", "7,http://c7,monument,gate,human-made", "3,c,s,h,natural")
    write(tmp_path, "metadata/index.csv", C, A)
    write(tmp_path, "metadata/index_image_to_landmark.csv", f"{A},7")
    write(tmp_path, "metadata/test.csv", D)
    return tmp_path


def write(root, table, *rows):
    file = root / table
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = COLUMNS.get(table, table)
    header = ",".join(columns) if isinstance(columns, tuple) else "id,landmarks"
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return file


def test_train_holds_the_images_on_disk_with_their_landmarks_and_labels(root):
    train = GoogleLandmarks(root)
    assert train.ids == [A, B] and train.landmark_ids.tolist() == [7, 3] and train.n_missing == 1
    assert train.classes.tolist() == [3, 7] and train.labels.tolist() == [1, 0] and train.class_sizes().tolist() == [1, 1]
    photo = train[1]
    assert photo.image.shape == (3, 4, 6) and photo.image.dtype == torch.uint8 and photo.id == B
    assert (photo.landmark_id, photo.label) == (3, 0)
    assert repr(train) == "GoogleLandmarks(train: 2 images, 2 landmarks; 1 of its table not on disk)"
    assert [p.id for p in train] == [A, B]  # iteration ends


def test_the_cleaned_subset_lists_images_by_landmark(root):
    clean = GoogleLandmarks(root, clean=True)
    assert clean.ids == [B, A] and clean.landmark_ids.tolist() == [3, 7] and clean.n_missing == 1


def test_images_are_brought_to_one_size_when_asked(root):
    assert GoogleLandmarks(root, size=(8, 8)).images().shape == (2, 3, 8, 8)


def test_the_index_has_its_own_numbering_and_images_without_a_landmark(root):
    index = GoogleLandmarks(root, "index")
    assert index.ids == [C] and index.landmark_ids.tolist() == [-1] and index.labels.tolist() == [-1]
    assert len(index.classes) == 0 and "landmarks not told" in repr(index)
    test = GoogleLandmarks(root, "test")
    assert test[0].landmark_id == -1 and test[0].label == -1


def test_an_id_is_found_and_one_of_another_split_is_named(root):
    train = GoogleLandmarks(root)
    assert train.index_of(B) == 1
    with pytest.raises(KeyError, match="It belongs to index"):
        train.index_of(C)
    with pytest.raises(KeyError, match="It is not on disk"):
        train.index_of("1234123412341234")
    with pytest.raises(ValueError, match="16 hexadecimal digits"):
        train.index_of("1234")


def test_categories_and_attributions_are_read_with_quotes_and_commas(root):
    train = GoogleLandmarks(root)
    assert train.categories()[7].hierarchical_label == "gate" and train.categories()[3].natural_or_human_made == "natural"
    first, second = train.attributions([A, B])
    assert first.author == "Kim, Yuna" and first.title == 'a "gate"' and second.license == "w"
    write(root, "metadata/train_attribution.csv", f"{A},a,b,c,d")
    with pytest.raises(KeyError, match="Do not show it"):
        train.attributions()


def test_ids_are_numbers_of_64_bits_and_come_back_as_text():
    for identity in (A, B, C, D, "0" * 16):
        assert id_text(id_number(identity)) == identity
    assert image_path(A).as_posix() == f"0/1/2/{A}.jpg"


@pytest.mark.parametrize(
    "table, rows, words",
    [
        ("metadata/train.csv", ["0123,u,1"], "train.csv, line 2.*16 hexadecimal digits, but got '0123'"),
        ("metadata/train.csv", [f"{A},u,1", f"{B},u,one"], "train.csv, line 3.*a number in landmark_id, but got 'one'"),
        ("metadata/train.csv", [f"{A},u,-1"], "a number in landmark_id, but got '-1'"),
        ("metadata/train.csv", [f"{A},u"], "3 fields, but got 2"),
        ("metadata/train.csv", [f"{A},u,1", f"{A},u,1"], f"free of repeated images, but got {A} twice"),
        ("metadata/train.csv", [f"{D},u,1"], "none of the 1 in the table"),
        ("metadata/train.csv", [f"{A.upper()},u,1"], "16 hexadecimal digits"),
    ],
)
def test_malformed_tables_are_refused_with_file_and_line(root, table, rows, words):
    write(root, table, *rows)
    with pytest.raises(ValueError, match=words):
        GoogleLandmarks(root)


def test_a_table_with_another_header_is_refused_and_further_columns_do_no_harm(root):
    (root / "metadata/train.csv").write_text("id,url\n", encoding="utf-8")
    with pytest.raises(ValueError, match="id, url, landmark_id, but got id, url"):
        GoogleLandmarks(root)
    (root / "metadata/train.csv").write_text(f"\ufefflandmark_id,id,url,more\r\n5,{A},u,v\r\n\r\n", encoding="utf-8")
    assert GoogleLandmarks(root).landmark_ids.tolist() == [5]  # another order, a byte-order mark, Windows line ends


def test_missing_files_say_how_to_fetch_them(root):
    with pytest.raises(ValueError, match="Only train has a cleaned subset"):
        GoogleLandmarks(root, "index", clean=True)
    with pytest.raises(ValueError, match="split"):
        GoogleLandmarks(root, "validation")
    (root / "metadata/train.csv").unlink()
    with pytest.raises(FileNotFoundError, match="data_scripts get google_landmarks_v2"):
        GoogleLandmarks(root)
    shutil.rmtree(root / "train")
    with pytest.raises(FileNotFoundError, match="a folder with train/"):
        GoogleLandmarks(root)


def test_a_damaged_image_names_its_file(root):
    (root / "train" / image_path(A)).write_bytes(b"no picture")
    for size in (None, (4, 4)):
        with pytest.raises(ValueError, match=f"{A}.jpg"):
            GoogleLandmarks(root, size=size).image(0)


def test_an_image_in_the_folder_of_another_id_is_not_on_disk(root):
    right = root / "train" / image_path(A)
    wrong = root / "train/9/9/9" / right.name
    wrong.parent.mkdir(parents=True)
    right.rename(wrong)
    assert GoogleLandmarks(root).ids == [B]


# -- solutions and submissions ------------------------------------------------------------------------------------------
def recognition(tmp_path, *rows):
    return write(tmp_path, "ground_truth/recognition_solution_v2.1.csv", *rows)


def retrieval(tmp_path, *rows):
    return write(tmp_path, "ground_truth/retrieval_solution_v2.1.csv", *rows)


def test_a_recognition_solution_has_several_landmarks_or_none(tmp_path):
    solution = read_solution(recognition(tmp_path, f"{A},7 12 ,Public", f"{B},,Private", f"{C},3,Ignored"), "recognition")
    assert solution.truth == {A: frozenset({7, 12}), B: frozenset(), C: frozenset({3})}
    assert solution.part() == {A: frozenset({7, 12}), B: frozenset()} and solution.part("Private") == {B: frozenset()}
    assert "1 Public, 1 Private, 1 Ignored; 1 counted ones without a landmark" in repr(solution)


def test_a_retrieval_solution_ignores_queries_marked_none(tmp_path):
    solution = read_solution(retrieval(tmp_path, f"{A},{C} {D},Public", f"{B},None,Private"), "retrieval")
    assert solution.truth == {A: frozenset({C, D}), B: frozenset()} and solution.usage[B] == "Ignored"
    assert solution.part() == {A: frozenset({C, D})}


@pytest.mark.parametrize(
    "task, rows, words",
    [
        ("recognition", [f"{A},7,Secret"], "line 2.*Public, Private, Ignored as Usage, but got 'Secret'"),
        ("recognition", [f"{A},7,Public", f"{A},7,Public"], f"line 3.*a new image, but got {A} again"),
        ("recognition", [f"{A},seven,Public"], "landmark is a number, but got 'seven'"),
        ("recognition", ["12,7,Public"], "16 hexadecimal digits"),
        ("retrieval", [f"{A},77,Public"], "16 hexadecimal digits, but got '77'"),
        ("retrieval", [f"{A},,Public"], "or None for an ignored query, but got an empty field"),
    ],
)
def test_malformed_solutions_are_refused_with_the_line(tmp_path, task, rows, words):
    file = {"recognition": recognition, "retrieval": retrieval}[task](tmp_path, *rows)
    with pytest.raises(ValueError, match=words):
        read_solution(file, task)


def submission(tmp_path, column, *rows):
    file = tmp_path / "submission.csv"
    file.write_text("\n".join((f"id,{column}", *rows)) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def solutions(tmp_path):
    one = recognition(tmp_path, f"{A},7,Public", f"{B},,Private", f"{C},3,Ignored")
    two = retrieval(tmp_path, f"{A},{C},Public", f"{B},{D},Private", f"{C},None,Ignored")
    return read_solution(one, "recognition"), read_solution(two, "retrieval")


def test_a_recognition_submission_may_abstain_and_end_in_spaces(tmp_path, solutions):
    file = submission(tmp_path, "landmarks", f"{A},7 0.25 ", f"{B},", f"{C},3 nan_is_not_looked_at", "")
    answers = read_submission(file, solutions[0])
    assert answers == {A: (7, 0.25)}
    assert solutions[0].answers(answers, "Private") == {} and solutions[0].answers(answers, "Public") == answers
    assert recognition_ranking(answers, solutions[0].part()).gap == 1.0


def test_a_retrieval_submission_is_cut_at_a_hundred_and_keeps_repeated_results(tmp_path, solutions):
    many = " ".join([C, C] + [id_text(i) for i in range(150)])
    answers = read_submission(submission(tmp_path, "images", f"{A},{many}", f"{C},{A}", f"{B}, "), solutions[1])
    assert list(answers) == [A] and len(answers[A]) == 100 and answers[A][:2] == [C, C]
    assert mean_average_precision_at_k(answers, solutions[1].part()) == 0.5


@pytest.mark.parametrize(
    "column, rows, words",
    [
        ("landmarks", [f"{A},7 0.5", f"{A},7 0.5"], "line 3.*a new image"),
        ("landmarks", [f"{A},", f"{A},7 0.5"], "line 3.*a new image"),
        ("landmarks", [f"{D},7 0.5"], f"an image of the solution, but got {D}"),
        ("landmarks", [f"{A},7 high"], "score is a number, but got 'high'"),
        ("landmarks", [f"{A},7 nan"], "score is a number, but got NaN"),
        ("landmarks", [f"{A},7"], "one landmark and one score, but got 1 parts"),
        ("landmarks", [f"{A},7 0.5 8 0.4"], "one landmark and one score, but got 4 parts"),
        ("landmarks", [f"{A},x 0.5"], "landmark is a number"),
        ("images", [f"{A},7 0.5"], "id, landmarks, but got id, images"),
    ],
)
def test_malformed_recognition_submissions_are_refused_with_the_line(tmp_path, solutions, column, rows, words):
    with pytest.raises(ValueError, match=words):
        read_submission(submission(tmp_path, column, *rows), solutions[0])


def test_a_retrieval_result_that_is_no_id_is_refused(tmp_path, solutions):
    with pytest.raises(ValueError, match="results have 16 hexadecimal digits, but got 'x'"):
        read_submission(submission(tmp_path, "images", f"{A},{C} x"), solutions[1])


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path, solutions):
    file = tmp_path / "mine.csv"
    answers = {A: (7, 0.1 + 0.2), B: (12, -1e-300)}
    write_submission(file, answers, [A, B, C], "recognition")
    assert read_submission(file, solutions[0]) == answers
    assert file.read_text().splitlines()[0] == "id,landmarks" and len(file.read_text().splitlines()) == 4
    write_submission(file, {A: [C, D]}, [A, B, C], "retrieval")
    assert read_submission(file, solutions[1]) == {A: [C, D]}


def test_a_submission_about_other_images_or_without_a_score_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="about the images listed"):
        write_submission(tmp_path / "x.csv", {D: (1, 0.5)}, [A], "recognition")
    with pytest.raises(ValueError, match="1 repeated"):
        write_submission(tmp_path / "x.csv", {}, [A, A], "recognition")
    with pytest.raises(ValueError, match="other than NaN"):
        write_submission(tmp_path / "x.csv", {A: (1, float("nan"))}, [A], "recognition")


# -- archives -----------------------------------------------------------------------------------------------------------
def test_archives_are_compared_with_their_md5_files(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train/images_000.tar").write_bytes(b"abc")
    (tmp_path / "train/images_001.tar").write_bytes(b"abd")
    for number in (0, 1):
        file = tmp_path / f"md5sum/train/md5.images_00{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"900150983cd24fb0d6963f7d28e17f72  images_00{number}.tar\n")  # of "abc", RFC 1321
    first, second = check_parts(tmp_path, "train")
    assert first.complete and first.n_bytes == 3 and not second.complete
    file.write_text("oops\n")
    with pytest.raises(ValueError, match="32 hexadecimal digits, but got 'oops'"):
        check_parts(tmp_path, "train")
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"md5.images_001.txt"):
        check_parts(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match=r"images_000.tar"):
        check_parts(tmp_path, "index")


# -- the miniature ------------------------------------------------------------------------------------------------------
EMPTY = 60


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return google_landmarks_miniature(empty_test=EMPTY)


def test_the_miniature_has_every_table_of_the_real_set(miniature):
    for table in COLUMNS:
        assert next(read_rows(miniature, table), None) is not None, table


def test_the_miniatures_train_split_is_that_of_the_landmarks(miniature):
    train, kinds = GoogleLandmarks(miniature), GoogleLandmarks(miniature).categories()
    sources = {row["id"]: row["url"].partition(":")[2].split("/") for row in read_rows(miniature, "metadata/train.csv")}
    counts = Counter(label for label, _ in _items("train", 1))
    assert Counter(int(label) for _, label, _ in sources.values()) == counts
    assert sorted(train.class_sizes().tolist()) == sorted(counts.values()) and train.n_missing == 0
    names = {row["id"]: row["title"] for row in read_rows(miniature, "metadata/train_attribution.csv")}
    for i in range(0, len(train), 97):
        split, label, number = sources[train.id(i)]
        same = rendered_view(split, int(label), int(number)).image
        error = (train.image(i).double() - same.double()).abs().mean()
        assert error < 6, "a JPEG of the same photograph"
        assert names[train.id(i)] == class_name(int(label))
        assert kinds[int(train.landmark_ids[i])].hierarchical_label == names[train.id(i)].split()[0]


def test_the_miniature_numbers_its_index_differently_from_train(miniature):
    train, index = GoogleLandmarks(miniature), GoogleLandmarks(miniature, "index")
    meaning = {n: c.category for n, c in train.categories().items()}
    other = {n: c.category for n, c in index.categories().items()}
    both = set(meaning) & set(other)
    assert both and sum(meaning[n] == other[n] for n in both) <= 3
    assert set(meaning.values()) < set(other.values())
    assert (index.labels == -1).sum() == 200


def test_the_miniatures_solutions_fit_its_tables(miniature):
    test, index = GoogleLandmarks(miniature, "test"), GoogleLandmarks(miniature, "index")
    rec = read_solution(miniature / "ground_truth/recognition_solution_v2.1.csv", "recognition")
    ret = read_solution(miniature / "ground_truth/retrieval_solution_v2.1.csv", "retrieval")
    assert list(rec.truth) == list(ret.truth) == test.ids
    known, new = 60 * TEST_KNOWN, 30 * TEST_NEW
    assert sum(map(bool, rec.truth.values())) == known and len(ret.part()) == known + new
    assert len(test) == known + new + EMPTY
    assert set().union(*rec.truth.values()) == set(GoogleLandmarks(miniature).classes.tolist())
    sizes = sorted({len(images) for images in ret.part().values()})
    assert sizes == [KNOWN_PER_CLASS, 6]
    assert all(index.labels[index.index_of(i)] >= 0 for images in list(ret.part().values())[:5] for i in images)
    public = sum(usage == "Public" for usage in rec.usage.values()) / len(test)
    assert 0.25 < public < 0.42


def test_the_miniatures_archives_are_complete_and_notice_a_changed_byte(miniature, tmp_path):
    for split in ("train", "index", "test"):
        assert all(part.complete for part in check_parts(miniature, split))
    for folder in ("test/images_000.tar", "md5sum/test/md5.images_000.txt"):
        (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(miniature / folder, tmp_path / folder)
    with (tmp_path / "test/images_000.tar").open("r+b") as file:
        file.seek(5000)
        file.write(b"\x00")
    before = check_parts(miniature, "test")[0]
    after = check_parts(tmp_path, "test")[0]
    assert after.complete is (before.found == after.found) and after.n_bytes == before.n_bytes


def test_every_training_image_of_the_miniature_is_attributed(miniature):
    train = GoogleLandmarks(miniature)
    credits = train.attributions()
    assert [c.id for c in credits] == train.ids and all("creativecommons.org" in c.license for c in credits)


def test_the_miniature_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    from course_utils.data.google_landmarks import miniature as module

    def fails(root, seed, empty_test):
        (root / "metadata").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write", fails)
    with pytest.raises(KeyboardInterrupt):
        google_landmarks_miniature(folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="empty_test"):
        google_landmarks_miniature(empty_test=-1)


def test_two_kernels_that_write_the_miniature_at_once_end_with_one_folder(tmp_path, monkeypatch):
    from course_utils.data.google_landmarks import miniature as module

    def other_kernel_is_faster(root, seed, empty_test):
        (root / "mine").touch()
        done = tmp_path / root.name.split(".")[0]
        done.mkdir()
        (done / "theirs").touch()

    monkeypatch.setattr(module, "_write", other_kernel_is_faster)
    found = google_landmarks_miniature(folder=tmp_path)
    assert [p.name for p in found.iterdir()] == ["theirs"] and len(list(tmp_path.iterdir())) == 1
