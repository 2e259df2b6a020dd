"""Which plugins are found, and what broken ones cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCRIPT = """
import json, logging, os, sys
logging.basicConfig(level="WARNING", format="%(message)s")
sys.path.insert(0, os.environ["PLUGINS"])
if len(sys.argv) > 1: os.environ["GOODSEED_DISABLE_PLUGINS"] = sys.argv[1]
from goodseed.plugins import call_each, plugin_manager
names = sorted(name for name, _ in plugin_manager().list_name_plugin())
json.dump({"names": names, "facts": call_each("goodseed_facts")}, sys.stdout)
"""

GOOD = """
from goodseed.hookspecs import hookimpl
@hookimpl
def goodseed_facts():
    return {"tpu_name": "v9"}
"""
RAISING = """
from goodseed.hookspecs import hookimpl
@hookimpl
def goodseed_facts():
    raise RuntimeError("no facts")
"""


def run(tmp_path: Path, disabled: str | None = None) -> tuple[dict[str, Any], str]:
    """The plugins and facts that a process with three plugins finds, and what it says of them."""
    import json
    import os
    import subprocess
    import sys
    from pathlib import Path as _Path

    import goodseed

    plugins = tmp_path / "plugins"
    info = plugins / "goodseed_three-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: goodseed-three\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[goodseed]\ngood = gs_good\nraising = gs_raising\nmissing = gs_missing\n")
    (plugins / "gs_good.py").write_text(GOOD)
    (plugins / "gs_raising.py").write_text(RAISING)
    path = os.pathsep.join([str(_Path(goodseed.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *([] if disabled is None else [disabled])],
        env={**os.environ, "PLUGINS": str(plugins), "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout), done.stderr


def test_plugins_are_found_and_broken_ones_left_out(tmp_path: Path) -> None:
    """A plugin that can't be loaded, or that raises, is named in one warning and costs the others nothing."""
    found, said = run(tmp_path)

    assert {"good", "raising", "goodseed-gpu"} <= set(found["names"])
    assert "missing" not in found["names"]
    assert ["good", {"tpu_name": "v9"}] in found["facts"]
    assert said.count("plugin missing could not be loaded") == 1
    assert said.count("plugin raising failed in goodseed_facts") == 1


def test_plugins_can_be_left_out(tmp_path: Path) -> None:
    """GOODSEED_DISABLE_PLUGINS names those to leave out, or all of them; our own stay."""
    some, _ = run(tmp_path, "raising, missing")
    none, said = run(tmp_path, "1")

    assert {"good", "raising"} & set(some["names"]) == {"good"}
    assert {"good", "raising"} & set(none["names"]) == set()
    assert "goodseed-gpu" in none["names"]
    assert said == ""


def test_goodseed_facts(run_script: Callable[..., Any]) -> None:
    """A plugin's facts become configs of the run."""
    seen = run_script(
        """
import goodseed, time
from goodseed.hookspecs import hookimpl
from goodseed.plugins import plugin_manager

class Plugin:
    @hookimpl
    def goodseed_facts(self):
        return {"tpu_name": "v9"}

plugin_manager().register(Plugin())
with goodseed.Run() as run:
    deadline = time.monotonic() + 20
    wanted = run.monitoring_namespace + "/tpu_name"
    while time.monotonic() < deadline:
        run.flush()
        if any(config["path"] == wanted for config in run.get_configs()):
            break
        time.sleep(0.05)
"""
    )

    assert [value for path, value in seen.stored.configs.items() if path.endswith("/tpu_name")] == ["v9"]
