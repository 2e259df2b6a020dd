"""`goodseed.Run`: what a training script can say, and what it is told when it says something wrong."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

import goodseed

from .conftest import configs, field


def test_sets_survive_a_resume(home: Path) -> None:
    """Tags are added to those that are there, also after a resume; what is no set is not made one."""
    with goodseed.Run(tags=["a"]) as run:
        run["name"] = "x"
    with goodseed.Run(resume_run_id=run.run_id) as resumed:
        resumed["sys/tags"].add("b")
        with pytest.raises(goodseed.InvalidTypeError, match="not a set"):
            resumed["name"].add("y")

    assert '["a", "b"]' == field(resumed, "sys/tags")


def test_closed_run(home: Path) -> None:
    """A closed run can be read and closed again; a write raises with the remedy."""
    run = goodseed.Run()
    run["a"].log(1.0, step=0)
    run.close()
    run.close()

    for write in (
        lambda: run.log_metrics({"a": 1.0}, step=1),
        lambda: run.log_metrics({"a": 1.0, "new": 1.0}, step=1),
        lambda: run["a"].log(1.0, step=1),
        lambda: run["b"].log("x", step=1),
        lambda: run.__setitem__("c", 1),
        lambda: run["sys/tags"].add("x"),
    ):
        with pytest.raises(goodseed.RunClosedError, match="resume_run_id"):
            write()
    assert ["a"] == run.get_metric_paths()
    with pytest.raises(goodseed.InvalidValueError, match="status"):
        run.close("paused")


def test_disabled(home: Path) -> None:
    """A disabled run takes everything, keeps nothing, and has nothing to read."""
    with goodseed.Run(storage="disabled") as run:
        run["a"] = 1
        run.log_metrics({"a": 1.0}, step=0)
        run["sys/tags"].add("x")
        assert run.flush()
        with pytest.raises(goodseed.DisabledError):
            run.get_configs()

    assert not home.exists()


def test_cloud_without_a_key(home: Path) -> None:
    """storage="cloud" without a key raises before anything is made."""
    with pytest.raises(goodseed.AuthenticationError, match="GOODSEED_API_KEY"):
        goodseed.Run(storage="cloud")
    with pytest.raises(PermissionError):
        goodseed.Run(storage=goodseed.Storage.CLOUD)

    assert not home.exists()


def test_a_missing_key_is_named_where_one_is_expected(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key and a choice the run is local; where a remote is configured, one line says how to sync it later."""
    monkeypatch.delenv("GOODSEED_QUIET")
    goodseed.Run(project="team/p", run_id="plain").close()
    plain = capfd.readouterr().err
    monkeypatch.setenv("GOODSEED_API_URL", "http://127.0.0.1:9")
    goodseed.Run(project="team/p", run_id="r").close()
    error = capfd.readouterr().err
    goodseed.Run(storage="local").close()
    chosen = capfd.readouterr().err

    (line,) = [line for line in error.splitlines() if "API key" in line]
    assert "goodseed upload -p team/p --run-id r" in line
    assert str(home / "projects/team/p/runs/r.sqlite") in error
    assert ["API key" in text for text in (plain, chosen)] == [False, False]


def test_arguments_that_contradict(home: Path) -> None:
    """Arguments that make no sense together raise before anything is made."""
    with pytest.raises(goodseed.ConfigurationError, match="run_id"):
        goodseed.Run(run_id="a", resume_run_id="b")
    with pytest.raises(goodseed.ConfigurationError, match="'cloud'"):
        goodseed.Run(storage="clowd")
    with pytest.raises(TypeError, match="nonsense"):
        goodseed.Run(nonsense=1)  # type: ignore[arg-type]
    with pytest.raises(goodseed.InvalidTypeError, match="tags"):
        goodseed.Run(tags=[1])  # type: ignore[list-item]
    with pytest.raises(goodseed.RunNotFoundError, match="nope"):
        goodseed.Run(resume_run_id="nope")

    assert [] == list(home.rglob("*.sqlite*"))


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "a/../../x", "/etc", "", "a//b", "a\0b", " a", "a\\b", "x" * 300, "~/.ssh/..", "a\nb"]
)
def test_nothing_escapes_the_home(home: Path, name: str) -> None:
    """Neither project nor run_id leads out of the home directory, whatever it contains."""
    with pytest.raises(goodseed.InvalidValueError):
        goodseed.Run(project=name)
    with pytest.raises(goodseed.InvalidValueError):
        goodseed.Run(run_id=name)
    with pytest.raises(goodseed.InvalidValueError):
        goodseed.Run(resume_run_id=name)

    assert not home.exists()


