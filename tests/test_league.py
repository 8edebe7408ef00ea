"""The league's plan, rows, tables and page; and the whole of it at toy length, killed and gone on with."""

import json
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.league import findings, page, tables
from benchmarks.league.league import League, recipe_digest, thinned
from benchmarks.league.plan import (
    REPORTS,
    Competitor,
    Encoder,
    Mark,
    Scale,
    check_plan,
    choose,
    competitors,
    depends_on_length,
    images_in_time,
    make_recipe,
    plan_runs,
    seconds_of,
)
from benchmarks.league.results import (
    PER_PHOTO,
    Result,
    Results,
    keep_result,
    pack,
    read_results,
    row_file,
    unpack,
)
from benchmarks.league.speeds import keep_speed, measure_speed, read_speeds
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe, zoo_names
from tests.conftest import colorful_photo
from tests.markdown import ROOT, markdown_files

ENCODER = Encoder(Path("encoder.npz"), "ab" * 32)
FACT_COLUMNS = 3


def recipe_of(competitor: Competitor, scale: Scale | None = None) -> Recipe:
    return make_recipe(competitor, scale or Scale(), Path("photos"), ENCODER, Path("features.keras"))


def named(name: str) -> Competitor:
    (found,) = choose(competitors(), [name])
    return found


# The plan.


def test_every_system_of_the_zoo_takes_part_once_and_pairs_beside_it():
    check_plan()
    everyone = competitors()
    assert len({each.name for each in everyone}) == len(everyone)
    assert sorted(each.name for each in everyone if each.phase == 0) == sorted(zoo_names())
    assert all(Recipe.load(name).report in (report, "B") for report, names in REPORTS.items() for name in names)
    for system in ("resnet18_gan", "resnet18_shuffle_gan", "vivid"):
        assert named(system).pretrained and not named(f"{system}-random").pretrained
        assert named(system).note == "pretrained to layer3" and named(f"{system}-random").note == "random backbone"
    for name in ("unet_gan_perceptual", "koalarization", "inception_gan"):
        assert named(name).note == "random backbone"
    assert named("pix2pix").note == ""
    with pytest.raises(ColorizeError, match="no competitor 'pix2pux'; did you mean 'pix2pix'"):
        choose(everyone, ["pix2pux"])


@pytest.mark.parametrize("competitor", competitors(), ids=lambda each: each.name)
def test_all_see_the_same_number_of_images_in_parts_that_divide(competitor):
    scale, recipe = Scale(), recipe_of(competitor)
    (run, *_) = plan_runs(competitor, recipe, scale, [50.0, 50.0][: 2 if recipe.pretrain.epochs else 1])
    if "images" in competitor.tables:
        (mark,) = [mark for mark in run.marks if "images" in mark.tables]
        assert run.images(mark) == scale.images >= 24_000
    original = Recipe.load(competitor.system)
    assert recipe.data.batch_size == original.data.batch_size and recipe.loss == original.loss
    assert recipe.data.image_size == 64 and recipe.data.resize == "crop" and recipe.data.limit == 0
    assert recipe.optimizer == original.optimizer
    assert (recipe.early_stopping.monitor == "none") == (competitor.name != "gan_lab-stopped")
    assert bool(recipe.encoder_weights) == competitor.pretrained
    assert (recipe.backbone_weights == "random") == (not competitor.pretrained and competitor.name != "gan_lab-stopped")
    total = recipe.pretrain.epochs + recipe.schedule.epochs
    wanted = original.pretrain.epochs / (original.pretrain.epochs + original.schedule.epochs)
    assert recipe.pretrain.epochs / total == pytest.approx(wanted)


