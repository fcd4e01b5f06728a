"""The front page escapes what it is given and carries the plots' words."""

import json

import nbformat

from helpers.course import write_report


def test_front_page(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# 01 · Less <than>"), nbformat.v4.new_code_cell("1")]
    )
    notebook.cells[1].metadata["tags"] = ["key-plot"]
    notebook.cells[1].outputs = [
        nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="}, metadata={"image/png": {"alt": 'a "plot"'}})
    ]
    nbformat.write(notebook, tmp_path / "01_x.ipynb")
    (tmp_path / "results.json").write_text(
        json.dumps({"lessons": {"01_x": {"big": 1234567}}, "environment": {"profile": "tiny"}})
    )
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "01 · Less &lt;than&gt;" in page
    assert 'alt="a &quot;plot&quot;"' in page
    assert "1,234,567" in page
    assert (tmp_path / "01_x.html").exists()