@pytest.mark.parametrize("name", ["a b", "a?b#c%20&d=e", "ünï", "🌱", "file:x", "-x", "a'b\"c", "x" * 128])
def test_odd_names_work(home: Path, name: str) -> None:
    """Names that are odd but harmless are the names of the directory and the file."""
    with goodseed.Run(project=name, run_id=name) as run:
        run["a"].log(1.0, step=0)
    with goodseed.Run(project=name, resume_run_id=name) as resumed:
        resumed["a"].log(2.0, step=1)

    assert home / "projects" / name / "runs" / f"{name}.sqlite" == run.path
    assert 2 == len(run.get_metric_data("a")["raw_points"])


def test_environment_variables(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment fills in what is not given, and is read when the run is made."""
    monkeypatch.setenv("GOODSEED_PROJECT", "from/env")
    monkeypatch.setenv("GOODSEED_RUN_ID", "envid")
    with goodseed.Run() as run:
        pass
    monkeypatch.setenv("GOODSEED_STORAGE", "disabled")
    with goodseed.Run() as disabled:
        pass
    with goodseed.Run(storage="local", run_id="b", project="c", goodseed_home=tmp_path / "h") as given:
        pass
    with goodseed.Run(storage="local", run_id="b", log_dir=tmp_path / "logs") as logged:
        pass

    assert home / "projects/from/env/runs/envid.sqlite" == run.path
    assert disabled.path is None
    assert tmp_path / "h/projects/c/runs/b.sqlite" == given.path
    assert tmp_path / "logs/b.sqlite" == logged.path
    monkeypatch.setenv("GOODSEED_STORAGE", "clowd")
    with pytest.raises(goodseed.ConfigurationError, match="GOODSEED_STORAGE"):
        goodseed.Run()


def test_run_ids(home: Path) -> None:
    """Made-up ids neither use nor disturb the user's random numbers, and differ; taken ids are refused."""
    random.seed(1)
    expected = random.Random(1).random()
    runs = [goodseed.Run() for _ in range(20)]
    drawn = random.random()
    for run in runs:
        run.close()

    assert expected == drawn
    assert 20 == len({run.run_id for run in runs})
    with pytest.raises(goodseed.RunExistsError, match="resume_run_id"):
        goodseed.Run(run_id=runs[0].run_id)
    with goodseed.Run(run_id="live"):
        with pytest.raises(goodseed.RunInUseError, match="live process"):
            goodseed.Run(run_id="live")
        with pytest.raises(goodseed.RunInUseError):
            goodseed.Run(resume_run_id="live")


def test_old_names(home: Path) -> None:
    """Old names still work, and warn."""
    with pytest.warns(DeprecationWarning, match="experiment_name is now name"):
        run = goodseed.Run(experiment_name="e")
    run.close()
    with pytest.warns(DeprecationWarning, match="run_name is now run_id"):
        named = goodseed.Run(run_name="r")
    with pytest.warns(DeprecationWarning, match="log_strings"):
        named.log_string_series({"t": "x"}, step=0)
    named.close()
    from goodseed.config import get_run_db_path

    assert "e" == field(run, "sys/name")
    assert get_run_db_path("default", "r") == named.path
    assert [{"step": 0.0, "value": "x"}] == named.get_string_data("t")


def test_empty_calls_are_nothing(home: Path) -> None:
    """A call without metrics stores nothing, and takes nothing with it of what comes before and after."""
    with goodseed.Run() as run:
        run["before"] = 1
        run.log_metrics({}, step=0)
        run.log_configs({})
        run.log_strings({}, step=0)
        for step in range(10):
            run.log_metrics({"loss": step}, step=step)
        run["after"] = 2
        assert run.flush()

    assert 10 == len(run.get_metric_data("loss")["raw_points"])
    assert {"before": "1", "after": "2"} == configs(run)


def test_threads_log_at_once(home: Path) -> None:
    """What many threads log at once is all there."""
    with goodseed.Run() as run:

        def log(thread: int) -> None:
            for step in range(2000):
                run.log_metrics({f"a/{thread}": step}, step=step)
                run.log_metrics({f"b/{thread}": step, f"c/{thread}": step}, step=step)

        threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert {2000} == {len(run.get_metric_data(path)["raw_points"]) for path in run.get_metric_paths()}
        assert 12 == len(run.get_metric_paths())
