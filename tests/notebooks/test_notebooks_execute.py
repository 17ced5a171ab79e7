"""The writer of outputs notices what another processor would not repeat."""

import elsewhere
import execute
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


def book(*outputs, tags=()):
    cell = new_code_cell("1", outputs=list(outputs), metadata={"tags": list(tags)})
    cell.id = "claim-live"
    return new_notebook(cells=[new_markdown_cell("text"), cell])


def stream(text):
    return new_output("stream", name="stdout", text=text)


def shown(text, picture):
    return new_output("display_data", data={"text/plain": text, "image/png": picture})


def test_a_cell_whose_text_differs_is_named_with_the_first_differing_line():
    here, there = book(stream("a\nmAP 0.46\n")), book(stream("a\nmAP 0.47\n"))
    assert execute.differences(here, there) == ["claim-live: 'mAP 0.46' here, 'mAP 0.47' elsewhere"]
    assert execute.differences(book(stream("a\n")), book(stream("a\nb\n"))) == ["claim-live: 'nothing' here, 'b' elsewhere"]


def test_pictures_and_uncompared_cells_may_differ():
    assert execute.differences(book(shown("A street.", "AAAA")), book(shown("A street.", "BBBB"))) == []
    assert execute.differences(book(shown("A street.", "AAAA")), book(shown("A road.", "AAAA"))) != []
    tags = [execute.NOT_COMPARED]
    assert execute.differences(book(stream("1 s"), tags=tags), book(stream("2 s"), tags=tags)) == []


def test_the_message_of_an_expected_error_is_compared():
    one, two = (new_output("error", ename="ValueError", evalue=v, traceback=[]) for v in ("got 1", "got 2"))
    assert len(execute.differences(book(one), book(two))) == 1


@pytest.mark.slow
def test_the_second_kernel_is_another_processor_with_an_empty_cache(tmp_path):
    if not elsewhere.a_step_down():
        pytest.skip("NumPy uses nothing here that could be switched off")
    extensions = "numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', [])"  # no such key where none is used
    source = f"import numpy, os\nprint(len({extensions}))\nprint(os.environ['COURSE_CACHE'])"
    books = [new_notebook(cells=[new_code_cell(source)]) for _ in range(2)]
    execute.execute(books[0], {"COURSE_CACHE": "here"})
    execute.execute(books[1], {**elsewhere.a_step_down(), "COURSE_CACHE": str(tmp_path)})
    here, there = (execute.compared_text(b.cells[0]) for b in books)
    assert int(there[0]) < int(here[0]) and there[1] == str(tmp_path)
