"""Packed weights: small, checked, and close enough that no eye and no 8-bit photo can tell."""

import hashlib

import numpy as np
import pytest

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.errors import ColorizeError
from keras_colorize.models.weights import load_packaged, pack_weights, unpack_weights
from keras_colorize.recipes import load_card, packaged_names, zoo_folder
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


def test_a_system_without_weights_says_what_to_do():
    with pytest.raises(ColorizeError, match=r"'pix2pix' comes without weights .*train\.py --model pix2pix.*--weights"):
        load_packaged("pix2pix", build_small("unet"))


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_weights_are_whole_and_small(name):
    data = (zoo_folder() / f"{name}.npz").read_bytes()
    assert hashlib.sha256(data).hexdigest() == load_card(name).sha256
    assert len(data) <= 12e6
