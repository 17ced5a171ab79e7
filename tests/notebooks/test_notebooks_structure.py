"""Every chapter keeps the anatomy, the sizes and the manners that learners, teachers and nbval rely on."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from execute import compared_text

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
METHOD_CHAPTERS = [p for p in CHAPTERS if not p.stem.startswith("00")]
ALLOWED_TAGS = {"nbval-ignore-output", "raises-exception", "solution"}
REQUIRED = ["title", "setup", "picture", "idea", "symbols", "step1", "predict", "claim", "claim-live", "claim-ledger", "play",
            "play-explorer", "break", "ex1", "notes", "papers", "summary", "next"]  # fmt: skip
REQUIRED_AT_THE_START = ["title", "setup", "picture", "play-explorer", "ex1", "summary", "next"]
COMPARED_PICTURES = {"image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json"}

pytestmark = pytest.mark.notebook


@pytest.fixture(params=CHAPTERS, ids=lambda p: p.stem)
def chapter(request):
    """Path of one chapter."""
    return request.param


def cells_of(path: Path):
    return nbformat.read(path, as_version=4).cells


def code_of(path: Path):
    return [cell for cell in cells_of(path) if cell.cell_type == "code"]


def text_of(path: Path):
    return [cell for cell in cells_of(path) if cell.cell_type == "markdown"]


def sentences_outside_code(source: str) -> list[str]:
    """Lines of plain prose: no tables, no fenced code, no formulas, no headings, no lists of links."""
    prose = re.sub(r"```.*?```", "", source, flags=re.S)
    prose = re.sub(r"\$\$.*?\$\$", "", prose, flags=re.S)
    prose = re.sub(r"\$[^$\n]+\$", "x", prose)  # a formula counts as one word
    return [line.strip() for line in prose.splitlines() if line.strip() and not re.match(r"\s*([|#<>*!-]|\d+\.)", line)]


def test_a_chapter_exists():
    assert {p.stem for p in CHAPTERS} >= {"00_start_here", "01_vlad", "02_netvlad"}


def test_the_file_is_valid_and_below_one_megabyte(chapter):
    nbformat.validate(nbformat.read(chapter, as_version=4))
    assert chapter.stat().st_size < 1_000_000


def test_required_cells_stand_in_order(chapter):
    ids = [cell.id for cell in cells_of(chapter)]
    required = REQUIRED if chapter in METHOD_CHAPTERS else REQUIRED_AT_THE_START
    missing = [name for name in required if name not in ids and not any(i.startswith(name + "-") for i in ids)]
    assert not missing, f"{chapter.name} lacks {missing}"
    first = [next(k for k, i in enumerate(ids) if i == name or i.startswith(name + "-")) for name in required if name != "predict"]
    assert first == sorted(first), f"{chapter.name}: sections out of order"


def test_cells_were_run_once_from_top_to_bottom(chapter):
    counts = [cell.execution_count for cell in code_of(chapter)]
    assert counts == list(range(1, len(counts) + 1))


def test_no_committed_output_is_an_error_or_an_error_stream(chapter):
    for cell in code_of(chapter):
        for output in cell.outputs:
            if output.output_type == "error":
                assert "raises-exception" in cell.metadata.get("tags", []), cell.id
            assert output.get("name") != "stderr", f"{cell.id}: {output.get('text')}"


def test_only_known_tags_and_few_uncompared_cells(chapter):
    tags = [tag for cell in code_of(chapter) for tag in cell.metadata.get("tags", [])]
    assert set(tags) <= ALLOWED_TAGS
    assert tags.count("nbval-ignore-output") <= 2


def test_no_comment_steers_nbval(chapter):
    assert not [cell.id for cell in code_of(chapter) if re.search(r"#\s*NBVAL_", cell.source)]


def test_widget_state_is_not_saved(chapter):
    notebook = nbformat.read(chapter, as_version=4)
    assert "widgets" not in notebook.metadata
    assert not [c.id for c in code_of(chapter) for o in c.outputs if "application/vnd.jupyter.widget-view+json" in o.get("data", {})]


def test_code_cells_are_short(chapter):
    lengths = {cell.id: len([line for line in cell.source.splitlines() if line.strip()]) for cell in code_of(chapter)}
    long = {name: n for name, n in lengths.items() if n > 25}
    assert not long, f"{chapter.name}: {long}"
    assert sorted(lengths.values())[len(lengths) // 2] <= 9


def test_cells_call_and_do_not_shout(chapter):
    for cell in code_of(chapter):
        assert not re.search(r"^\s*[!%]", cell.source, flags=re.M), f"{cell.id}: shell or magic line"
        assert not cell.source.rstrip().endswith(";"), f"{cell.id}: a trailing semicolon does not silence a cell under nbval"
        assert "input(" not in cell.source, cell.id


def test_one_sentence_stands_on_one_line(chapter):
    crowded = [
        (cell.id, line)
        for cell in text_of(chapter)
        for line in sentences_outside_code(cell.source)
        if re.search(r"[a-z)\]`*$가-힣][.?!]\s+[A-Z\"“]", re.sub(r"\b(e\.g|i\.e|et al|Fig|eq|vs|cf|Dr|St)\.", "", line))
    ]
    assert not crowded, crowded[:5]


def test_sentences_are_not_walls(chapter):
    long = [(cell.id, line) for cell in text_of(chapter) for line in sentences_outside_code(cell.source) if len(line.split()) > 34]
    assert not long, long[:5]


def test_no_belittling_words(chapter):
    words = re.compile(r"\b(simply|obviously|trivially|of course|easy to see|just)\b", flags=re.I)
    found = [(cell.id, m.group()) for cell in text_of(chapter) for m in words.finditer(cell.source)]
    assert not found, found


def test_the_korean_title_stands_below_the_english_one(chapter):
    title = cells_of(chapter)[0]
    assert title.id == "title"
    assert re.search(r"[가-힣]", title.source)


@pytest.mark.parametrize("path", METHOD_CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_fits_a_lecture_hour(path):
    code, words = code_of(path), sum(len(cell.source.split()) for cell in text_of(path))
    assert 20 <= len(code) <= 45, f"{len(code)} code cells"
    assert 1200 <= words <= 4200, f"{words} words"


def test_exercises_have_stub_check_and_folded_solution(chapter):
    cells = {cell.id: cell for cell in cells_of(chapter)}
    exercises = sorted({m.group(1) for i in cells if (m := re.match(r"(ex\d+)", i))})
    assert exercises
    for name in exercises:
        assert {name, f"{name}-stub", f"{name}-check", f"{name}-solution"} <= set(cells), name
        solution = cells[f"{name}-solution"]
        assert "solution" in solution.metadata.get("tags", [])
        assert solution.metadata.get("jupyter", {}).get("source_hidden") is True
        assert "not attempted" in str(cells[f"{name}-check"].outputs).lower(), f"{name}: the committed stub is not empty"
        assert "right" in str(solution.outputs).lower(), f"{name}: the reference solution is not accepted"


def test_every_picture_has_alternative_text(chapter):
    for cell in text_of(chapter):
        assert not re.search(r"!\[\s*\]\(", cell.source), f"{cell.id}: Markdown picture without text"
        assert "<img" not in cell.source or "alt=" in cell.source, cell.id
    for cell in code_of(chapter):
        for output in cell.outputs:
            picture = COMPARED_PICTURES & set(output.get("data", {}))
            if picture:
                text = str(output.data.get("text/plain", ""))
                assert text.rstrip("'\"").endswith((".", "?", "!")), f"{cell.id}: picture without a sentence: {text[:80]!r}"


def test_links_inside_the_repository_resolve(chapter):
    for cell in text_of(chapter):
        for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
            if target.startswith(("http://", "https://", "#", "mailto:")):
                continue
            assert (chapter.parent / target.split("#")[0]).exists(), f"{cell.id}: {target}"


def test_the_chapter_is_executed_with_the_settings_of_the_tests(chapter):
    """Progress bars are silent on both sides, so no committed cell holds one (a picture's letters may)."""
    assert not [c.id for c in code_of(chapter) if any("it/s" in line for line in compared_text(c))]