def test_one_run_serves_both_tables_where_its_length_changes_nothing():
    for name in ("pix2pix", "cnn", "unet_gan", "inception_gan_nopretrain", "resnet18_shuffle_gan"):
        assert not depends_on_length(recipe_of(named(name)))
    for name in ("resnet18_gan", "inception_gan", "inception_gan_noseg", "vivid", "gan_lab-stopped"):
        assert depends_on_length(recipe_of(named(name)))

    competitor, scale = named("pix2pix"), Scale()
    recipe = recipe_of(competitor)
    (quick,) = plan_runs(competitor, recipe, scale, [64.0])
    assert [mark.tables for mark in quick.marks] == [("images",), ("time",)]
    assert quick.images(quick.marks[1]) == pytest.approx(64 * 25 * 60, rel=0.02)
    (slow,) = plan_runs(competitor, recipe, scale, [8.0])  # 25 minutes come before 24,192 images
    assert [mark.tables for mark in slow.marks] == [("time",), ("images",)]
    assert slow.recipe.schedule.epochs == slow.marks[0].epochs
    (equal,) = plan_runs(competitor, recipe, scale, [scale.images / 1500])
    assert equal.marks == (Mark(14, ("images", "time")),)


def test_runs_with_stages_divide_their_time_as_their_images():
    competitor, scale = named("inception_gan"), Scale()
    recipe = recipe_of(competitor)
    speed = [20.0, 10.0]
    of_images, of_time = plan_runs(competitor, recipe, scale, speed)
    assert (of_images.recipe.pretrain.epochs, of_images.recipe.schedule.epochs) == (8, 6)
    assert (of_time.recipe.pretrain.epochs, of_time.recipe.schedule.epochs) == (8, 6)
    assert of_time.name != of_images.name
    (mark,) = of_time.marks
    # 8 parts at 20 images a second and 6 at 10.
    assert images_in_time(recipe, scale, speed) == pytest.approx(1500 / (8 / 14 / 20 + 6 / 14 / 10), abs=1)
    assert seconds_of(of_time, mark, speed) == pytest.approx(1500, rel=0.05)


def test_jobs_come_with_the_same_images_first(tmp_path):
    for system in zoo_names():
        stages = 2 if Recipe.load(system).pretrain.epochs else 1
        keep_speed(tmp_path / "results" / "speeds.json", system, [30.0] * stages, 16, "a machine")
    assert read_speeds(tmp_path / "results" / "speeds.json")["vivid"] == [30.0]
    league = League(competitors(), {}, {}, ENCODER, tmp_path / "out", tmp_path / "results")
    assert league.missing_speeds() == []
    jobs = league.jobs()
    assert len({job.name for job in jobs}) == len(jobs)
    first = jobs[: len(zoo_names())]
    assert all("images" in job.mark.tables and job.run.competitor.phase == 0 for job in first)
    rest = [job.run.competitor.name for job in jobs[len(first) :]]
    assert rest[:3] == [job for job in rest if job.endswith("-random")][:3]
    (done, *_) = jobs
    keep_result(tmp_path / "results", {"competitor": done.run.competitor.name, "table": "images"})
    assert done.name not in {job.name for job in league.jobs()}


def test_each_stage_has_a_speed():
    thin = {"generator.args.filters": [8, 8, 8, 8, 8], "discriminator.args.filters": [8, 8], "data.batch_size": 2}
    recipe = Recipe.load("unet_skip").with_values(
        **thin, **{"data.image_size": 32, "pretrain.epochs": 1, "schedule.discriminator_every": 3}
    )
    speeds = measure_speed(recipe, seconds=0.01)
    assert len(speeds) == 2 and all(speed > 0 for speed in speeds)


def test_the_digest_of_a_recipe_leaves_places_of_files_out():
    recipe = recipe_of(named("vivid"))
    elsewhere = recipe.with_values(**{"data.source": "other", "encoder_weights": "there/encoder.npz"})
    assert recipe_digest(recipe) == recipe_digest(elsewhere)
    assert recipe_digest(recipe) != recipe_digest(recipe.with_values(**{"optimizer.learning_rate": 1e-5}))


