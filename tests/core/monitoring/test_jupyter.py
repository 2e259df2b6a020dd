"""A run in a notebook: a real Jupyter kernel, asked as a notebook asks it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("default")  # what the kernel's packages warn of is their own


def test_notebook(home: Path) -> None:
    """What cells print shows below them, and is stored; a cell that fails says so; another cell closes the run."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [
        "import goodseed\nrun = goodseed.Run(run_id='nb', storage='local', git_ref=False)",
        "import sys\nprint('to stdout'); print('to stderr', file=sys.stderr)\nrun['loss'].log(0.5, step=0)",
        "1 / 0",
        "run.close()\nprint('after the run')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute()
    shown = [
        {output.get("name", output["output_type"]): output.get("text", output.get("ename")) for output in cell.outputs}
        for cell in notebook.cells
    ]
    connection = sqlite3.connect(home / "projects" / "default" / "runs" / "nb.sqlite")
    query = "SELECT path, value FROM string_series JOIN string_points ON id = series_id ORDER BY path, step"
    stored = [(path.rpartition("/")[2], text) for path, text in connection.execute(query)]
    (status,) = connection.execute("SELECT value FROM run_meta WHERE key = 'status'").fetchone()
    connection.close()

    assert {"stdout": "to stdout\n", "stderr": "to stderr\n"} == shown[1]
    assert "ZeroDivisionError" == shown[2]["error"]
    assert {"stdout": "after the run\n"} == shown[3]
    assert ("stdout", "to stdout") in stored
    assert ("stderr", "to stderr") in stored
    assert not [text for _, text in stored if "after the run" in text]
    assert "finished" == status
