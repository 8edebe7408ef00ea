"""How long a training run takes from its start to its first step, in parts: the first time, the second, and resumed.

    python -m benchmarks.start --data photos --model vivid --random-backbone

Further arguments are those of `keras-colorize train`.

Each start is a process of its own, as `keras-colorize train` is. The first has an empty cache of scans, so that it
decodes every photo; the second finds all photos in the cache. The files are in the disk cache of the system each time
but perhaps the first. A process ends after its first step; the resumed one goes on from a checkpoint of that step.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BEGAN = "KERAS_COLORIZE_STARTED"  # environment variable: the time at which the process was started
IMPORTS, REST = "Python, and the import of TensorFlow and Keras", "all else"
STEP = "the first step: tracing it, reading a batch, taking it"
PARTS = (
    IMPORTS,
    "building networks and optimizers",
    "listing and dividing the photos",
    "scan",
    "initial weights",
    "reading the checkpoint",
    "figures of grey photos, for the header",
    "validation before the first step",
    STEP,
    REST,
)


def report_first_step(arguments: list[str]) -> None:
    """Train as the command does until the first step is done, and print the seconds of each part as JSON."""
    began = float(os.environ[BEGAN])
    parts: dict[str, float] = {}
    open_parts: list[str] = []

    def timed(owner: Any, name: str, part: str) -> None:
        function = getattr(owner, name)

        @functools.wraps(function)
        def run(*given: Any, **named: Any) -> Any:
            if open_parts:  # a part within a part counts once
                return function(*given, **named)
            open_parts.append(part)
            start = time.time()
            try:
                return function(*given, **named)
            finally:
                parts[part] = parts.get(part, 0.0) + time.time() - start
                open_parts.pop()

        setattr(owner, name, run)

    from keras_colorize.cli.startup import load_tensorflow

    load_tensorflow()
    from keras_colorize.cli import main
    from keras_colorize.training import task
    from keras_colorize.training.checkpoints import Checkpoints
    from keras_colorize.training.saver import RunSaver
    from keras_colorize.training.steps import CompiledSteps

    parts[IMPORTS] = time.time() - began
    timed(task, "open_photos", "listing and dividing the photos")
    timed(task, "load_photos", "scan")
    timed(task, "build_stages", "building networks and optimizers")
    timed(task.Task, "load_initial_weights", "initial weights")
    timed(task, "grey_figures", "figures of grey photos, for the header")
    timed(task.Task, "validate", "validation before the first step")
    timed(Checkpoints, "restore", "reading the checkpoint")
    timed(task.Task, "batches_from", STEP)
    timed(CompiledSteps, "train", STEP)
    save = RunSaver.on_train_batch_end

    def end(self: RunSaver, *given: Any) -> None:
        total = time.time() - began
        parts[REST] = total - sum(parts.values())
        print(json.dumps({"total": total, "parts": parts}), flush=True)
        self._stop.reason = "its first step"  # type: ignore[misc]
        save(self, *given)

    RunSaver.on_train_batch_end = end  # type: ignore[method-assign]
    main(["train", *arguments])


def start(arguments: list[str], cache: Path) -> dict[str, Any]:
    """Start a run in a process of its own; return the total and the parts in seconds."""
    environment = os.environ | {"KERAS_COLORIZE_CACHE": str(cache), BEGAN: str(time.time())}
    command = [sys.executable, "-m", "benchmarks.start", "--child", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"total"')]
    if not lines:
        raise SystemExit(done.stdout + done.stderr)
    return json.loads(lines[-1])


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        report_first_step(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as for `keras-colorize train`")
    parser.add_argument("--model", default="vivid")
    options, others = parser.parse_known_args()
    given = ["--model", options.model, "--data", options.data, *others]
    with tempfile.TemporaryDirectory() as name:
        cache, runs = Path(name, "cache"), [Path(name, "first"), Path(name, "second")]
        columns = {"first": start([*given, "--out", str(runs[0])], cache)}
        columns["second"] = start([*given, "--out", str(runs[1])], cache)
        columns["resumed"] = start(["--resume", "--out", str(runs[1])], cache)
    print(f"{options.model}, {options.data}; seconds from the start of the process")
    print(f"{'':60}" + "".join(f"{column:>9}" for column in columns))
    for part in PARTS:
        print(f"{part:60}" + "".join(f"{one['parts'].get(part, 0.0):9.2f}" for one in columns.values()))
    print(f"{'to the end of the first step':60}" + "".join(f"{one['total']:9.2f}" for one in columns.values()))


if __name__ == "__main__":
    main()