def test_a_curve_keeps_what_was_validated():
    rows = [{"step": step, "g_total": 1 / step} for step in range(1, 501)]
    for row in rows[49::50]:
        row["val_ab_mae"] = 9.0
    curve = thinned(rows)
    assert len(curve["rows"]) <= 60
    validated = curve["columns"].index("val_ab_mae")
    assert sum(row[validated] is not None for row in curve["rows"]) == 10
    steps = [row[0] for row in curve["rows"]]
    assert steps == sorted(steps) and steps[-1] == 500


# Rows, tables and findings.


def row(name: str, table: str = "images", *, ab_mae: float = 8.0, seed_of_photos: int = 0, own: bool = False) -> dict:
    """A row's file with invented figures over 40 photos; the smaller `ab_mae`, the better in all metrics."""
    competitor = named(name)
    rng = np.random.default_rng(seed_of_photos)
    noise = rng.normal(0, 1, 40)
    noise -= noise.mean()
    good = 8.0 - ab_mae
    values = {
        "psnr": 24 + good + noise,
        "psnr_matched": 22 + good + noise,
        "ssim": 0.9 + 0.01 * good + 0.01 * noise,
        "pixel_accuracy_2": 0.4 + 0.02 * good + 0.01 * noise,
        "pixel_accuracy_5": 0.7 + 0.02 * good + 0.01 * noise,
        "ab_mae": ab_mae + noise,
        "colorfulness": 20 + good + noise,
    }
    figures = {metric: [float(v.mean()), float(v.mean()) - 0.3, float(v.mean()) + 0.3] for metric, v in values.items()}
    figures |= {"delta_colorfulness": [3.0, 2.5, 3.5], "fid": [0.123, None, None], "kid": [0.004, 0.003, 0.005]}
    of_rows = {"system": figures, "grey": figures, "mean colour": figures, "truth": {"colorfulness": [32.0, 31, 33]}}
    if own:
        of_rows["own lightness"] = {name: [value - 5 for value in figures[name]] for name in ("psnr", "ssim")}
    means = {"system": [1.0, 5.0], "own lightness": [-4.0, 5.0], "truth": [1.5, 6.0]}
    photos = {
        "photos": 40,
        "left out": 1,
        "digest": f"photos{seed_of_photos}",
        "matched factor": 1.5,
        "figures": of_rows,
        "minus grey": {"psnr": [good, good - 0.1, good + 0.1], "ab_mae": [-good, -good - 0.1, -good + 0.1]},
        "mean_ab": means,
        "per_photo": {metric: pack(v) for metric, v in values.items()},
    }
    columns = ["step", "g_total", "d_real", "d_fake", "g_adversarial", "val_g_reconstruction", "val_ab_mae"]
    curve = [[step, 9.0, 0.5, 0.5, 1.0, ab_mae / 100 / step, 9.0] for step in (1, 2, 3)]
    return {
        "table": table,
        "competitor": name,
        "system": competitor.system,
        "note": competitor.note,
        "seed": competitor.seed,
        "images": 24_192,
        "steps": 1512,
        "batch_size": 16,
        "image_size": 64,
        "seconds": 600.0,
        "images_per_second": [40.3, 20.1],
        "stopped early": False,
        "parameters": 1,
        "photos": "100 training, 10 validation; left out: 1 grey, 0 broken",
        "recipe": "0" * 16,
        "encoder": "1" * 16,
        "weights": "2" * 16,
        "commit": "3" * 12,
        "versions": {"tensorflow": "2.21.0", "keras": "3.15.1"},
        "machine": "a machine",
        "measured": "2026-11-22T01:02:03",
        "curve": {"columns": columns, "rows": curve},
        "sets": {"world": photos, "historic": photos, "scenes": photos},
    }


def test_values_survive_a_file(tmp_path):
    values = np.random.default_rng(0).uniform(10, 40, 500)
    assert np.abs(unpack(pack(values)) - values).max() < 0.02
    keep_result(tmp_path, row("pix2pix"))
    text = row_file(tmp_path, "pix2pix", "images").read_text("utf-8")
    assert json.loads(text) == row("pix2pix") and max(map(len, text.splitlines())) < 4000
    found = read_results(tmp_path).get("pix2pix")
    assert found.figure("ab_mae").half == pytest.approx(0.3) and found.figure("no such") is None
    assert np.isnan(found.figure("fid").low)
    assert found.values("psnr").shape == (40,) and set(PER_PHOTO) == set(found.data["sets"]["world"]["per_photo"])
    assert found.curve[0]["val_ab_mae"] == 9.0


