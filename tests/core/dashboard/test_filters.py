"""The filter language finds the runs that its documentation says, and tells where it can't be read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import goodseed
from goodseed.server.routes import RequestError

from .conftest import Api


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Four runs: otter, lynx, broken (failed) and bare."""
    home = tmp_path_factory.mktemp("filters")
    arguments = {"project": "p", "storage": "local", "goodseed_home": home, "capture_stdout": False,
                 "capture_stderr": False, "capture_hardware_metrics": False, "git_ref": False}  # fmt: skip
    with goodseed.Run(run_id="r1", name="Quiet Otter", tags=["baseline", "v2"], **arguments) as run:  # type: ignore[arg-type]
        run["config"] = {"lr": 1e-3, "optimizer": "AdamW", "layers": 4, "amp": True, "note and more": "x y"}
        for step, acc in enumerate([0.5, 0.95, 0.9]):
            run.log_metrics({"val/acc": acc, "val/loss": 1 - acc}, step=step)
    with goodseed.Run(run_id="r2", name="lynx", **arguments) as run:  # type: ignore[arg-type]
        run["config"] = {"lr": 1e-2, "optimizer": "sgd", "layers": 12, "amp": False, "lr_schedule/lr": 5}
        run.log_metrics({"val/acc": 0.7, "val/loss": float("nan")}, step=0)
    with pytest.raises(RuntimeError), goodseed.Run(run_id="r3", name="broken one", tags=["broken"], **arguments) as run:  # type: ignore[arg-type]
        run["config/lr"] = "auto"
        raise RuntimeError
    goodseed.Run(run_id="bare", **arguments).close()  # type: ignore[arg-type]
    api = Api(Path(home) / "projects")
    yield api
    api.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "bare r1 r2 r3"),
        ("otter", "r1"),
        ("OTTER", "r1"),
        ('"quiet otter"', "r1"),
        ("quiet lynx", ""),
        ("quiet or lynx", "r1 r2"),
        ("base", "r1"),
        ("-otter", "bare r2 r3"),
        ("not otter", "bare r2 r3"),
        ("!otter", "bare r2 r3"),
        ("lr<=1e-3", "r1"),
        ("lr < 0.5 and not tag:baseline", "r2"),
        ("config/lr=0.01", "r2"),
        ("lr=auto", "r3"),
        ("lr!=auto", "bare r1 r2"),
        ("lr_schedule/lr=5", "r2"),
        ("optimizer=adamw", "r1"),
        ("optimizer:sgd", "r2"),
        ("optimizer~^ad", "r1"),
        ('name~"otter|lynx"', "r1 r2"),
        ('name!~"otter|lynx"', "bare r3"),
        ("layers>4", "r2"),
        ("layers>=4 layers<12", "r1"),
        ("layers>abc", ""),
        ("amp=true", "r1"),
        ("amp:false", "r2"),
        ('`config/note and more`="x y"', "r1"),
        ("val/acc>0.8", "r1"),
        ("val/acc=0.9", "r1"),
        ("val/acc:max>0.9", "r1"),
        ("val/acc:min<0.6", "r1"),
        ("val/acc:first=0.5", "r1"),
        ("val/acc:count=3", "r1"),
        ("acc:max>=0.7", "r1 r2"),
        ("val/acc:at(val/loss:min)=0.95", "r1"),
        ("`val/acc`:max>0.9", "r1"),
        ("val/loss=nan", "r2"),
        ("state:failed", "r3"),
        ("state:finished tag:v2", "r1"),
        ("tag=broken or (tag:baseline and layers=4)", "r1 r3"),
        ("tag!=broken", "bare r1 r2"),
        ("id:r", "bare r1 r2 r3"),
        ("id=r1", "r1"),
        ("name:one", "r3"),
        ("lr:exists", "r1 r2 r3"),
        ("lr:missing", "bare"),
        ("`config/note and more`:exists", "r1"),
        ("`config/optimizer`:sgd", "r2"),
        ("nothing:exists", ""),
        ("nothing<3", ""),
        ("progress:missing", "bare r1 r2 r3"),
        ("created>1d", "bare r1 r2 r3"),
        ("created<2020-01-01", ""),
        ("duration<1h", "bare r1 r2 r3"),
        ("archived=false", "bare r1 r2 r3"),
        ("lr=1e-3 or lr=1e-2 and otter", "r1"),
        ("not (otter or lynx)", "bare r3"),
    ],
)
def test_finds_the_runs(runs: Api, text: str, expected: str) -> None:
    """Each filter finds exactly these runs."""
    found = runs.post("p/p/-/runs/query", {"filter": text})

    assert expected.split() == sorted(found["ids"])
    assert len(expected.split()) == found["total"]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("lr<", 3),
        ("lr<1 && tag:x", 5),
        ("lr<1 | tag:x", 5),
        ("state:crash", 0),
        ("lr<1 and", 8),
        ("(lr<1", 0),
        ("lr<1)", 4),
        ("and lr<1", 0),
        ("lr<1 or", 7),
        ('name~"(a"', 7),
        ("name~(a+)+", 6),
        ('"open', 0),
        ("tag:", 4),
        ("`lr`", 4),
        ("created>soon", 0),
        ("lr<1 duration>long", 5),
        ("<3", 0),
        ("not", 3),
        ("(" * 100, 33),
        ("not " * 100, 132),
        ("a " * 500, 400),
        ("a" * 3000, 2000),
    ],
)
def test_a_fault_is_told_with_its_place(runs: Api, text: str, column: int) -> None:
    """A filter that can't be read is a 400 that says where, be it as short, deep or hostile as it may."""
    with pytest.raises(RequestError) as caught:
        runs.post("p/p/-/runs/query", {"filter": text})

    assert (400, "bad_filter") == (caught.value.status, caught.value.code)
    assert isinstance(caught.value.details["column"], int)
    assert abs(column - caught.value.details["column"]) <= 2


