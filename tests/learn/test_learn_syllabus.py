"""Every topic of the lecture notes has a chapter, a cell, a name and a test, or is expected to lack them."""

from __future__ import annotations

import importlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from course_utils import learn
from course_utils.learn import chapters as chapters_module
from course_utils.learn import syllabus

ROOT = Path(__file__).resolve().parents[2]

REQUIRED = """
    vlad netvlad weakly_supervised_ranking_loss delf google_landmarks_v2 mean_average_precision listwise_ap_loss kmeans
    mahalanobis feature_elimination feature_selection feature_extraction tsne mining_on_manifolds stml colour_augmentation
    spatial_augmentation patchshuffle sample_pairing mixup ricap mosaic many_ways_of_mixing manifold_mixup random_erasing
    cutout hide_and_seek cutmix augmix smoothmix gan_augmentation medical_gan_augmentation singan gangealing autoaugment
    population_based_augmentation fast_autoaugment differentiable_autoaugment randaugment uniformaugment trivialaugment
    deepaugment
""".split()

NAMES_OF_BUILT_CHAPTERS = {
    "00_start_here": ["learn.syllabus"],
    "01_vlad": ["retrieval.VLAD", "retrieval.PCAWhitening", "retrieval.Index", "retrieval.recall_at_n"],
    "02_netvlad": ["retrieval.NetVLAD", "retrieval.WeaklySupervisedRankingLoss", "retrieval.TupleMiner"],
}


def notebook_cells(chapter: str) -> list[dict]:
    return json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]


def cell_ids(chapter: str) -> list[str]:
    return [cell["id"] for cell in notebook_cells(chapter)]


def resolved(name: str):
    """The object or module ``course_utils.name``; raises if there is none."""
    *rooms, last = name.split(".")
    if not rooms:
        return importlib.import_module(f"course_utils.{last}")
    return getattr(importlib.import_module(".".join(["course_utils", *rooms])), last)


def by_chapter(things, chapter_of):
    """One test parameter for each thing; those of chapters not built yet are expected to fail, and have to."""
    parameters = []
    for key, thing in things:
        chapter = syllabus.chapter(chapter_of(thing))
        marks = []
        if not chapter.built:
            reason = f"chapter {chapter.name[:2]} is not built yet"
            marks = [pytest.mark.xfail(strict=True, reason=reason)]
        parameters.append(pytest.param(thing, id=key, marks=marks))
    return parameters


@pytest.mark.parametrize("item", by_chapter([(i.key, i) for i in syllabus.items()], lambda item: item.chapter))
def test_a_topic_has_a_section_public_names_and_tests(item):
    assert item.cell in cell_ids(item.chapter)
    assert item.names and item.tests
    for name in item.names:
        assert resolved(name) is not None
    sources = [(ROOT / test).read_text(encoding="utf-8") for test in item.tests]
    for name in item.names:
        assert any(re.search(rf"\b{name.split('.')[-1]}\b", source) for source in sources), f"no test mentions {name}"


@pytest.mark.parametrize("chapter", by_chapter([(c.name, c) for c in syllabus.chapters()], lambda chapter: chapter.name))
def test_a_chapter_has_a_notebook_with_its_titles_its_plan_and_tested_names(chapter):
    title = notebook_cells(chapter.name)[0]["source"]
    assert {f"# {chapter.english}", f"## {chapter.korean}"} <= set("".join(title).splitlines())
    ids = cell_ids(chapter.name)
    for section, _ in chapter.plan:
        assert any(i.startswith(section) for i in ids), f"{chapter.name} has no section {section}"
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__).resolve()]
    assert chapter.names
    for name in chapter.names:
        assert resolved(name) is not None
        assert any(re.search(rf"\b{name.split('.')[-1]}\b", source) for source in tests), f"no test mentions {name}"


def test_every_required_topic_is_an_item():
    assert set(REQUIRED) <= {item.key for item in syllabus.items()}
    assert len(REQUIRED) == 42


def test_keys_and_titles_are_unique():
    for field in ("key", "english", "korean"):
        values = [getattr(item, field) for item in syllabus.items()]
        assert len(set(values)) == len(values), field
    for field in ("name", "english", "korean", "question"):
        values = [getattr(chapter, field) for chapter in syllabus.chapters()]
        assert len(set(values)) == len(values), field


def test_no_public_name_belongs_to_two_chapters():
    names = [name for chapter in syllabus.chapters() for name in chapter.names]
    assert len(set(names)) == len(names)


