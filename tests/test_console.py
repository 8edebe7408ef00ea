"""The terminal: bars with figures, headers, and lines where the output is no terminal."""

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from keras_colorize.cli import console as console_module
from keras_colorize.cli import film
from keras_colorize.cli.console import ConsoleReporter, counting_progress, print_header


class Loss:
    """A loss on a device: to read it takes time."""

    def __init__(self):
        self.read = 0

    def __float__(self):
        self.read += 1
        return 0.25


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def shown(request):
    """A console, and what is written to it."""
    written = StringIO()
    return Console(file=written, force_terminal=request.param, width=120), written


@pytest.fixture
def clock(monkeypatch):
    """The seconds that modules of the command line see."""
    seconds = SimpleNamespace(now=1.0)
    time = SimpleNamespace(monotonic=lambda: seconds.now)
    for module in (console_module, film):
        monkeypatch.setattr(module, "time", time)
    return seconds


def test_an_epochs_bar_reads_the_losses_once_a_second_and_on_a_terminal_only(shown, clock):
    console, written = shown
    loss = Loss()
    with ConsoleReporter(console).training(10) as bar:
        bar.begin("train 1/2", 3)
        for clock.now in (1.5, 1.9, 2.5, 2.9, 3.6):
            bar.advance({"g_total": loss}, 12.3)
    if console.is_terminal:
        assert loss.read == 2
        for words in ("train 1/2", "8/10", "g_total 0.25  12 images/s"):
            assert words in written.getvalue()
    else:
        assert loss.read == 0 and written.getvalue().strip() == ""


def test_a_bar_counts_work_on_a_terminal_only(shown):
    console, written = shown
    with counting_progress(console, "reading") as advance:
        advance(3, 7)
    assert ("reading" in written.getvalue() and "3/7" in written.getvalue()) == console.is_terminal


def test_headers_and_lines_show_values_as_they_are(shown):
    console, written = shown
    print_header(console, "Keras Colorize", [("model", "[bold]mine"), ("photos", "24")])
    ConsoleReporter(console).header([("size", "32×32")])
    ConsoleReporter(console).line("epoch [1]")
    for words in ("Keras Colorize", "[bold]mine", "photos", "32×32", "epoch [1]"):
        assert words in written.getvalue()


def test_a_film_tells_its_speed_since_this_run_began(shown, clock):
    console, written = shown
    with film._progress(console) as advance:
        for clock.now, done in ((2.0, 100), (12.0, 120), (40.0, 176), (41.0, 180)):
            advance(done, 1000)
    text = written.getvalue()
    if console.is_terminal:
        assert "180/1000" in text and "2.1 frames/s" in text
    else:  # a line in half a minute
        assert text.split("\n") == ["colorizing  176/1,000 frames  2.0 frames/s  0:06:52 left", ""]
