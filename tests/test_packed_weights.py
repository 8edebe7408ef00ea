"""Packed weights: small, checked, and close enough that no eye and no 8-bit photo can tell."""

import hashlib

import numpy as np
import pytest

from keras_colorize.cli import main
from keras_colorize.cli.messages import error_line
from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.errors import ColorizeError
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import average_weights, load_packaged, pack_weights, save_weights, unpack_weights
from keras_colorize.recipes import Recipe, load_card, packaged_names, zoo_folder
from keras_colorize.runs.folder import RunFolder
from tests.networks import build_small, random_inputs


def test_a_network_comes_back(tmp_path):
    before, after = build_small("vivid"), build_small("vivid")
    sha256 = pack_weights(before, tmp_path / "w.npz")
    assert hashlib.sha256((tmp_path / "w.npz").read_bytes()).hexdigest() == sha256
    unpack_weights(after, tmp_path / "w.npz", sha256)
    x, space = random_inputs(before), BinnedLabSpace()
    ab = [np.asarray(space.chroma(Inputs(x), network(x, training=False))) for network in (before, after)]
    difference = np.abs(ab[0] - ab[1])
    assert 0 < difference.mean() < 0.1 and difference.max() < 2.3  # CIE units, of which 2.3 are just noticeable
    for one, other in zip(before.variables, after.variables, strict=True):
        if len(one.shape) == 1:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert [file.name for file in tmp_path.iterdir()] == ["w.npz"]


def test_what_does_not_fit_is_refused(tmp_path):
    network, file = build_small("vivid"), tmp_path / "w.npz"
    sha256 = pack_weights(network, file)
    with pytest.raises(ColorizeError, match="does not fit the network"):
        unpack_weights(build_small("unet"), file)
    with pytest.raises(ColorizeError, match="is damaged: its SHA-256"):
        unpack_weights(network, file, sha256[::-1])
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ColorizeError, match="holds no packed weights"):
        unpack_weights(network, file)
    with pytest.raises(ColorizeError, match="cannot be read"):
        unpack_weights(network, tmp_path / "none.npz")


def test_networks_are_averaged_by_their_shares():
    networks = [build_small("vivid") for _ in range(3)]
    before = [network.get_weights() for network in networks]
    average_weights(networks, [1, 2, 5])
    for index, average in enumerate(networks[0].get_weights()):
        expected = (before[0][index] + 2 * before[1][index] + 5 * before[2][index]) / 8
        np.testing.assert_allclose(average, expected, atol=1e-6)
    assert all((a == b).all() for a, b in zip(before[2], networks[2].get_weights(), strict=True))
    with pytest.raises(ColorizeError, match="a positive number for each of 2 runs"):
        average_weights(networks[:2], [1.0])
    with pytest.raises(ColorizeError, match="a positive number for each of 2 runs"):
        average_weights(networks[:2], [1.0, 0.0])
    with pytest.raises(ColorizeError, match="expected one architecture"):
        average_weights([networks[0], build_small("cnn")], [1.0, 1.0])


def test_the_command_packs_the_average_of_runs(tmp_path, capsys):
    recipe = Recipe.load("vivid", ["generator.args={filters=[8,8,8], width=8}", "data.image_size=32"])
    folders, values = [], []
    for number in range(2):
        folder = RunFolder.create(tmp_path / str(number), recipe)
        network = build_generator(recipe)
        save_weights(network, folder.generator_weights)
        folders.append(str(folder.path))
        values.append(network.get_weights())
    file = tmp_path / "average.npz"
    runs = ["--run", folders[0], "--run", folders[1]]
    assert main(["pack", *runs, "--shares", "0.3,0.7", "--out", str(file)]) == 0
    assert "SHA-256" in capsys.readouterr().out
    average = build_generator(recipe)
    unpack_weights(average, file)
    for one, other, found in zip(*values, average.get_weights(), strict=True):
        np.testing.assert_allclose(found, 0.3 * one + 0.7 * other, atol=2e-3)
    assert main(["pack", *runs, "--shares", "0.3", "--out", str(file)]) == 2
    assert "--shares is 0.3: expected a positive number for each of 2 runs" in capsys.readouterr().err
    assert main(["pack", *runs, "--shares", "a,b", "--out", str(file)]) == 2
    assert "expected numbers with commas" in capsys.readouterr().err


def test_a_system_without_weights_says_what_to_do():
    with pytest.raises(ColorizeError, match="'pix2pix' comes without weights") as refused:
        load_packaged("pix2pix", build_small("unet"))
    line = error_line(refused.value, {})
    assert "train.py --model pix2pix" in line and "--weights" in line


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_weights_are_whole_and_small(name):
    data = (zoo_folder() / f"{name}.npz").read_bytes()
    assert hashlib.sha256(data).hexdigest() == load_card(name).sha256
    assert len(data) <= 12e6