def test_items_stand_in_the_order_of_the_chapters_and_teach_names_of_their_chapter():
    order = [chapter.name for chapter in syllabus.chapters()]
    positions = [order.index(item.chapter) for item in syllabus.items()]
    assert positions == sorted(positions)
    for item in syllabus.items():
        extra = set(item.names) - set(syllabus.chapter(item.chapter).names)
        assert extra <= {"augment.mixed_example_methods"}, item.key


def test_korean_names_are_korean():
    for thing in (*syllabus.items(), *syllabus.chapters()):
        if getattr(thing, "key", "") != "augmix":
            assert re.search("[가-힣]", thing.korean), thing


def test_sentences_are_complete_and_short():
    for item in syllabus.items():
        for text in (item.notes_say, item.right):
            assert text.endswith("."), item.key
            assert max(len(sentence.split()) for sentence in re.split(r"[.;:] ", text)) <= 30, item.key
        assert len(re.findall(r"\.(?: |$)", item.notes_say)) == 1, item.key
        assert len(re.findall(r"\.(?: |$)", item.right)) <= 2, item.key


def test_there_are_28_numbered_chapters():
    assert [int(chapter.name[:2]) for chapter in syllabus.chapters()] == list(range(28))


def test_the_design_names_of_the_built_chapters_are_listed():
    assert {c.name for c in syllabus.chapters() if c.built} >= set(NAMES_OF_BUILT_CHAPTERS)
    for name, names in NAMES_OF_BUILT_CHAPTERS.items():
        assert set(names) <= set(syllabus.chapter(name).names)


def test_the_readme_has_the_same_chapters_questions_minutes_and_links():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\[?)(\d\d_\w+)(?:\]\(notebooks/(\w+)\.ipynb\))? \| (.+?) \| (\d+) min \|$", text, flags=re.M)
    found = [(name, question, int(minutes), bool(bracket)) for bracket, name, _, question, minutes in rows]
    assert found == [(c.name, c.question, c.minutes, c.built) for c in syllabus.chapters()]
    assert all(target == name for _, name, target, _, _ in rows if target)


def test_a_class_hour_is_58_minutes_and_the_start_page_fits_its_own_time():
    for chapter in syllabus.chapters():
        total = sum(minutes for _, minutes in chapter.plan)
        assert total == (chapter.minutes if chapter.name == "00_start_here" else 58)
        assert all(section in chapters_module.SECTION_WORDS for section, _ in chapter.plan)


def test_the_lesson_plan_starts_each_section_where_the_last_one_ends():
    rows = syllabus.lesson_plan("01_vlad").rows
    assert [row[0] for row in rows] == [0, 3, 10, 30, 38, 50]
    assert [row[1] for row in rows] == [3, 7, 20, 8, 12, 8]
    assert rows[-1][0] + rows[-1][1] == 58


def test_an_unknown_chapter_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"`name` must be one of '00_start_here', '01_vlad'.*but got '01_vald'"):
        syllabus.lesson_plan("01_vald")


class Tags(HTMLParser):
    """Collects tags and the nesting of an HTML text."""

    def __init__(self, html: str):
        super().__init__()
        self.seen, self.stack, self.links, self.words = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.stack.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("table", [syllabus.show(), syllabus.show_chapters(), syllabus.lesson_plan("02_netvlad")], ids=repr)
def test_tables_are_plain_html_with_the_same_words_as_text(table):
    bundle = table._repr_mimebundle_()
    tags = Tags(bundle["text/html"])
    assert tags.stack == []
    assert set(tags.seen) <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "a"}
    assert tags.seen.count("tr") == len(table.rows) + 1
    assert all(len(row) == len(table.header) for row in table.rows)
    for row in table.rows:
        for cell in row:
            assert str(cell) in bundle["text/plain"]
            assert str(cell) in "".join(tags.words)


def test_only_built_chapters_are_linked():
    built = {chapter.link for chapter in syllabus.chapters() if chapter.built}
    assert set(Tags(syllabus.show_chapters().html).links) == built
    assert set(Tags(syllabus.show().html).links) == built - {"00_start_here.ipynb"}


def test_a_table_escapes_what_could_be_a_tag():
    from course_utils.learn.tables import Link, Table

    table = Table("a < b", ("<th>",), (("<script>",), (Link("x & y", 'z"><b>'),)))
    assert set(Tags(table.html).seen) == {"table", "caption", "thead", "tbody", "tr", "th", "td", "a"}
    assert Tags(table.html).links == ['z"><b>']


def test_the_syllabus_is_reached_through_the_room():
    assert learn.syllabus.items() == syllabus.items()
