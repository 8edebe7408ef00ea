"""`--runner DaskRunner` on a Dask scheduler with two worker processes: a cluster that is not Beam's own."""

import os
import signal
import threading
import time

import pytest
from PIL import Image

pytest.importorskip("apache_beam")
pytest.importorskip("distributed", reason='needs pip install "apache-beam[dask]"')

import distributed

from keras_colorize.images import read_pictures
from tests.colorizing import command, fails, grey_photo, save_grey, write_run
from tests.test_beam import assert_same_results, listed

pytestmark = pytest.mark.slow


class _WorkersOfTasks(distributed.SchedulerPlugin):
    """Notes which worker has done which tasks."""

    def __init__(self):
        self.found = {}

    def transition(self, key, start, finish, *args, worker=None, **kwargs):
        if finish == "memory" and worker is not None:
            self.found.setdefault(worker, set()).add(key)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


def on(cluster):
    """The options of a run on a cluster, in chunks of two photos."""
    address = f"dask_client_address={cluster.scheduler_address}"
    return "--runner", "dask", "--batch-size", "2", "--beam-option", address


def test_both_workers_make_what_one_machine_makes(cluster, run_folder, tmp_path, capsys):
    save_grey(*(tmp_path / "in" / f"{number:02d}.png" for number in range(40)))
    (tmp_path / "in" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    workers = _WorkersOfTasks()
    cluster.scheduler.add_plugin(workers)
    for out, options in {"here": (), "there": on(cluster)}.items():
        code, said, error = command(capsys, tmp_path / "in", "--out", tmp_path / out, "--run", run_folder, *options)
        assert (code, error) == (1, "")
        assert "done     40 of 41 photos" in said and "failed   1" in said
    assert_same_results(tmp_path / "here", tmp_path / "there")
    assert listed(tmp_path / "here") == listed(tmp_path / "there")
    assert len(workers.found) == 2


def test_a_worker_that_is_killed_loses_nothing(cluster, run_folder, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for number in range(40):
        Image.fromarray(grey_photo(number, 600, 800)).save(tmp_path / "in" / f"{number:02d}.png")
    out, killed = tmp_path / "out", []

    def kill():
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if len(list(out.glob("*.png"))) >= 4:
                killed.append(cluster.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    code, said, error = command(capsys, tmp_path / "in", "--out", out, "--run", run_folder, *on(cluster))
    killer.join()
    assert killed and (code, error) == (0, "")
    assert "done     40 of 40 photos" in said
    results = sorted(out.glob("*.png"))  # beside what the worker had written half
    assert [file.name for file in results] == [f"{number:02d}.png" for number in range(40)]
    for file in results:
        assert next(read_pictures(file)).pixels.shape == (600, 800, 3)


def test_a_film_is_coloured_by_both_workers(cluster, tmp_path):
    pytest.importorskip("av", reason="films need the extra `video`")
    from keras_colorize.beam.film import run_film
    from keras_colorize.beam.options import pipeline_options
    from keras_colorize.video import scenes
    from keras_colorize.video.film import colorize_film
    from keras_colorize.video.settings import FilmSettings
    from tests.films import assert_same_film, cut_film, small_colorizer

    def shorten():
        from keras_colorize.video import scenes

        scenes.SEGMENT_FRAMES, scenes.SHORTEST_SCENE = 8, 5

    before = scenes.SEGMENT_FRAMES, scenes.SHORTEST_SCENE
    try:
        shorten()
        with distributed.Client(cluster) as client:
            client.run(shorten)
        film = cut_film(tmp_path / "old.mp4", (20, 20, 20, 20), sound="aac")
        colorizer, settings = small_colorizer(), FilmSettings(codec="ffv1")
        workers = _WorkersOfTasks()
        cluster.scheduler.add_plugin(workers)
        options = pipeline_options("dask", [f"dask_client_address={cluster.scheduler_address}"])
        run_film(colorizer, film, tmp_path / "there.mkv", settings, options)
        colorize_film(colorizer, film, tmp_path / "here.mkv", settings)
    finally:
        scenes.SEGMENT_FRAMES, scenes.SHORTEST_SCENE = before
    assert_same_film(tmp_path / "here.mkv", tmp_path / "there.mkv")
    assert len(workers.found) == 2


def test_a_failure_on_a_worker_is_one_line(cluster, run_folder, tmp_path, capsys):
    save_grey(tmp_path / "in" / "a.png")
    said = fails(
        capsys, tmp_path / "in", "--out", tmp_path / "out", "--run", run_folder, "--runner", "dask",
        "--beam-option", "dask_client_address=tcp://127.0.0.1:9", "--beam-option", "dask_connection_timeout=1",
    )  # fmt: skip
    assert "the pipeline stopped" in said
