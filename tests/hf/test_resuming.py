"""A training that is resumed, from a checkpoint or by a second call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import points

from .training import GoodseedCallback, torch, trainer, transformers

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of is their own


def test_second_training_overwrites_nothing(tmp_path: Path) -> None:
    """A second train() goes on behind the first."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback)
    made.train()
    made.train()
    steps = list(points(callback.run, "train/loss"))
    assert len(steps) == 6
    assert steps[3:] == [step + 7 for step in steps[:3]]


def test_resumed_checkpoint_continues_its_run(tmp_path: Path) -> None:
    """A new process that resumes a checkpoint goes on in the run that wrote it, over the steps made again."""
    first = GoodseedCallback(project="p")
    trainer(tmp_path, first, save_strategy="steps", save_steps=4).train()
    run_id = first.run.run_id
    first.close()
    second = GoodseedCallback(project="p")
    trainer(tmp_path, second, max_steps=8).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert second.run.run_id == run_id
    assert list(points(second.run, "train/loss")) == [2, 4, 6, 8]


def test_resumed_checkpoint_takes_its_run_back(tmp_path: Path) -> None:
    """What lay beyond the checkpoint is the tail of the first attempt; evaluations at its own step stay."""
    first = GoodseedCallback(project="p")
    made = trainer(tmp_path, first, save_strategy="steps", save_steps=4, max_steps=8, logging_steps=1)
    made.train()
    first.close()
    second = GoodseedCallback(project="p")
    trainer(tmp_path, second, max_steps=6, logging_steps=1).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    tail = second.run.get_metric_data("train/loss", superseded=True)["superseded"]

    assert list(points(second.run, "train/loss")) == [1, 2, 3, 4, 5, 6]
    assert [(point["attempt"], point["step"]) for point in tail] == [(1, step) for step in (5, 6, 7, 8)]
    assert [attempt.rewound_to for attempt in second.run.attempts] == [None, 4.99]


def test_resumed_while_the_first_has_the_run_open(tmp_path: Path) -> None:
    """Another Trainer of the same process goes on with the run of the checkpoint, wherever that lies."""
    first = GoodseedCallback(project="p")
    trainer(tmp_path / "a", first, max_steps=4, save_strategy="steps", save_steps=4).train()
    run_id = first.run.run_id
    second = GoodseedCallback(project="p")
    made = trainer(tmp_path / "a", second, max_steps=6, logging_steps=1)
    made.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-4"))
    assert second.run.run_id == run_id
    assert list(points(second.run, "train/loss")) == [2, 4, 6]
    second.close()


def test_resumed_second_training_goes_on_where_it_was(tmp_path: Path) -> None:
    """The steps of a training that began behind another keep their places when one of its checkpoints is resumed."""
    first = GoodseedCallback(project="p")
    made = trainer(tmp_path, first, max_steps=4, logging_steps=1)
    made.train()
    made.args.save_strategy, made.args.save_steps = transformers.trainer_utils.SaveStrategy.STEPS, 2
    made.train()
    before = points(first.run, "train/loss")
    first.close()
    second = GoodseedCallback(project="p")
    trainer(tmp_path, second, max_steps=6, logging_steps=1).train(resume_from_checkpoint=True)
    found = points(second.run, "train/loss")
    assert {step: found[step] for step in before} == before
    assert list(found) == [*before, 10, 11]
    second.close()


def test_restart_with_a_smaller_batch_is_one_training(tmp_path: Path) -> None:
    """A training that begins again after running out of memory takes the place of the first attempt."""
    callback = GoodseedCallback()

    class OutOfMemory(transformers.TrainerCallback):  # type: ignore[misc]
        raised = False

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 3 and not self.raised:
                type(self).raised = True
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    made = trainer(tmp_path, callback, auto_find_batch_size=True)
    made.add_callback(OutOfMemory)
    made.train()
    assert OutOfMemory.raised
    assert list(points(callback.run, "train/loss")) == [2, 4, 6]


def test_note_in_a_checkpoint_may_be_anything(tmp_path: Path) -> None:
    """A note that leads nowhere starts a run of its own."""
    first = GoodseedCallback(project="p")
    trainer(tmp_path, first, save_strategy="steps", save_steps=4).train()
    run_id = first.run.run_id
    first.close()
    note = tmp_path / "checkpoint-4" / "goodseed.json"
    assert json.loads(note.read_text(encoding="utf-8"))["run_id"] == run_id
    for text in ("{}", "nonsense", '{"project": "../x", "run_id": "../../y"}'):
        note.write_text(text, encoding="utf-8")
        other = GoodseedCallback(project="p")
        trainer(tmp_path, other, max_steps=6).train(resume_from_checkpoint=str(note.parent))
        assert other.run.run_id != run_id
        other.close()