def test_a_difference_is_paired_and_needs_all_seeds():
    better, worse = row("resnet18_gan", ab_mae=7.0), row("resnet18_gan-random", ab_mae=7.2)
    results = Results(map(Result, (better, worse)))
    difference = results.difference("resnet18_gan", "resnet18_gan-random", "ab_mae")
    # The photos differ by 1 from each other, and the systems by 0.2 on each of them.
    assert difference.figure.value == pytest.approx(-0.2, abs=0.01) and difference.figure.high < -0.15
    assert difference.is_one and difference.verdict == "better"
    swapped = results.difference("resnet18_gan-random", "resnet18_gan", "ab_mae")
    assert swapped.verdict == "worse"

    second = [row("resnet18_gan-seed1", ab_mae=7.5), row("resnet18_gan-random-seed1", ab_mae=7.4)]
    both = Results(map(Result, (better, worse, *second))).difference("resnet18_gan", "resnet18_gan-random", "ab_mae")
    assert both.by_seed == pytest.approx((-0.2, 0.1), abs=0.01)
    assert not both.is_one and both.verdict == "the same"

    other_photos = Results(map(Result, (better, row("resnet18_gan-random", seed_of_photos=1))))
    assert other_photos.difference("resnet18_gan", "resnet18_gan-random", "ab_mae") is None
    assert Results([]).difference("resnet18_gan", "resnet18_gan-random", "ab_mae") is None


def test_tables_say_what_is_not_yet_measured():
    assert tables.league_table(Results([]), "images", names=["cnn"]) == "*Not yet measured.*"
    results = Results(map(Result, (row("pix2pix"), row("resnet18_gan", ab_mae=6.0), row("resnet18_gan-seed1"))))
    text = tables.league_table(results, "images", names=["pix2pix", "resnet18_gan", "cnn"])
    lines = text.splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == [
        "grey", "mean colour", "`pix2pix`", "`resnet18_gan` (pretrained to layer3)",
        "`resnet18_gan` (pretrained to layer3, seed 1)", "`cnn`", "truth",
    ]  # fmt: skip
    assert len({line.count("|") for line in lines}) == 1
    assert "| `cnn` | not yet measured |" in text
    assert "| 26.00 ± 0.30 ↑ |" in lines[5] and "| 6.00 ± 0.30 ↑ |" in lines[5]
    assert "24,192" in lines[4] and "40.3 / 20.1" in lines[4] and "10.0" in lines[4]
    without = tables.league_table(results, "images", "scenes", facts=False).splitlines()
    assert without[0].count("|") == lines[0].count("|") - FACT_COLUMNS
    pairs = tables.pairs_table(results, findings.PAIRS)
    assert "| `gan_lab` − `gan_rgb` | not yet measured |" in pairs
    assert re.search(r"\| `resnet18_gan` − `pix2pix` \| world \| 1 \| \*\*\+2\.00", pairs)


def test_every_finding_speaks_without_rows_and_with_all_of_them():
    none, all_rows = Results([]), []
    for competitor in competitors():
        good = 7.0 if competitor.pretrained else 8.0
        all_rows += [
            row(
                competitor.name,
                table,
                ab_mae=good,
                own=competitor.system in ("cnn", "gan_rgb", "unet_skip", "unet_noskip"),
            )
            for table in competitor.tables
        ]
    everything = Results(map(Result, all_rows))
    for finding in findings.FINDINGS:
        assert finding.here(none).startswith("not yet measured (`")
        assert re.match(r"(yes|no|in part): .*\d", finding.here(everything)), finding.found
        assert finding.report in REPORTS and finding.why
    text = findings.findings_table(everything, "B")
    assert text.count("\n| B | ") == 2
    assert "| B | a backbone pretrained on ImageNet helps | yes: ab MAE 7.00 against 8.00" in text
    drift = next(finding for finding in findings.FINDINGS if finding.found == "RGB drifts to green")
    assert drift.here(everything) == "yes: the mean of a is -4.0 in its own pictures and +1.5 in the photos"
    assert {line.count("|") for line in text.splitlines()} == {5}


