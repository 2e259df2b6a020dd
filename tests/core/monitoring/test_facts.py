"""Facts of process and machine, and what of them is a secret."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Any

import pytest

from goodseed.masking import masked_command
from goodseed.monitoring.facts import installed_packages, job_facts, machine_facts, process_facts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (["--api-key", "abc"], ["--api-key", "***"]),
        (["--token=abc"], ["--token=***"]),
        (["--db.password", "hunter2", "--lr", "0.1"], ["--db.password", "***", "--lr", "0.1"]),
        (["WANDB_API_KEY=abc"], ["WANDB_API_KEY=***"]),
        (["+logger.apiKey=abc"], ["+logger.apiKey=***"]),
        (['{"secret": "abc", "lr": 1}'], ['{"secret": "***", "lr": 1}']),
        (["https://user:pw@host/x?token=abc&a=1"], ["https://user:***@host/x?token=***&a=1"]),
        (["Authorization: Bearer abc.def"], ["Authorization: *** ***"]),
        (["sk-proj-abcdefghijklmnopqrst"], ["***"]),
        (["hf_abcdefghijklmnopqrstuvwx"], ["***"]),
        (["--x=ghp_abcdefghijklmnopqrstuvwx"], ["--x=***"]),
        (["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"], ["***"]),
        (["0123456789abcdef0123456789abcdef01234567"], ["***"]),
    ],
)
def test_secrets_are_masked(given: list[str], stored: list[str]) -> None:
    """What is called a secret, or looks like a key, is not stored."""
    assert masked_command(given) == stored


@pytest.mark.parametrize(
    "given",
    [
        ["train.py", "--lr", "0.001", "--epochs=10", "data/train.csv"],
        ["--max-tokens", "512", "--tokenizer", "gpt2", "--author=me", "--key", "loss"],
        ["--model=meta-llama/Llama-3.2-11B-Vision-Instruct-Quantized", "--out=/data/a/b"],
        ["--primary-key", "id", "model.layers=[1,2,3]", "https://example.org:8080/x"],
        ["--sort-keys", "--name", "a_very_long_name_of_an_experiment_that_has_no_digits"],
    ],
)
def test_ordinary_arguments_are_kept(given: list[str]) -> None:
    """Nothing else is changed."""
    assert masked_command(given) == given


def test_facts_of_this_process() -> None:
    """Command, directory and Python are told."""
    facts = process_facts({})

    assert facts["working_directory"] == os.getcwd()
    assert facts["python"] == platform.python_version()
    assert facts["python_executable"] == sys.executable


def test_job_identifiers_come_from_a_list() -> None:
    """Variables of schedulers and launchers are stored, all others are not."""
    environ = {"SLURM_JOB_ID": "42", "RANK": "3", "AWS_SECRET_ACCESS_KEY": "x", "HOME": "/home/me", "WORLD_SIZE": ""}

    assert job_facts(environ) == {"environment/SLURM_JOB_ID": "42", "environment/RANK": "3"}


def test_a_pod_is_recognised() -> None:
    """In Kubernetes the pod's name is its hostname."""
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "train-0"}

    assert job_facts(environ) == {"environment/KUBERNETES": True, "environment/POD_NAME": "train-0"}


def test_packages_are_named_with_their_versions(tmp_path: Path) -> None:
    """Names are those that pip shows, the first on the path wins, and what is no directory does no harm."""
    for directory in ("a/torch-2.13.0.dist-info", "a/scikit_learn-1.9.1.dist-info", "b/torch-1.0.dist-info"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "b" / "old-0.1-py3.10.egg-info").touch()
    path = [str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "missing")]

    assert installed_packages(path) == "old==0.1\nscikit-learn==1.9.1\ntorch==2.13.0"


def test_the_packages_of_this_process_are_found() -> None:
    """What runs this test is among them."""
    assert f"pytest=={pytest.__version__}" in installed_packages().splitlines()


def test_facts_of_this_machine() -> None:
    """Platform, CPU and memory are told."""
    facts: dict[str, Any] = machine_facts()

    assert facts["platform"] == platform.platform()
    assert facts["cpu_count"] == os.cpu_count()
    assert facts["memory_total_bytes"] > 0
    assert facts["cpu_model"]


def test_the_command_of_a_run_is_stored_without_its_secrets(run_script: Callable[..., Any]) -> None:
    """A key on the command line reaches neither the configs nor anything else in the file."""
    seen = run_script("import goodseed\nwith goodseed.Run(): pass\n", "--lr=0.1", "--api-key", "opensesame")
    (command,) = [value for path, value in seen.stored.configs.items() if path.endswith("/command")]

    assert "--lr=0.1 --api-key" in command
    assert not any("opensesame" in value for value in seen.stored.configs.values())
