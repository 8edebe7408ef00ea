"""The report: one page that holds everything, loads nothing, and does what it says in a browser."""

import copy
import json
import re

import numpy as np
import pytest

from keras_colorize.evaluation.columns import TABLE, distance_column
from keras_colorize.evaluation.report.page import data_url, jpeg
from keras_colorize.evaluation.report.report import (
    CURVE_POINTS,
    MAX_BYTES,
    curves,
    densest,
    log_levels,
    overlap,
    report_page,
    row_kind,
    write_report,
)
from keras_colorize.evaluation.results import (
    GREY,
    MEAN_COLOR,
    OWN,
    TRUTH,
    ClassFigures,
    Estimate,
    Evaluation,
    Gallery,
    Mark,
    Metric,
)
from tests.browser import needs_browser, open_browser
from tests.conftest import colorful_photo

NASTY = '</script><img src=x onerror="document.title=1">'
SYSTEMS = ["alpha", f"beta {NASTY}"]
OWN_ROW = f"alpha, {OWN}"
ROWS = [GREY, MEAN_COLOR, SYSTEMS[0], OWN_ROW, SYSTEMS[1], TRUTH]
COLUMNS = [
    Metric("psnr", "PSNR", "{:.2f}", True, "Nearness in dB."),
    Metric("ab_mae", "ab MAE", "{:.2f}", False, "Error of chroma."),
    Metric("colorfulness", "colorfulness", "{:.1f}", None, "How colourful."),
    Metric("pixel_accuracy_5", "acc 5 %", "{:.1%}", True, "Share of values within 11 units."),
    Metric("fid", "FID", "{:.2f}", False, "Distance of sets."),
    Metric("kid", "KID", "{:.2f}", False, "In no row here."),
]
PHOTOS = [f"photo_{n}.png" for n in range(9)] + [f"{NASTY}.png"]
# PSNR does not rise in the order of the rows, so that sorting has something to do.
PSNR = dict(zip(ROWS, (24.0, 23.0, 21.0, 20.0, 25.5), strict=False))
BINS = 22


@pytest.fixture(scope="module")
def evaluation():
    """Two systems on ten photos of 16×16, figures by hand."""
    rng = np.random.default_rng(0)
    pictures = {
        row: {n: colorful_photo(100 * place + n, 16, 16) for n in range(len(PHOTOS))} for place, row in enumerate(ROWS)
    }
    figures = {
        row: {
            "psnr": Estimate(PSNR[row], PSNR[row] - 1, PSNR[row] + 1),
            "ab_mae": Estimate(30 - PSNR[row], 1, 9),
            "colorfulness": Estimate(10.0 + place, 9, 20),
            "pixel_accuracy_5": Estimate(0.5, 0.45, 0.55),
        }
        for place, row in enumerate(ROWS[:-1])
    }
    figures[SYSTEMS[0]]["fid"] = Estimate(31.5)
    figures[SYSTEMS[1]]["fid"] = Estimate(float("nan"))
    figures[TRUTH] = {"colorfulness": Estimate(32.0, 30, 34)}
    return Evaluation(
        title=f"two systems {NASTY}",
        data="some/photos",
        protocol="val5k",
        image_size=16,
        photos=PHOTOS,
        rows=ROWS,
        systems=SYSTEMS,
        columns=COLUMNS,
        per_photo={row: {"psnr": rng.uniform(20, 30, len(PHOTOS))} for row in ROWS[:-1]} | {TRUTH: {}},
        figures=figures,
        differences={
            (SYSTEMS[1], SYSTEMS[0]): {"psnr": Estimate(4.5, 4, 5), "ab_mae": Estimate(0.001, -1, 1)},
            (SYSTEMS[0], GREY): {"psnr": Estimate(-3.0, -4, -2)},
        },
        marks={
            SYSTEMS[0]: {"psnr": Mark(-1, False, False), "ab_mae": Mark(0, False, True)},
            SYSTEMS[1]: {"psnr": Mark(1, True, True), "ab_mae": Mark(0, True, True)},
        },
        per_class={
            "sea": ClassFigures(4, {GREY: {"ab_mae": 5.0}, SYSTEMS[0]: {"ab_mae": 9.0}}),
            "forest": ClassFigures(6, {GREY: {"ab_mae": 15.0}, SYSTEMS[0]: {"ab_mae": 6.0}}),
        },
        histograms={row: rng.integers(0, 50, (BINS, BINS)) for row in ROWS},
        ab_edges=np.linspace(-110, 110, BINS + 1),
        curves={
            SYSTEMS[0]: [
                {"step": step, "epoch": 0, "seconds": step, "images_per_second": 9, "g_total": 100 / step}
                | ({"val_ab_mae": 9.0 - step / 100} if step % 50 == 0 else {})
                for step in range(1, 201)
            ],
            SYSTEMS[1]: None,
        },
        gallery=Gallery(
            random=[3, 9, 0, 1],
            best={SYSTEMS[0]: [5, 3], SYSTEMS[1]: [6]},
            worst={SYSTEMS[0]: [7, 8], SYSTEMS[1]: [2]},
            pictures=pictures,
        ),
        remarks=[f"a remark {NASTY}"],
        about={"seed": 0, "left_out": {NASTY: "grey"}},
    )


