"""The glossary: one term for one thing."""

from __future__ import annotations

import re

import pytest

from course_utils.learn import glossary, syllabus

EXPECTED = """query|database image|positive|negative|descriptor|embedding|codebook|visual word|residual|aggregation|normalisation|
whitening|recall|precision|ranking loss|margin|mining|hard negative|ground truth|bounding box|mask|key point|data augmentation|
random seed|confidence interval"""


def test_there_are_at_least_seventy_terms_and_the_expected_ones_are_among_them():
    english = {term.english for term in glossary.terms()}
    assert len(english) >= 70
    assert {word.strip() for word in EXPECTED.split("|")} <= english


def test_one_term_stands_for_one_thing_in_both_languages():
    for field in ("english", "korean", "meaning"):
        values = [getattr(term, field).casefold() for term in glossary.terms()]
        assert len(set(values)) == len(values), field


def test_terms_are_sorted():
    english = [term.english.casefold() for term in glossary.terms()]
    assert english == sorted(english)


def test_korean_is_written_in_hangul():
    for term in glossary.terms():
        assert re.fullmatch("[가-힣 ]+", term.korean), term.korean
        assert not re.search("[가-힣]", term.english + term.meaning)


def test_a_meaning_is_one_sentence():
    for term in glossary.terms():
        assert re.fullmatch(r"[A-Z][^.]*\.", term.meaning), term
        assert len(term.meaning.split()) <= 22, term


def test_the_chapter_of_a_term_exists():
    names = {chapter.name for chapter in syllabus.chapters()}
    assert {term.chapter for term in glossary.terms()} <= names


def test_show_without_words_shows_all():
    table = glossary.show()
    assert len(table.rows) == len(glossary.terms())
    assert str(table).splitlines()[0] == f"{len(glossary.terms())} words"
    assert len(str(table).splitlines()) == len(glossary.terms()) + 1


def test_show_keeps_the_order_of_the_words_and_forgives_case_and_abbreviations():
    table = glossary.show([" Recall", "IoU", "query", "average precision", "mean average precision (mAP)"])
    assert [row[0] for row in table.rows] == [
        "recall",
        "intersection over union (IoU)",
        "query",
        "average precision (AP)",
        "mean average precision (mAP)",
    ]
    assert "질의" in table.html


def test_an_unknown_word_is_refused_with_near_ones():
    with pytest.raises(ValueError, match=r"`words` must be words of the glossary, but got 'residul'\. Near: residual"):
        glossary.show(["query", "residul"])
    with pytest.raises(ValueError, match=r"'xyzzy'\. `glossary\.terms\(\)` lists all"):
        glossary.show(["xyzzy"])


def test_a_single_string_is_refused():
    with pytest.raises(TypeError, match=r"`words` must be a list of words, but got the string 'query'\. Write \['query'\]"):
        glossary.show("query")


def test_no_words_give_an_empty_table():
    assert str(glossary.show([])) == "0 words\nEnglish | Korean | meaning | first in"
