"""The lock of a run folder: one writer at a time, wherever there are locks."""

import errno
import fcntl
import json
import os

import pytest

from keras_colorize.errors import ColorizeError
from keras_colorize.runs import lock as lock_module
from keras_colorize.runs.lock import RunLock


def test_a_second_writer_is_refused_and_told_who_the_first_is(tmp_path):
    file = tmp_path / "lock"
    with RunLock(file) as first:
        assert first.left_behind == "" and json.loads(file.read_text())["pid"] == os.getpid()
        with (
            pytest.raises(ColorizeError, match=rf"is being written by process {os.getpid()} on .* since "),
            RunLock(file),
        ):
            pass
        assert file.is_file()
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"pid": 1}'])
def test_a_holder_that_cannot_be_read_is_another_process(tmp_path, text):
    file = tmp_path / "lock"
    with RunLock(file):
        file.write_text(text)
        with pytest.raises(ColorizeError, match="is being written by another process: wait"), RunLock(file):
            pass


def test_a_lock_that_a_killed_run_has_left_is_taken_and_told(tmp_path):
    file = tmp_path / "lock"
    file.write_text('{"pid": 7, "host": "elsewhere", "since": "yesterday"}')
    with RunLock(file) as lock:
        assert lock.left_behind == "process 7 on elsewhere since yesterday"


def test_a_lock_that_is_removed_before_it_is_taken_is_made_anew(tmp_path, monkeypatch):
    file, flock, calls = tmp_path / "lock", fcntl.flock, []

    def removed(descriptor, operation):
        if not calls:
            file.unlink()
        calls.append(operation)
        flock(descriptor, operation)

    monkeypatch.setattr(lock_module.fcntl, "flock", removed)
    with RunLock(file):
        assert len(calls) == 2 and file.is_file()


def test_a_file_system_without_locks_is_written_all_the_same(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(lock_module.fcntl, "flock", refuse)
        with RunLock(tmp_path / "lock"), RunLock(tmp_path / "lock"):
            pass
    monkeypatch.setattr(lock_module, "fcntl", None)  # as on Windows
    with RunLock(tmp_path / "lock"), RunLock(tmp_path / "lock"):
        pass