# Measuring.


def batch_of(share: float):
    """Eight photos with a share of their own chroma as the prediction."""
    from benchmarks.league.measurement import PredictedBatch
    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
    from keras_colorize.inference.frame import frame_photo

    photos = np.stack([colorful_photo(seed, 32, 32) // 2 + 64 for seed in range(8)])
    chroma = share * np.asarray(rgb_to_lab(rgb_from_u8(photos)))[..., 1:]
    return PredictedBatch(photos, [frame_photo(photo, 32, 16) for photo in photos], list(chroma))


def test_chroma_is_scaled_to_the_photos_own_colorfulness():
    from benchmarks.league.measurement import match_colorfulness

    half = match_colorfulness([batch_of(0.5)])
    assert half.factor == pytest.approx(2.0, rel=0.02) and half.psnr.shape == (8,) and half.psnr.mean() > 40
    strong = match_colorfulness([batch_of(1.6)])
    assert strong.factor == pytest.approx(1 / 1.6, rel=0.02)
    grey = match_colorfulness([batch_of(0.0)])
    assert grey.factor is None and grey.psnr.size == 0


@pytest.mark.slow
def test_the_feature_network_is_resnet_18_of_normalized_photos(tmp_path):
    import keras

    from benchmarks.league.features import SIZE, keep_network, league_network
    from keras_colorize.metrics import feature_network
    from keras_colorize.models.backbones import resnet18
    from keras_colorize.models.encoder import IMAGENET_MEAN, IMAGENET_STD, fold_resnet18

    keras.utils.set_random_seed(0)
    source = resnet18("random", channels=3)
    rng = np.random.default_rng(0)
    for layer in source.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    np.savez(tmp_path / "encoder.npz", **fold_resnet18(source))
    photos = rng.integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    network = league_network(Encoder(tmp_path / "encoder.npz"))
    expected = np.asarray(source(((photos / 255 - IMAGENET_MEAN) / IMAGENET_STD).astype("float32"), training=False)[3])
    expected = expected.mean(axis=(1, 2))
    assert network.features == 256 and "ResNet-18" in network.label
    np.testing.assert_allclose(network(photos), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    keep_network(Encoder(tmp_path / "encoder.npz"), tmp_path / "features.keras")
    np.testing.assert_allclose(feature_network(tmp_path / "features.keras")(photos), network(photos), rtol=1e-5)


# The page.


def test_the_page_is_left_alone_until_there_is_a_row_and_then_written_whole(tmp_path):
    results_page = tmp_path / "zoo" / "RESULTS.md"
    results_page.parent.mkdir()
    results_page.write_text("# Results\n\nWhat was here before.\n", encoding="utf-8")
    assert not page.write_page(Results([]), tmp_path / "out", tmp_path)
    assert results_page.read_text("utf-8") == "# Results\n\nWhat was here before.\n"

    assert page.write_page(Results([Result(row("pix2pix"))]), tmp_path / "out", tmp_path)
    first = results_page.read_text("utf-8")
    assert first.startswith(f"# Results\n\n{page.BEGIN}\n\n## The league\n")
    assert first.endswith(f"{page.END}\n\n{page.EARLIER}\n\nWhat was here before.\n")
    assert "| `pix2pix` | 24." in first and "<!-- league" not in first
    assert "Packaged photos through all systems: not yet measured" in first
    assert (tmp_path / "docs" / "pictures" / "league_b.png").is_file()

    rows = [Result(row("pix2pix")), Result(row("unet_skip", own=True))]
    assert page.write_page(Results(rows), tmp_path / "out", tmp_path)
    second = results_page.read_text("utf-8")
    assert second.count(page.BEGIN) == second.count(page.END) == second.count(page.EARLIER) == 1
    assert second.endswith("What was here before.\n") and "| `unet_skip` |" in second


@pytest.mark.parametrize("file", [*markdown_files(), page.TEMPLATE], ids=lambda file: file.name)
def test_comments_of_pages_can_be_filled_in(file):
    text = file.read_text(encoding="utf-8")
    for results in (Results([]), Results([Result(row("pix2pix")), Result(row("gan_rgb", own=True))])):
        filled = page.fill_in(text, results, str(file.relative_to(ROOT)))
        assert "<!-- league" not in filled


def test_a_comment_that_names_nothing_is_an_error():
    for comment in ("table pictures world", "table images world: pix2pux", "no such", "table"):
        with pytest.raises(ValueError, match=r"(no competitor|docs/a\.md: the league has nothing)"):
            page.fill_in(f"<!-- league {comment} -->", Results([Result(row("pix2pix"))]), "docs/a.md")


def test_a_sheet_has_a_column_for_each_strip(tmp_path):
    from PIL import Image

    from benchmarks.league.pictures import SIDE, TILES, draw_sheet, tiles

    assert tiles().shape == (len(TILES), SIDE, SIDE, 3) and len(TILES) == 12
    strips = {"grey": tmp_path / "grey.png", "pix2pix": tmp_path / "p.png", "cnn": tmp_path / "none.png"}
    assert not draw_sheet(strips, tmp_path / "sheet.jpg")
    for name in ("grey.png", "p.png"):
        Image.fromarray(tiles().reshape(-1, SIDE, 3)).save(tmp_path / name)
    assert draw_sheet(strips, tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width == 2 * SIDE + 4


# The whole, at toy length.

TOY = """
    import sys
    from pathlib import Path

    from benchmarks.league.league import League
    from benchmarks.league.plan import Competitor, Encoder, Scale

    ROOT = Path(sys.argv[1])
    THIN = {
        "generator.args.filters": [8, 8, 8, 8, 8],
        "discriminator.args.filters": [8, 8],
        "data.batch_size": 4,
        "data.validation_fraction": 0.2,
        "runtime.deterministic": True,
    }
    TINY_VIVID = {"generator.args": {"filters": [64, 128, 256], "blocks": [1, 1, 1], "width": 8}, "data.batch_size": 4}
    EVERYONE = [
        Competitor("unet_skip", str(ROOT / "unet_skip.toml"), values=THIN),
        Competitor(
            "vivid", str(ROOT / "vivid.toml"), "pretrained to layer3", True, TINY_VIVID, tables=("images",)
        ),
    ]

    def league(results):
        return League(
            EVERYONE,
            {"one": ROOT / "one", "two": ROOT / "two"},
            {"one": ROOT / "one"},
            Encoder(ROOT / "encoder.npz"),
            ROOT / "out",
            ROOT / results,
            Scale(images=16, minutes=0.1, epochs=2, image_size=32, limit=8, resamples=100, checkpoint_minutes=0.0),
            speed=lambda recipe: [48 / 6.0],
        )
"""


def write_toy(folder: Path) -> None:
    """Write the photos, the recipes and the encoder of a league of two systems."""
    from keras_colorize.models.backbones import resnet18
    from keras_colorize.models.encoder import fold_resnet18
    from tests.conftest import write_photos

    for name in ("one", "two"):
        (folder / name).mkdir()
        for split in ("train", "test"):
            write_photos(folder / name / split)
    np.savez(folder / "encoder.npz", **fold_resnet18(resnet18("random", channels=3)))
    for system in ("unet_skip", "vivid"):
        (folder / f"{system}.toml").write_text(f'extends = "{system}"\nname = "{system}"\n', encoding="utf-8")
    (folder / "toy.py").write_text(textwrap.dedent(TOY), encoding="utf-8")


@pytest.mark.slow
def test_a_league_of_two_is_killed_goes_on_and_writes_its_page(tmp_path, monkeypatch):
    from benchmarks.league import features
    from keras_colorize.evaluation.systems import System
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.metrics import FeatureNetwork
    from keras_colorize.training import loop

    # ResNet-18 has its own test. Here a photo's features are its mean colours in four quarters.
    quarters = FeatureNetwork(
        "quarters", 12, lambda rgb_u8: rgb_u8.reshape(-1, 2, 16, 2, 16, 3).mean((2, 4)).reshape(-1, 12) / 255
    )
    monkeypatch.setattr(features, "league_network", lambda encoder: quarters)
    write_toy(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["toy.py", str(tmp_path)])
    import toy

    league = toy.league("results")
    assert league.missing_speeds() == [each.system for each in toy.EVERYONE]
    for system in league.missing_speeds():
        league.measure_speed(system)
    jobs = {job.name: job for job in league.jobs()}
    assert list(jobs) == ["unet_skip.images", "vivid.images", "unet_skip.time"]
    assert jobs["unet_skip.time"].run == jobs["unet_skip.images"].run
    assert jobs["unet_skip.time"].mark.epochs == 6

    # A process that trains to both marks is killed behind its first checkpoint.
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import toy\n"
        "league = toy.league('results')\n"
        "league.work(next(job for job in league.jobs() if job.name == 'unet_skip.time'))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    ended = time.monotonic() + 240
    while not list((tmp_path / "out" / "runs" / "unet_skip").glob("*/*/checkpoint/step-*")):
        assert process.poll() is None and time.monotonic() < ended
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()

    for job in league.jobs():
        assert league.work(job)
    assert league.jobs() == []
    results = read_results(tmp_path / "results", toy.EVERYONE)
    assert len(results) == 3
    first, longer = results.get("unet_skip", "images"), results.get("unet_skip", "time")
    assert (first.data["images"], longer.data["images"]) == (16, 48)
    assert first.data["weights"] != longer.data["weights"] and first.data["recipe"] != longer.data["recipe"]
    assert longer.data["seconds"] > first.data["seconds"] > 0
    for result in results:
        assert result.sets == ["one"]
        counts = result.data["sets"]["one"]
        assert counts["photos"] + counts["left out"] == 8 and counts["left out"] == 1
        figure = result.figure("ab_mae", "one")
        assert figure.low <= figure.value <= figure.high
        assert result.figure("fid", "one").value > 0 and result.figure("kid", "one") is not None
        if result.data["sets"]["one"]["matched factor"] is not None:
            assert result.values("psnr_matched", "one").shape == (7,)
        assert next(point["step"] for point in result.curve if "val_ab_mae" in point) == 0
    assert results.get("vivid", "images").data["note"] == "pretrained to layer3"
    notes = next((tmp_path / "out" / "runs").glob("vivid-images/*/*/run.log")).read_text("utf-8")
    assert "starts from: encoder.npz (SHA-256 not checked) (the encoder to layer3)" in notes

    # The run that was killed, measured on its way and continued, is the run that went through.
    run = jobs["unet_skip.time"].run
    through = loop.start(run.recipe.with_values(**{"schedule.epochs": 6}), tmp_path / "undisturbed")
    assert System("", Colorizer.from_run(through.path)).digest() == longer.data["weights"]

    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "RESULTS.md").write_text("# Results\n", encoding="utf-8")
    monkeypatch.setattr(page, "TEMPLATE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("## The league\n\n<!-- league table images one -->\n\n<!-- league facts -->\n")
    assert page.write_page(results, tmp_path / "out", tmp_path)
    text = (tmp_path / "zoo" / "RESULTS.md").read_text("utf-8")
    assert f"| `{toy.EVERYONE[1].system}` (pretrained to layer3) | " in text
    assert "Rows of the same images: 2 of 2 measured." in text
    assert (tmp_path / "docs" / "pictures" / page.SHEET).is_file()
