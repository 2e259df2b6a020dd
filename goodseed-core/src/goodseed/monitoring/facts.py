"""Collects facts that do not change while a process runs: command, directory, Python, machine, packages."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.masking import masked_command, masked_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["installed_packages", "job_facts", "job_id", "machine_facts", "process_facts"]

_MAX_COMMAND_CHARS: Final = 20_000
# fmt: off
_JOB_VARIABLES: Final = (
    "SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
    "SLURM_STEP_ID", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS",
    "SLURM_JOB_NUM_NODES", "SLURM_JOB_NODELIST", "SLURM_CLUSTER_NAME", "PBS_JOBID", "PBS_JOBNAME",
    "LSB_JOBID", "LSB_JOBNAME", "JOB_ID", "COBALT_JOBID", "OAR_JOB_ID", "RANK", "LOCAL_RANK",
    "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT",
    "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
    "KUBERNETES_NAMESPACE", "POD_NAME", "POD_NAMESPACE", "NODE_NAME", "JOB_NAME", "JOB_COMPLETION_INDEX",
    "TPU_WORKER_ID", "TPU_NAME", "RAY_JOB_ID", "SM_CURRENT_HOST", "TRAINING_JOB_NAME", "AWS_BATCH_JOB_ID",
    "AWS_BATCH_JOB_ARRAY_INDEX", "CI_JOB_ID", "GITHUB_RUN_ID", "BUILD_NUMBER", "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "OMP_NUM_THREADS",
)
# fmt: on
_JOB_ID_VARIABLES: Final = (
    *("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "COBALT_JOBID", "OAR_JOB_ID", "AWS_BATCH_JOB_ID"),
    *("TRAINING_JOB_NAME", "RAY_JOB_ID", "CI_JOB_ID", "GITHUB_RUN_ID"),
)


def process_facts(environ: Mapping[str, str] | None = None) -> dict[str, object]:
    """Command line, directory, Python, job: everything that costs next to nothing. Secrets are masked."""
    arguments = getattr(sys, "orig_argv", None) or [sys.executable or "python", *sys.argv]
    return {
        "command": shlex.join(masked_command(arguments))[:_MAX_COMMAND_CHARS],
        "working_directory": _working_directory(),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "python_executable": sys.executable or "",
        **job_facts(os.environ if environ is None else environ),
    }


def job_facts(environ: Mapping[str, str]) -> dict[str, object]:
    """The variables of schedulers and launchers that say which job and rank this is, as ``environment/<NAME>``."""
    facts: dict[str, object] = {
        f"environment/{name}": masked_text(environ[name]) for name in _JOB_VARIABLES if environ.get(name)
    }
    if "KUBERNETES_SERVICE_HOST" in environ:
        facts["environment/KUBERNETES"] = True
        facts.setdefault("environment/POD_NAME", environ.get("HOSTNAME", ""))
    return facts


def job_id(environ: Mapping[str, str]) -> str | None:
    """The id of the job in the cluster's queue; None outside of one."""
    return next((environ[name] for name in _JOB_ID_VARIABLES if environ.get(name)), None)


def machine_facts() -> dict[str, object]:
    """Platform, CPU and memory."""
    import psutil

    cores = psutil.cpu_count(logical=False)
    return {
        "platform": platform.platform(),
        "cpu_model": _cpu_model(),
        "cpu_count": psutil.cpu_count() or 0,
        **({} if cores is None else {"cpu_core_count": cores}),
        "memory_total_bytes": psutil.virtual_memory().total,
    }


def installed_packages(search_path: Iterable[str] | None = None) -> str:
    """``name==version`` lines of the packages that can be imported, by name; the first on the path wins.

    Taken from the names of their metadata directories, as reading the metadata takes a second in a large environment.
    """
    found: dict[str, str] = {}
    for directory in sys.path if search_path is None else search_path:
        try:
            names = os.listdir(directory or ".")
        except OSError:  # a zip file, or an entry that does not exist
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                package, _, version = name.rpartition(".")[0].partition("-")
                if version:
                    found.setdefault(package.replace("_", "-").lower(), version.split("-py3", 1)[0])
    return "\n".join(f"{package}=={version}" for package, version in sorted(found.items()))


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return ""


def _cpu_model() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                label, _, value = line.partition(":")
                if label.strip() in ("model name", "Model", "cpu model"):
                    return value.strip()
    except OSError:  # not Linux
        return platform.processor()
    return platform.processor() or platform.machine()
