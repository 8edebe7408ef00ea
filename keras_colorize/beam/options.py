"""A runner and its options, checked before anything slow begins. Loads no TensorFlow."""

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_colorize.errors import ColorizeError, did_you_mean

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_LOCAL = {"DirectRunner", "SwitchingDirectRunner", "FnApiRunner", "BundleBasedDirectRunner"}
# The job servers of these have options that Beam's Python side does not know.
_WITH_JOB_SERVER = {"FlinkRunner", "SparkRunner", "PortableRunner", "PrismRunner"}

# Not among the runners that Beam knows by name.
_DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"


def check_installed() -> None:
    """Check that Apache Beam is installed.

    Raises:
        ColorizeError: it is not.
    """
    if importlib.util.find_spec("apache_beam") is None:
        raise ColorizeError('`runner` needs apache_beam: pip install "keras-colorize[beam]"')


def pipeline_options(runner: str, given: Sequence[str]) -> "PipelineOptions":
    """Make Beam's `PipelineOptions`.

    Args:
        runner: such as DirectRunner or Dataflow; capitals do not matter, and "Runner" may be left out.
        given: Beam's options without their dashes: `KEY=VALUE`, or `KEY` for one that is on or off.

    Raises:
        ColorizeError: no such runner or option, a value that the option does not take, or an option that the runner
            needs is missing.
    """
    check_installed()
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

    known = {name.lower(): name for name in (*StandardOptions.KNOWN_RUNNER_NAMES, _DASK.rpartition(".")[2])}
    name = next((known[word] for word in (runner.lower(), f"{runner.lower()}runner") if word in known), None)
    if name is None:
        near = did_you_mean(runner, [*known.values(), *(full.removesuffix("Runner") for full in known.values())])
        raise ColorizeError(f"unknown runner '{runner}'{near} (Beam has {', '.join(known.values())})")
    if name == "DaskRunner":
        try:
            importlib.import_module(_DASK.rpartition(".")[0])  # it brings its options along
        except ImportError as error:
            raise ColorizeError('`runner` DaskRunner needs Dask: pip install "apache-beam[dask]"') from error
    # Dask's partitions of 128 elements would leave most workers idle, and some runs have fewer scenes than that.
    divided = any(option.lstrip("-").startswith(("dask_npartitions", "dask_partition_size")) for option in given)
    small = ["--dask_partition_size=1"] if name == "DaskRunner" and not divided else []
    # Worker processes of this machine write their logs to the terminal.
    quiet = ["--default_sdk_harness_log_level=ERROR"] if name in _LOCAL else []
    flags = [*quiet, *small, *(f"--{option.lstrip('-')}" for option in given)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(flags, runner=_DASK if name == "DaskRunner" else name)
            understood = options.get_all_options()
            asked = options.get_all_options(retain_unknown_options=True)
    except SystemExit:
        problem = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise ColorizeError(f"`beam_option`: {problem}") from None
    unknown = sorted(asked.keys() - understood.keys())
    if unknown and name not in _WITH_JOB_SERVER:
        near = did_you_mean(unknown[0], list(understood))
        raise ColorizeError(f"`beam_option`: Beam has no option '{unknown[0]}'{near}")
    try:
        beam.Pipeline(options=options)  # the runner checks its options and the packages that it needs
    except (ValueError, ImportError) as error:
        raise ColorizeError(f"`runner` {name}: {' '.join(str(error).split())} (`beam_option` KEY=VALUE)") from error
    return options
