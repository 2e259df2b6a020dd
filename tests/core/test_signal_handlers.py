"""Signal handlers of scripts and frameworks do what they would do without a run: each case is tried with and without."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

import goodseed

OPEN = """
run = goodseed.Run(run_id="r", storage="local", capture_hardware_metrics=False, git_ref=False)
run.log_metrics({"a": 1}, step=0)
"""
CASES = {
    "calls whatever was there before": """
        OPEN
        before = signal.getsignal(NUMBER)
        def handler(number, frame):
            if callable(before):
                before(number, frame)
            print("handled", flush=True)
        signal.signal(NUMBER, handler)
        os.kill(os.getpid(), NUMBER)
        print("goes on", flush=True)
    """,
    "knows the default by its value": """
        OPEN
        def handler(number, frame):
            print("handled", flush=True)
            if before in (None, signal.SIG_DFL):
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            else:
                before(number, frame)
        before = signal.signal(NUMBER, handler)
        os.kill(os.getpid(), NUMBER)
        time.sleep(10)
    """,
    "calls what can be called first": """
        from signal import getsignal, signal as install
        OPEN
        def handler(number, frame):
            if callable(before):
                before(number, frame)
            elif before is signal.SIG_DFL:
                install(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
        before = getsignal(NUMBER)
        install(NUMBER, handler)
        os.kill(os.getpid(), NUMBER)
        time.sleep(0.1)
        print("goes on", flush=True)
    """,
    "before the run": """
        signal.signal(NUMBER, lambda *_: print("handled", flush=True))
        OPEN
        os.kill(os.getpid(), NUMBER)
        print("goes on", flush=True)
    """,
    "ignored before the run": """
        signal.signal(NUMBER, signal.SIG_IGN)
        OPEN
        os.kill(os.getpid(), NUMBER)
        print("goes on", flush=True)
    """,
    "around the run, restored while it is open": """
        before = signal.signal(NUMBER, lambda *_: print("handled", flush=True))
        OPEN
        os.kill(os.getpid(), NUMBER)
        signal.signal(NUMBER, before)
        os.kill(os.getpid(), NUMBER)
        time.sleep(10)
    """,
    "restored after the run is closed": """
        OPEN
        before = signal.signal(NUMBER, lambda *_: print("handled", flush=True))
        os.kill(os.getpid(), NUMBER)
        CLOSE
        signal.signal(NUMBER, before)
        os.kill(os.getpid(), NUMBER)
        time.sleep(10)
    """,
    "ends the process itself": """
        OPEN
        signal.signal(NUMBER, lambda *_: sys.exit(7))
        os.kill(os.getpid(), NUMBER)
        time.sleep(10)
    """,
    "asyncio": """
        import asyncio
        OPEN
        async def main():
            asked = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(NUMBER, asked.set)
            os.kill(os.getpid(), NUMBER)
            await asyncio.wait_for(asked.wait(), 10)
            print("handled", flush=True)
            asyncio.get_running_loop().remove_signal_handler(NUMBER)
        asyncio.run(main())
        print("goes on", flush=True)
        os.kill(os.getpid(), NUMBER)
        time.sleep(10)
    """,
    "a flag that the loop looks at": """
        OPEN
        class Saver:
            def __enter__(self):
                self.asked = False
                self.before = signal.signal(NUMBER, self.handle)
                return self
            def handle(self, number, frame):
                self.asked = True
            def __exit__(self, *_):
                signal.signal(NUMBER, self.before)
        with Saver() as saver:
            for step in range(1000):
                if step == 3:
                    os.kill(os.getpid(), NUMBER)
                if saver.asked:
                    print("saved at", step, flush=True)
                    break
        print(signal.getsignal(NUMBER) is signal.SIG_DFL, flush=True)
    """,
    "blocked while a checkpoint is written": """
        signal.signal(NUMBER, lambda *_: print("handled", flush=True))
        OPEN
        signal.pthread_sigmask(signal.SIG_BLOCK, {NUMBER})
        os.kill(os.getpid(), NUMBER)
        time.sleep(0.1)
        print("written", flush=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {NUMBER})
    """,
    "waited for by a thread": """
        import threading
        OPEN
        signal.pthread_sigmask(signal.SIG_BLOCK, {NUMBER})
        waiting = threading.Thread(target=lambda: print(signal.sigwait({NUMBER}), flush=True))
        waiting.start()
        os.kill(os.getpid(), NUMBER)
        waiting.join(10)
    """,
}


def outcome(case: str, number: signal.Signals, *, with_run: bool) -> tuple[int, str]:
    """How a process ends that does this, and what it prints."""
    script = textwrap.dedent(CASES[case]).replace("NUMBER", f"signal.{number.name}")
    script = script.replace("OPEN", OPEN if with_run else "").replace("CLOSE", "run.close()" if with_run else "")
    script = "import os, signal, sys, time\nimport goodseed\n" + script
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in process.stderr or number == signal.SIGINT, process.stderr
    return process.returncode, process.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("case", CASES)
def test_as_without_a_run(case: str, number: signal.Signals) -> None:
    """A handler, in whatever order it is set, chained and given back, ends as it would without a run."""
    assert outcome(case, number, with_run=False) == outcome(case, number, with_run=True)


def test_the_default_stays_the_default() -> None:
    """While a run is open, nobody sees that the default action of a signal is ours."""
    with goodseed.Run():
        during = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
        given_back = signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGTERM, given_back)

    assert [signal.SIG_DFL] * 3 == [*during, given_back]
    assert all(handler is signal.SIG_DFL for handler in [*during, given_back])


def test_a_signal_after_a_framework_gave_the_handler_back(home: object) -> None:
    """When a framework is done and has restored what was there before it, a run still says which signal ended it."""
    script = """
        run = goodseed.Run(run_id="r", storage="local", capture_hardware_metrics=False, git_ref=False)
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGTERM, before)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    """
    script = "import os, signal, time\nimport goodseed\n" + textwrap.dedent(script)
    process = subprocess.run([sys.executable, "-c", script], timeout=60, env=dict(os.environ))
    with goodseed.Run(run_id="r", read_only=True, storage="local") as run:
        fields = {row["path"]: row["value"] for row in run.get_configs()}

    assert -signal.SIGTERM == process.returncode
    assert ("failed", "SIGTERM") == (fields["sys/state"], fields["sys/end_reason"])


def test_a_wakeup_descriptor_of_the_script(home: object) -> None:
    """A script or an event loop that sets its own descriptor, and takes it away, finds what it would without a run."""
    code = """
import asyncio, os, signal, goodseed
run = goodseed.Run(project="p", storage="local")
reading, writing = os.pipe()
os.set_blocking(writing, False)
print(signal.set_wakeup_fd(writing), signal.set_wakeup_fd(-1) == writing, signal.set_wakeup_fd(-1))
async def main():
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(asked.wait(), 10)
    print("heard")
asyncio.run(main())
run.close()
print(signal.set_wakeup_fd(-1))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "-1 True -1\nheard\n-1\n" == done.stdout