@pytest.fixture
def notes(api: Api) -> Api:
    """Runs with a long text."""
    for number in range(3):
        with goodseed.Run(project="p", run_id=f"n{number}", storage="local") as run:
            run["note"] = "lorem ipsum dolor sit amet " * 15 + f"end {number}"
            run["letters"] = "a" * 40 + str(number)
    with goodseed.Run(project="other", run_id="o", storage="local"):
        pass
    api.look()
    return api


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('note~"lorem.*dolor.*amet.*end [02]"', "n0 n2"),
        ('note~"(?:lorem|ipsum).*(?:sit|amet).*(?=end 1)"', "n1"),
        ('note~"(e)nd (1|2)$"', "n1 n2"),
        ('note~"(lorem[a-z ]+)+end 2"', "n2"),
        ('note~"(.)orem.*\\1.*end 0"', "n0"),
        ('note!~"lorem.*dolor.*amet.*end [02]"', "n1"),
    ],
)
def test_any_regular_expression_finds_the_runs(notes: Api, text: str, expected: str) -> None:
    """Repetitions side by side and within one another, look-around and references, on long texts."""
    assert expected.split() == sorted(notes.post("p/p/-/runs/query", {"filter": text})["ids"])


@pytest.mark.parametrize(
    "pattern",
    [
        ".*.*.*.*.*!",
        "(?:.*.*)*.*!",
        "(?:a|aa)+!",
        "(a+)+!",
        "a?" * 40 + "a" * 40 + "!",
        "(?:a|a)" * 28 + "!",
        "(?:a{0,99}){40}!",
    ],
)
def test_a_regular_expression_without_end_stops_nobody(notes: Api, pattern: str) -> None:
    """A search that takes too long is refused, and who looks at another project meanwhile is answered."""
    faults: list[RequestError] = []
    begun = threading.Event()

    def search() -> None:
        begun.set()
        try:
            notes.post("p/p/-/runs/query", {"filter": f'note~"{pattern}" or letters~"{pattern}"'})
        except RequestError as fault:
            faults.append(fault)

    searching = threading.Thread(target=search)
    searching.start()
    begun.wait()
    time.sleep(0.1)  # the search has no event for its middle
    assert ["o"] == notes.post("p/other/-/runs/query", {})["ids"]
    assert searching.is_alive()
    searching.join()
    assert ["bad_filter"] == [fault.code for fault in faults]


def test_unknown_names_are_told(runs: Api) -> None:
    """A name that no run has is no fault, and is told."""
    found = runs.post("p/p/-/runs/query", {"filter": "nothing<3", "columns": ["no/such", "sys/name"]})

    assert ["nothing", "no/such"] == found["unknown"]