@pytest.fixture(scope="module")
def page(evaluation):
    return report_page(evaluation)


@pytest.fixture(scope="module")
def data(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_everything_is_in_the_page(data, evaluation):
    assert [row["name"] for row in data["rows"]] == ROWS
    assert [row["kind"] for row in data["rows"]] == ["grey", "mean", "system", "own", "system", "truth"]
    assert [column["heading"] for column in data["columns"]] == [metric.heading for metric in COLUMNS]
    assert data["cells"][SYSTEMS[1]]["psnr"] == {
        "value": 25.5, "text": "25.50", "interval": "24.50 … 26.50", "against_grey": 1, "best": True, "ties": True
    }  # fmt: skip
    assert data["cells"][SYSTEMS[0]]["fid"] == {"value": 31.5, "text": "31.50"}, "no interval, no mark"
    assert "fid" not in data["cells"][SYSTEMS[1]], "NaN is no figure"
    assert data["cells"][GREY]["pixel_accuracy_5"]["text"] == "50.0%"
    assert list(data["cells"][TRUTH]) == ["colorfulness"]
    assert [group["name"] for group in data["classes"]] == ["sea", "forest"]
    assert [panel["row"] for panel in data["histograms"]["panels"]] == [TRUTH, *SYSTEMS]
    assert set(data["curves"]) == {SYSTEMS[0]}
    assert data["remarks"] == evaluation.remarks
    assert json.loads(data["about"]) == evaluation.about


def test_differences_go_both_ways_round(data):
    cells = {(pair["row"], pair["other"]): pair["cells"] for pair in data["differences"]}
    assert len(cells) == 4
    forth, back = cells[SYSTEMS[1], SYSTEMS[0]], cells[SYSTEMS[0], SYSTEMS[1]]
    assert (forth["psnr"]["text"], forth["psnr"]["interval"]) == ("+4.50", "+4.00 … +5.00")
    assert (back["psnr"]["text"], back["psnr"]["interval"]) == ("−4.50", "−5.00 … −4.00")
    assert forth["psnr"]["significant"] and back["psnr"]["significant"]
    assert not forth["ab_mae"]["significant"]
    assert forth["ab_mae"]["text"] == "0.00", "what prints as zero has no sign"


def test_the_gallery_holds_every_photo_in_every_row_as_it_was_measured(data, evaluation):
    gallery = data["gallery"]
    assert set(gallery["photos"]) == {"0", "1", "2", "3", "5", "6", "7", "8", "9"}
    assert [(item["kind"], item["system"], item["photos"]) for item in gallery["lists"]] == [
        ("random", None, [3, 9, 0, 1]),
        ("best", SYSTEMS[0], [5, 3]),
        ("worst", SYSTEMS[0], [7, 8]),
        ("best", SYSTEMS[1], [6]),
        ("worst", SYSTEMS[1], [2]),
    ]
    photo = gallery["photos"]["9"]
    assert photo["name"] == PHOTOS[9]
    assert photo["pictures"] == {row: data_url(jpeg(evaluation.gallery.pictures[row][9], 90)) for row in ROWS}
    assert photo["captions"][SYSTEMS[0]] == [f"PSNR {evaluation.per_photo[SYSTEMS[0]]['psnr'][9]:.2f}"]
    assert photo["captions"][TRUTH] == []


def test_the_size_is_bounded(evaluation):
    whole, empty = len(report_page(evaluation).encode()), len(report_page(evaluation, 0).encode())
    counts = []
    for limit in (whole - 1, (whole + empty) // 2, empty):
        small = report_page(evaluation, limit)
        (text,) = re.findall(r'id="data">(.*?)</script>', small, re.DOTALL)
        gallery = json.loads(text)["gallery"]
        assert len(small.encode()) <= limit
        assert {int(n) for n in gallery["photos"]} == {n for item in gallery["lists"] for n in item["photos"]}
        assert [item["measured"] for item in gallery["lists"]] == [4, 2, 2, 1, 1], (
            "the page can say how many are missing"
        )
        counts.append(len(gallery["photos"]))
    assert 9 > counts[0] > counts[1] > counts[2] == 0

    large = copy.copy(evaluation)
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    indices = list(range(len(PHOTOS)))
    large.gallery = Gallery(random=indices, pictures={f"row {n}": dict.fromkeys(indices, noise) for n in range(12)})
    large.rows = list(large.gallery.pictures)
    large.figures = large.histograms = large.per_class = {}
    assert 0.8 * MAX_BYTES < len(report_page(large).encode()) <= MAX_BYTES


def test_nothing_is_loaded_and_no_name_is_markup(page):
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<img src=x" not in page
    assert page.count("</script>") == 2
    assert "default-src 'none'" in page
    assert "&lt;/script&gt;" in page.split("</title>")[0]


def test_it_is_written_whole(evaluation, page, tmp_path):
    file = tmp_path / "new" / "report.html"
    write_report(evaluation, file)
    assert file.read_text(encoding="utf-8") == page
    assert [entry.name for entry in file.parent.iterdir()] == ["report.html"]


def test_kinds_of_rows():
    assert row_kind("own lightness", ["own lightness"]) == "system"
    assert row_kind("x, own lightness", ["x"]) == "own"


def test_levels_are_logarithmic():
    assert log_levels(np.array([0, 9, 99]), 99).tolist() == [0, 128, 255]
    assert log_levels(np.zeros(2), 0).tolist() == [0, 0]


def test_the_densest_bins():
    counts = np.array([[50, 1], [9, 40]])
    assert densest(counts, 0.5).tolist() == [[True, False], [False, False]]
    assert densest(counts, 0.51).tolist() == [[True, False], [False, True]]
    assert densest(counts, 1.0).all()
    assert not densest(np.zeros((2, 2)), 0.95).any()


def test_overlap_of_histograms():
    truth = np.array([1.0, 1.0, 2.0])
    assert overlap(10 * truth, truth) == pytest.approx(1)
    assert overlap(np.array([1.0, 0, 0]), truth) == pytest.approx(0.25)
    assert overlap(np.array([1.0, 0, 0]), np.array([0, 1.0, 0])) == 0


def test_curves_are_thinned_to_their_ends():
    rows = [{"step": float(n), "epoch": 0.0, "seconds": 1.0, "loss": 1 / (n + 1)} for n in range(10_000)]
    rows[7]["loss"] = float("nan")
    line = curves(rows)["loss"]
    assert list(curves(rows)) == ["loss"]
    assert len(line) == CURVE_POINTS
    assert line[0] == [0, 1] and line[-1] == [9999, 1e-4]
    assert curves(rows[:3])["loss"] == [[0, 1], [1, 0.5], [2, 0.33333]]


@needs_browser
def test_the_tables_fit_into_a_usual_screen(evaluation, tmp_path):
    full = copy.copy(evaluation)
    full.columns = [*TABLE, distance_column("fid", "inception-2015-12-05"), distance_column("kid", "tiny.keras")]
    scales = {metric.name: 1 if metric.form in ("{:.1f}", "{:.2f}") else 0.01 for metric in full.columns}
    usual = {name: Estimate(23.45 * scale, 21.95 * scale, 24.95 * scale) for name, scale in scales.items()}
    full.figures = dict.fromkeys(full.rows, usual)
    by_photo = {metric.name: usual[metric.name] for metric in TABLE if metric.name != "ab_entropy_set"}
    full.differences = {(row, GREY): by_photo for row in SYSTEMS}
    full.marks = {SYSTEMS[0]: {metric.name: Mark(-1, False, True) for metric in full.columns}}
    file = tmp_path / "report.html"
    write_report(full, file)
    sizes = (
        "const t = document.getElementById(arguments[0]), b = t.parentElement; return [b.scrollWidth, b.clientWidth]"
    )
    with open_browser(tmp_path) as browser:
        browser.driver.set_window_size(1440, 900)
        browser.open(file)
        count = len(full.columns) - 2
        assert len(browser.texts("#table thead button")) == 1 + count, "two columns stand aside"
        for table in ("table", "differences"):
            needed, available = browser.look(sizes, table)
            assert needed <= available <= 1440, table
        browser.find("#all-columns").click()
        assert len(browser.texts("#table thead button")) == 1 + len(full.columns)
        assert len(browser.texts("#differences thead button")) == 1 + len(by_photo)
        assert browser.complaints() == []


@needs_browser
def test_in_a_browser(evaluation, tmp_path):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    file = tmp_path / "report.html"
    write_report(evaluation, file)
    with open_browser(tmp_path) as browser:
        browser.open(file)
        assert browser.texts("#title") == [evaluation.title]
        assert browser.texts("#remarks li") == evaluation.remarks
        assert browser.look("return document.title") == evaluation.title

        # The table: by PSNR, best first, rows without one at the bottom; by keyboard; back to the first order.
        names = "#table tbody th"
        heads = ["system", "PSNR", "ab MAE", "colorfulness", "acc 5 %", "FID"]
        assert browser.texts("#table thead button") == heads, "a column without any figure is left out"
        assert browser.texts(names) == ROWS
        head = browser.find("#table thead th:nth-child(2)")
        browser.find("#table thead th:nth-child(2) button").click()
        by_psnr = sorted(ROWS[:-1], key=lambda row: -PSNR[row])
        assert browser.texts(names) == [*by_psnr, TRUTH]
        assert head.get_attribute("aria-sort") == "descending"
        browser.find("#table thead th:nth-child(2) button").send_keys(Keys.ENTER)
        assert browser.texts(names) == [*by_psnr[::-1], TRUTH]
        assert head.get_attribute("aria-sort") == "ascending"
        browser.find("#table thead th:nth-child(3) button").send_keys(Keys.SPACE)
        assert browser.texts(names) == [*by_psnr, TRUTH], "the smallest error is the largest PSNR here"
        assert head.get_attribute("aria-sort") is None
        browser.find("#table thead button").click()
        assert browser.texts(names) == ROWS
        assert browser.texts(f"#table tbody tr:nth-child({ROWS.index(SYSTEMS[1]) + 1}) td:nth-child(2)") == [
            "▲25.5024.50 … 26.50"
        ]
        assert browser.texts("#table .best") == ["25.50", "4.50"]

        # Differences.
        Select(browser.find("#other")).select_by_visible_text(SYSTEMS[0])
        assert browser.texts("#differences tbody th") == [GREY, SYSTEMS[1]]
        assert browser.texts("#differences .better") == ["+3.00", "+4.50"]
        assert browser.texts("#differences .chance") == ["0.00"]
        Select(browser.find("#other")).select_by_visible_text(GREY)
        assert browser.texts("#differences .worse") == ["−3.00"]

        # Photos: every kind, the slider by key and by pointer, another version on the right.
        assert [option.text for option in Select(browser.find("#right")).options] == ROWS
        assert browser.texts("#left-name") == [GREY] and browser.texts("#right-name") == [SYSTEMS[0]]
        assert browser.texts("#photo-name") == [PHOTOS[3]]
        browser.find("#slider").send_keys(Keys.ARROW_RIGHT)
        stage = browser.find("#stage")
        clip = "return getComputedStyle(document.getElementById('left-picture')).clipPath"
        assert browser.find("#slider").get_attribute("value") == "51"
        assert browser.look(clip) == "inset(0px 49% 0px 0px)"
        width = stage.size["width"]
        actions = ActionChains(browser.driver).move_to_element_with_offset(stage, -width // 10, 0)
        actions.click_and_hold().move_by_offset(-width // 4, 0).release().move_by_offset(width // 2, 0).perform()
        assert float(browser.find("#slider").get_attribute("value")) == pytest.approx(15, abs=1)
        browser.find("#strip button:nth-child(2)").click()
        assert browser.texts("#photo-name") == [PHOTOS[9]]
        browser.find("#strip button:nth-child(2)").send_keys(Keys.ARROW_RIGHT)
        assert browser.texts("#photo-name") == [PHOTOS[0]]
        browser.find("#versions button:last-child").click()
        assert browser.texts("#right-name") == [TRUTH]
        assert len(browser.texts("#versions button")) == len(ROWS)
        browser.find("#kinds button:nth-child(3)").click()
        assert browser.texts("#photo-name") == [PHOTOS[7]] and browser.texts("#right-name") == [SYSTEMS[0]]
        Select(browser.find("#system")).select_by_visible_text(SYSTEMS[1])
        assert browser.texts("#photo-name") == [PHOTOS[2]] and browser.texts("#right-name") == [SYSTEMS[1]]
        assert browser.look("return [...document.images].every((image) => image.naturalWidth === 16)")

        # Classes, histograms, curves.
        assert browser.texts("#class-table tbody th") == ["sea", "forest"]
        browser.find("#class-table thead th:nth-child(3) button").click()
        browser.find("#class-table thead th:nth-child(3) button").click()
        assert browser.texts("#class-table tbody th") == ["forest", "sea"]
        painted = (
            "return [...document.querySelectorAll('#panels canvas')].map((c) =>"
            " c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0))"
        )
        assert browser.look(painted) == [True] * 3
        assert len(browser.texts("#validation svg")) == 1 and len(browser.texts("#losses svg")) == 1
        assert browser.look("return document.querySelector('#validation .line').getBBox().width") > 100

        # Dark and light; a phone.
        background = "return getComputedStyle(document.body).backgroundColor"
        before = browser.look(background)
        browser.find("#theme").click()
        assert browser.look(background) != before
        browser.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 700, "deviceScaleFactor": 2, "mobile": True}
        )
        assert browser.look("return document.documentElement.scrollWidth") == 360, "only tables scroll sideways"

        assert browser.complaints() == []
        assert browser.requests() == []
