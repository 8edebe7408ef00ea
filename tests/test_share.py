"""Folders for others: saved, loaded, taken by the commands; what is wrong with one is one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.lookup import find_systems
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.recipes import load_card
from keras_colorize.runs.card import card_text, read_figures, read_training
from keras_colorize.runs.folder import RunFolder, find_model
from tests.colorizing import command, grey_photo, save_grey, write_run
from tests.exports import photos, small_colorizer


@pytest.fixture
def folder(tmp_path):
    """A saved system."""
    return small_colorizer("vivid", hints=True).save(tmp_path / "mine")


@pytest.fixture
def run(tmp_path):
    """A run with a header and an evaluation."""
    run = RunFolder(write_run(tmp_path / "runs"))
    run.notes_file.write_text(
        "model: unet_gan: a U-Net\ndata: photos: 26 photos\nstarts from: /home/someone/old.npz\nto beat: grey\n"
        "data: another start\n"
    )
    run.evaluation.mkdir()
    figures = {
        "systems": {"unet_gan": {}},
        "data": "/home/someone/photos",
        "photos": 1234,
        "protocol": {"summary": "the test split"},
        "metrics": {"grey (unchanged)": {"psnr": 21.5, "ab_mae": 12.0}, "unet_gan": {"psnr": 22.75, "ssim": None}},
    }
    (run.evaluation / "metrics.json").write_text(json.dumps(figures))
    return run


def test_a_saved_system_gives_the_same_pixels(folder):
    colorizer = small_colorizer("vivid", hints=True)
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "generator.weights.h5", "recipe.toml"]
    card = load_card(folder / "recipe.toml")
    assert card.parameters == colorizer.generator.count_params() and len(card.sha256) == 64
    for loaded in (Colorizer.load(folder), Colorizer.from_zoo(str(folder))):
        assert loaded.recipe == colorizer.recipe
        np.testing.assert_array_equal(loaded(photos()[1]), colorizer(photos()[1]))


def test_the_card_says_what_the_recipe_tells(folder):
    text = (folder / "README.md").read_text()
    assert text.startswith("# vivid\n") and "It takes hints" in text and "32 × 32 pixels" in text
    assert "Figures" not in text and "Training" not in text and "Nobody has stated a licence" in text
    own = small_colorizer().save(folder.parent / "own", card="what I know")
    assert (own / "README.md").read_text() == "what I know"


def test_a_card_of_a_run_has_its_figures_and_its_training(run):
    figures, training = read_figures(run), read_training(run)
    assert training == {"starts from": "old.npz", "data": "photos: 26 photos"}
    text = card_text(run.recipe(), 77, training=training, figures=figures, license="CC0", command="do it")
    assert "Means over 1,234 photos of `photos`: the test split." in text and "/home/someone" not in text
    assert "| grey (unchanged) | 21.50 | 12.00 |" in text and "| unet_gan | 22.75 |  |" in text
    assert "\nCC0\n" in text and "```\ndo it\n```" in text and "77 parameters" in text


def test_a_card_has_no_figures_where_there_are_none_for_it(run):
    file = run.evaluation / "metrics.json"
    table = json.loads(file.read_text())
    for broken in (json.dumps(table | {"systems": {"a": {}, "b": {}}}), "no json", json.dumps({"systems": {"a": {}}})):
        file.write_text(broken)
        assert read_figures(run) is None
    file.unlink()
    run.notes_file.unlink()
    assert read_figures(run) is None and read_training(run) == {}


def test_a_full_folder_is_not_overwritten(folder):
    with pytest.raises(ColorizeError, match="exists: choose a new folder"):
        small_colorizer().save(folder)
    with pytest.raises(ColorizeError, match="exists: choose a new folder"):
        small_colorizer().save(folder / "README.md")


def test_bad_folders_are_one_line(folder, tmp_path):
    def complaint(path):
        with pytest.raises(ColorizeError) as error:
            Colorizer.load(path)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "no run folder" in complaint(tmp_path / "nothing")
    assert "no checksum" in complaint(write_run(tmp_path / "run"))
    weights = folder / "generator.weights.h5"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    assert "damaged" in complaint(folder)
    with pytest.raises(ColorizeError, match="damaged"):
        Colorizer.from_run(folder)
    weights.unlink()
    assert "copy the whole folder again" in complaint(folder)
    (folder / "recipe.toml").write_text("name = ")
    assert "not valid TOML" in complaint(folder)
    (folder / "recipe.toml").unlink()
    assert "no run folder" in complaint(folder)


def test_models_by_name_and_by_folder(folder, monkeypatch):
    assert find_model(folder) == RunFolder(folder) and find_model("vivid") == "vivid"
    monkeypatch.chdir(folder.parent)
    folder.rename("vivid")
    assert find_model("vivid") == "vivid" and find_model("./vivid") == RunFolder(Path("vivid"))
    with pytest.raises(ColorizeError, match="unknown model 'nobody'"):
        find_model("nobody")
    with pytest.raises(ColorizeError, match="comes without weights"):
        find_model("cnn")


def test_the_commands_take_a_folder(folder, tmp_path, capsys):
    assert find_systems([str(folder)], [], "runs") == [RunFolder(folder)]
    save_grey(tmp_path / "old.png")
    code, _, error = command(capsys, tmp_path / "old.png", "--model", folder, "--out", tmp_path / "colored")
    assert code == 0, error
    assert (tmp_path / "colored" / "old.png").is_file()
    (folder / "generator.weights.h5").write_bytes(b"torn")
    code, _, error = command(capsys, tmp_path / "old.png", "--model", folder, "--out", tmp_path / "again")
    assert code == 2 and "damaged" in error and error.count("\n") == 1


def test_share(run, tmp_path, capsys):
    out = tmp_path / "shared"
    assert main(["share", str(run), "--out", str(out), "--license", "CC-BY 4.0"]) == 0
    said = capsys.readouterr().out
    assert "generator.weights.h5" in said and "no figures" not in said
    text = (out / "README.md").read_text()
    assert "--model shared" in text and "22.75" in text and "CC-BY 4.0" in text
    np.testing.assert_array_equal(Colorizer.load(out)(grey_photo()), Colorizer.from_run(run.path)(grey_photo()))
    assert main(["share", str(run), "--out", str(out)]) == 2
    assert "choose a new folder" in capsys.readouterr().err
    assert main(["share", str(tmp_path / "none"), "--out", str(tmp_path / "x")]) == 2
    assert "no run folder" in capsys.readouterr().err and not (tmp_path / "x").exists()
