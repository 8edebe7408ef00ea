"""Quantized chroma: the grid covers sRGB, soft targets are exact, weights balance."""

import numpy as np
import pytest
from keras import ops

from keras_colorize.cli import main
from keras_colorize.color.bins import GRID, AbBins, PriorCount, gamut_points, packaged_bins, read_bins, save_bins
from keras_colorize.color.lab import rgb_to_lab
from keras_colorize.errors import ColorizeError
from keras_colorize.images import read_photo


def every_color(step: int) -> np.ndarray:
    """ab (N, 2) of every `step`-th colour of sRGB along each axis, corners of the cube among them."""
    axis = np.unique([*range(0, 256, step), 255]).astype("float32") / 255
    rgb = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(rgb_to_lab(rgb))[:, 1:]


def corners_of_cells(ab: np.ndarray) -> set[tuple[int, int]]:
    cells = np.unique(np.floor(ab / GRID).astype(int), axis=0)
    return {(int(GRID) * (a + i), int(GRID) * (b + j)) for a, b in cells for i in (0, 1) for j in (0, 1)}


def test_no_color_lies_outside_the_grid():
    points = set(map(tuple, gamut_points().astype(int)))
    assert corners_of_cells(every_color(8)) <= points
    assert len(points) == 309


@pytest.mark.slow
def test_the_grid_is_the_corners_of_all_cells_with_a_color():
    found = set()
    for red in range(0, 256, 16):
        axis = np.arange(256, dtype="float32") / 255
        reds = np.arange(red, red + 16, dtype="float32") / 255
        rgb = np.stack(np.meshgrid(reds, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        found |= corners_of_cells(np.asarray(rgb_to_lab(rgb))[:, 1:])
    assert found == set(map(tuple, gamut_points().astype(int)))


def test_a_soft_target_has_the_color_itself_as_its_expectation():
    bins, ab = packaged_bins(), every_color(15)
    classes, weights = (np.asarray(part) for part in bins.corners(ab))
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    assert weights.min() >= 0
    np.testing.assert_allclose((bins.centers[classes] * weights[..., None]).sum(axis=1), ab, atol=2e-3)


def test_a_color_on_the_grid_is_one_class():
    bins = packaged_bins()
    classes, weights = (np.asarray(part) for part in bins.corners(bins.centers))
    heaviest = np.take_along_axis(classes, weights.argmax(axis=-1)[:, None], axis=-1)[:, 0]
    np.testing.assert_array_equal(heaviest, np.arange(len(bins)))
    np.testing.assert_allclose(weights.max(axis=-1), 1, atol=2e-3)


def test_colors_that_do_not_exist_count_for_the_nearest_class():
    classes, weights = packaged_bins().corners(np.array([[500.0, -500.0], [-120.0, 120.0]], "float32"))
    nearest = packaged_bins().centers[np.asarray(classes)[0]].mean(axis=0)
    assert nearest[0] >= 90 and nearest[1] <= -80
    assert np.isfinite(np.asarray(weights)).all()


def test_weights_are_one_on_average_and_follow_the_formula():
    bins = packaged_bins()
    smooth = bins.smoothed_prior
    assert smooth.sum() == pytest.approx(1)
    for rebalancing in (0.0, 0.5, 1.0):
        weights = bins.class_weights(rebalancing)
        assert (smooth * weights).sum() == pytest.approx(1, rel=1e-5)
        ratio = weights[0] / weights[150]
        mixed = rebalancing * smooth + (1 - rebalancing) / len(bins)
        assert ratio == pytest.approx(mixed[150] / mixed[0], rel=1e-5)
    np.testing.assert_allclose(bins.class_weights(0.0), 1, rtol=1e-5)


def test_a_prior_counts_pixels_and_remembers_where():
    count = PriorCount()
    grey, red = np.zeros((1, 4, 4, 2), "float32"), np.full((1, 2, 2, 2), 50, "float32")
    count.update(grey)
    count.update(red)
    bins = count.result("two photos")
    share = {tuple(map(int, center)): value for center, value in zip(bins.centers, bins.prior, strict=True)}
    assert share[0, 0] == pytest.approx(0.5)  # each photo weighs the same, whatever its size
    assert share[50, 50] == pytest.approx(0.5)
    assert count.photos == 2


def test_a_prior_survives_its_file(tmp_path):
    before = packaged_bins()
    save_bins(before, tmp_path / "prior.json")
    after = read_bins(tmp_path / "prior.json")
    np.testing.assert_array_equal(after.centers, before.centers)
    np.testing.assert_allclose(after.prior, before.prior, rtol=1e-3, atol=1e-12)
    assert after.provenance == before.provenance != ""


def test_the_command_counts_the_training_photos(tmp_path, capsys, photo_folder):
    out = tmp_path / "prior.json"
    command = ["prior", "--data", str(photo_folder), "--image-size", "16", "--out"]
    assert main([*command, str(out)]) == 0
    said = capsys.readouterr().out
    bins, count = read_bins(out), PriorCount()
    for file in sorted(photo_folder.glob("photo_*.png")):
        rgb = read_photo(file, 16).astype("float32") / 255
        count.update(np.asarray(rgb_to_lab(rgb))[None, ..., 1:])
    np.testing.assert_allclose(bins.prior, count.result("").prior, rtol=1e-2, atol=1e-5)
    assert "24 training photos at 16×16, grey ones left out" in bins.provenance and bins.provenance in said
    assert f"{int((bins.prior > 0).sum())} of 309 colour classes occur" in said
    for arguments, message in {
        (*command, str(tmp_path / "none" / "prior.json")): "there is no folder",
        (*command[:4], "0", "--out", str(out)): "--image-size is 0: expected at least 1",
    }.items():
        assert main(list(arguments)) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", '{"bins": [[1]]}', '{"bins": "no"}'])
def test_what_is_no_prior_is_refused(tmp_path, text):
    (tmp_path / "prior.json").write_text(text)
    with pytest.raises(ColorizeError, match="no colour prior") as refused:
        read_bins(tmp_path / "prior.json")
    assert refused.value.action == "make_prior"


def test_an_empty_count_is_refused():
    with pytest.raises(ColorizeError, match="no photo was counted"):
        PriorCount().result("nothing")


def test_bins_work_in_any_batch_shape():
    bins = AbBins(gamut_points(), packaged_bins().prior, "")
    classes, weights = bins.corners(ops.zeros((2, 3, 5, 2)))
    assert classes.shape == weights.shape == (2, 3, 5, 4)


def bump(bins, middle, width):
    """A distribution around a colour."""
    shares = np.exp(-0.5 * np.square(bins.centers - np.float32(middle)).sum(axis=1) / width**2)
    return shares / shares.sum()


def test_modes_are_the_peaks_of_a_distribution():
    bins = packaged_bins()
    shares = 0.6 * bump(bins, (42, 31), 5) + 0.3 * bump(bins, (-3, -44), 5) + 0.1 * bump(bins, (0, 0), 5)
    found, probabilities = bins.modes(shares, 3)
    np.testing.assert_allclose(found, [(42, 31), (-3, -44), (0, 0)], atol=2)
    np.testing.assert_allclose(probabilities, (0.6, 0.3, 0.1), atol=0.04)
    assert len(bins.modes(shares, 1)[0]) == 1
    assert len(bins.modes(np.eye(len(bins))[7], 6)[0]) == 1  # all others are impossible


@pytest.mark.parametrize("seed", range(5))
def test_modes_are_apart_and_their_probabilities_fall(seed):
    bins = packaged_bins()
    shares = np.random.default_rng(seed).dirichlet(np.full(len(bins), 0.05 * (seed + 1)))
    half = lambda ab: ab / 2  # noqa: E731 - a gamut in which neighbours come together
    for to_gamut in (lambda ab: ab, half, lambda ab: ab * 0):
        found, probabilities = bins.modes(shares, 9, to_gamut)
        distances = np.linalg.norm(found[:, None] - found, axis=-1)[~np.eye(len(found), dtype=bool)]
        assert (distances >= 20 - 1e-3).all()
        assert (np.diff(probabilities) <= 0).all() and probabilities.sum() <= 1 + 1e-9
    assert len(found) == 1 and probabilities[0] == pytest.approx(1)
