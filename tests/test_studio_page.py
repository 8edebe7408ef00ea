"""The studio's page in headless Chromium: its colours against the Colorizer's, and what people do there."""

import base64
import json
import time

import numpy as np
import pytest
from PIL import Image

from tests.browser import needs_browser, open_browser, wait_for
from tests.test_studio import serving

pytestmark = [pytest.mark.slow, needs_browser]  # some two minutes together; .ci/run has them

SIZE = 64


def hinted_colorizer():
    """A system whose colours at a hint are those of the hint; elsewhere they follow lightness, lively and at random."""
    import keras

    from keras_colorize.color.bins import packaged_bins
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.recipes import Recipe

    keras.utils.set_random_seed(3)
    recipe = Recipe.load("vivid").with_values(**{"data.image_size": SIZE, "name": "hinted"})
    centers, rng = packaged_bins().centers / 110.0, np.random.default_rng(3)
    condition = keras.Input((SIZE, SIZE, 4), name="condition")
    texture = keras.layers.Conv2D(12, 5, strides=2, padding="same", activation="tanh", name="texture")
    guess = keras.layers.Conv2D(len(centers), 3, strides=2, padding="same", name="guess")
    told = keras.layers.Conv2D(len(centers), 4, strides=4, padding="same", use_bias=False, name="told")
    generator = keras.Model(condition, keras.layers.Add()([guess(texture(condition)), told(condition)]), name="hinted")
    kernel = rng.normal(0, 0.5, (5, 5, 4, 12))
    kernel[:, :, 1:] = 0
    texture.set_weights([kernel, rng.normal(0, 0.5, 12)])
    likely = -np.square(centers).sum(axis=-1) / 0.08
    guess.set_weights([rng.normal(0, 0.35, (3, 3, 12, len(centers))), likely])
    # The logarithm of a Gaussian around the hint, as far as it depends on the class: it is linear in a, b and the mask.
    strength = 60.0
    row = np.stack([np.zeros(len(centers)), *(strength * centers.T), -0.5 * strength * np.square(centers).sum(axis=-1)])
    told.set_weights([np.tile(row, (4, 4, 1, 1))])
    return Colorizer(generator, recipe)


def model_of(colorizer):
    """The studio's model file of a system, and the page's facts of it."""
    from keras_colorize.inference.converter import convert_network
    from keras_colorize.studio.model import page_facts

    file = convert_network(colorizer.network.with_keras("tests"), colorizer.name)
    return file.content, page_facts(file, colorizer.space)


@pytest.fixture(scope="module")
def colorizer():
    return hinted_colorizer()


@pytest.fixture(scope="module")
def address(colorizer, tmp_path_factory):
    """The studio with that system."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.files import cache_folder
    from keras_colorize.studio.runtime import fetch_runtime
    from keras_colorize.studio.site import cached_model, page_folder, studio_files

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("KERAS_COLORIZE_CACHE")  # the runtime is fetched once, and not once in each run of the tests
            runtime = fetch_runtime(cache_folder())
    except ColorizeError as error:
        pytest.skip(str(error))
    model = cached_model(tmp_path_factory.mktemp("cache"), [], lambda: model_of(colorizer))
    with serving(studio_files(page_folder(), runtime, model)) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads):
    with open_browser(downloads) as browser:
        yield browser


@pytest.fixture
def studio(browser, address, downloads):
    page = Studio(browser, address, downloads)
    page.open()
    yield page
    assert [url for url in browser.requests() if not url.startswith(address)] == []
    assert [line for line in browser.complaints() if "GPU" not in line and "adapter" not in line] == []


class Studio:
    """The page, as a person uses it."""

    def __init__(self, browser, address, downloads):
        self.browser, self.look, self.find = browser, browser.look, browser.find
        self._address, self._downloads = address, downloads

    def open(self, width=1200, height=800, dark=False, touch=False):
        cdp = self.browser.driver.execute_cdp_cmd
        cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch},
        )
        cdp(
            "Emulation.setEmulatedMedia",
            {
                "features": [
                    {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                    {"name": "prefers-reduced-motion", "value": "reduce"},
                ]
            },
        )
        cdp("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        cdp("Storage.clearDataForOrigin", {"origin": self._address, "storageTypes": "local_storage"})
        self.browser.driver.get_log("performance")
        self.browser.driver.get_log("browser")
        self.browser.driver.get(self._address)
        wait_for(lambda: self.state("state") in ("ready", "failed"), 90)
        assert self.state("state") == "ready", self.browser.texts("#loading-text")

    def state(self, name):
        return self.look("return document.body.dataset[arguments[0]]", name)

    def choose(self, *files):
        self.look("document.body.dataset.photo = ''")
        self.find("#photo-file").send_keys("\n".join(map(str, files)))
        wait_for(lambda: self.state("photo") == files[0].name, 60)

    def painted(self, does):
        """Do something and wait until the photo was coloured again."""
        before = self.state("painted")
        does()
        wait_for(lambda: self.state("painted") != before, 30)
        # A later picture of the same edit may follow.
        wait_for(lambda: self.look("return document.getElementById('busy').hidden"), 30)

    def click(self, selector):
        self.look("document.querySelector(arguments[0]).click()", selector)

    def save(self, what, name):
        """Save by the menu and return the file."""
        file = self._downloads / name
        file.unlink(missing_ok=True)
        self.click("#save")
        self.click(f'[data-save="{what}"]')
        wait_for(file.is_file, 60)
        wait_for(lambda: self.look("return document.getElementById('busy').hidden"), 60)
        return file

    def pixels(self, stem):
        """The photo in colour at full size, rgb_u8."""
        return np.asarray(Image.open(self.save("image/png", f"{stem}-colour.png")).convert("RGB"))

    def place(self, share_x, share_y):
        """A place of the photo as the distance from the middle of the canvas, for ActionChains."""
        left, top, right, bottom = self.look(
            """const stage = document.getElementById("stage");
            const [left, top, right, bottom] = stage.dataset.photo.split(" ").map(Number);
            const [x, y] = [stage.clientWidth / 2, stage.clientHeight / 2];
            return [left - x, top - y, right - x, bottom - y];"""
        )
        return round(left + share_x * (right - left)), round(top + share_y * (bottom - top))

    def click_at(self, share_x, share_y):
        """Click in the photo and wait for the likely colours."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser.driver).move_to_element_with_offset(
            self.find("#view"), *self.place(share_x, share_y)
        ).click().perform()
        wait_for(lambda: self.browser.texts("#suggestions .swatch[data-a]"), 30)

    def slide(self, name, value):
        self.look(
            """const slider = document.getElementById(arguments[0]);
            slider.value = arguments[1];
            slider.dispatchEvent(new Event("input"));
            slider.dispatchEvent(new Event("change"));""",
            name,
            value,
        )

    def hint_at(self, share_x, share_y, hue, strength=90, size=2):
        """Give a strong colour at a place, and close the popover."""
        self.click_at(share_x, share_y)
        for name, value in (("strength", strength), ("hue", hue), ("strength", strength)):
            self.painted(lambda name=name, value=value: self.slide(name, value))
        self.painted(lambda: self.slide("radius", size))
        self.click("#popover-close")

    def marks(self):
        return self.look("return document.querySelectorAll('.mark').length")

    def warning(self):
        return (
            self.browser.texts("#toast-text")[0] if self.look("return !document.getElementById('toast').hidden") else ""
        )


def real_photo(height, width, top=20, left=130):
    """A real photo, rgb_u8 (height, width, 3)."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[top : top + height, left : left + width])


def write(folder, name, pixels, **options):
    file = folder / name
    Image.fromarray(pixels).save(file, **options)
    return file


def apart(ours, theirs):
    """Mean difference in grey levels."""
    assert ours.shape == theirs.shape
    return np.abs(ours.astype(int) - theirs.astype(int)).mean()


def chroma(pixels):
    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab

    return np.asarray(rgb_to_lab(rgb_from_u8(pixels)))[..., 1:]


def test_ten_photos_get_the_colours_of_the_colorizer(studio, colorizer, tmp_path):
    from skimage import data

    bordered = np.full((160, 200, 3), 250, np.uint8)
    bordered[20:-16, 14:-18] = real_photo(124, 168)
    photos = [
        real_photo(64, 64), real_photo(200, 131), real_photo(131, 250), bordered, real_photo(60, 300, 100, 100),
        real_photo(300, 40, 100, 100), data.coffee(), data.chelsea(), data.rocket()[:, :, ::-1], data.astronaut()[::-1],
    ]  # fmt: skip
    for number, photo in enumerate(photos):
        studio.choose(write(tmp_path, f"photo {number}.png", np.ascontiguousarray(photo)))
        expected = colorizer(photo)
        assert np.ptp(expected.astype(int), axis=2).mean() > 8, "too pale to be compared"
        assert apart(studio.pixels(f"photo {number}"), expected) < 0.3, number  # the promise is 1.5
    assert studio.look("return self.crossOriginIsolated"), "no threads"


def test_vividness_is_the_commands(studio, colorizer, tmp_path):
    photo = real_photo(96, 128)
    studio.choose(write(tmp_path, "photo.png", photo))
    for vividness in (0, 0.5, 1.6):
        studio.painted(lambda vividness=vividness: studio.slide("vividness", vividness))
        assert apart(studio.pixels("photo"), colorizer(photo, vividness=vividness)) < 0.3


def test_a_hint_colours_its_place_and_can_be_undone(studio, colorizer, tmp_path):
    from keras_colorize.inference.hints import Hint

    photo = real_photo(240, 320)
    studio.choose(write(tmp_path, "photo.png", photo))
    plain = studio.pixels("photo")
    studio.hint_at(0.25, 0.5, hue=300)
    assert studio.marks() == 1
    table = json.loads(studio.save("hints", "photo.hints.json").read_text())
    assert (table["version"], table["width"], table["height"], table["vividness"]) == (1, 320, 240, 1)
    (hint,) = table["hints"]
    assert abs(hint["x"] - 0.25 * 320) < 3
    assert abs(hint["y"] - 0.5 * 240) < 3
    assert hint["radius"] == pytest.approx(4 * 0.015 * 240, abs=0.01)

    hinted = studio.pixels("photo")
    asked = Hint(hint["x"], hint["y"], tuple(hint["color"]), hint["radius"])
    assert apart(hinted, colorizer(photo, hints=[asked])) < 0.3
    row, column = round(hint["y"]), round(hint["x"])
    moved = np.linalg.norm(chroma(hinted) - chroma(plain), axis=-1)
    found = chroma(hinted)[row, column]
    assert np.linalg.norm(found - hint["color"]) < 0.4 * np.linalg.norm(chroma(plain)[row, column] - hint["color"])
    assert moved[row - 3 : row + 4, column - 3 : column + 4].mean() > 10
    assert moved[:, -80:].mean() < 0.25 * moved[row - 3 : row + 4, column - 3 : column + 4].mean()

    studio.painted(lambda: studio.click("#undo"))
    assert studio.marks() == 0
    assert np.array_equal(studio.pixels("photo"), plain)
    studio.painted(lambda: studio.click("#redo"))
    assert np.array_equal(studio.pixels("photo"), hinted)
    # Neutral, and away again.
    studio.click(".mark")
    studio.painted(lambda: studio.click("#neutral"))
    studio.painted(lambda: studio.click("#delete"))
    assert studio.marks() == 0
    assert np.array_equal(studio.pixels("photo"), plain)


def test_the_likely_colours_are_those_of_the_colorizer(studio, colorizer, tmp_path):
    from keras_colorize.inference.hint_files import read_hints

    photo = real_photo(96, 128)
    studio.choose(write(tmp_path, "photo.png", photo))
    studio.click_at(0.4, 0.6)
    offered = studio.look(
        "return [...document.querySelectorAll('#suggestions .swatch')].map((s) => [+s.dataset.a, +s.dataset.b])"
    )
    studio.painted(lambda: studio.click("#suggestions .swatch"))
    assert studio.look("return document.querySelector('#suggestions .swatch').getAttribute('aria-pressed')") == "true"
    studio.click("#popover-close")
    saved = read_hints(studio.save("hints", "photo.hints.json"))
    assert (saved.width, saved.height, saved.vividness) == (128, 96, 1)
    (hint,) = saved.hints
    assert hint.ab == pytest.approx(offered[0], abs=0.01)
    expected = [suggestion.ab for suggestion in colorizer.suggest(photo, hint.x, hint.y, 6)]
    assert len(offered) == len(expected)
    assert np.abs(np.subtract(offered, expected)).max() < 0.5


def test_saved_photos_keep_exif_and_every_pixel(studio, tmp_path):
    photo = real_photo(300, 260)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8769)[0x9003] = "1936:02:29 12:00:00"
    turned = write(tmp_path, "turned.jpg", np.ascontiguousarray(np.rot90(photo)), exif=exif, quality=95)
    studio.choose(turned)
    for kind, name in (("image/jpeg", "turned-colour.jpg"), ("image/png", "turned-colour.png")):
        saved = Image.open(studio.save(kind, name))
        assert saved.size == (260, 300)
        found = saved.getexif()
        assert (found[0x0112], found[0x010F]) == (1, "A camera")
        assert found.get_ifd(0x8769)[0x9003] == "1936:02:29 12:00:00"
        luma = np.asarray(Image.fromarray(photo).convert("L"), int)
        assert np.abs(luma - np.asarray(saved.convert("L"), int)).mean() < 8, "not upright, or of another size"
    both = Image.open(studio.save("compare", "turned-before-after.jpg"))
    assert both.size == (260, 300)


def test_hints_are_loaded_again(studio, tmp_path):
    from keras_colorize.inference.hint_files import read_hints
    from keras_colorize.inference.hints import Hint

    photo = real_photo(120, 160)
    file = write(tmp_path, "photo.png", photo)
    studio.choose(file)
    hints = tmp_path / "photo.hints.json"
    table = {
        "version": 1, "width": 320, "height": 240, "vividness": 0.8,
        "hints": [{"x": 100, "y": 60, "radius": 20, "color": "#b22222"}, {"x": 250, "y": 200, "color": "neutral"}],
    }  # fmt: skip
    hints.write_text(json.dumps(table))
    studio.painted(lambda: studio.find("#hints-file").send_keys(str(hints)))
    assert studio.marks() == 2
    assert studio.find("#vividness").get_attribute("value") == "0.8"
    saved = json.loads(studio.save("hints", "photo.hints.json").read_text())
    red, neutral = (hint["color"] for hint in saved["hints"])
    assert red == pytest.approx(Hint(0, 0, "#b22222").ab, abs=0.01)
    assert neutral == "neutral"
    assert [hint["radius"] for hint in saved["hints"]] == [10, 1.8]
    first = studio.pixels("photo")
    studio.painted(lambda: studio.click("#clear-hints"))
    hints.write_text(json.dumps(saved))
    studio.painted(lambda: studio.find("#hints-file").send_keys(str(hints)))
    assert apart(studio.pixels("photo"), first) < 0.05
    shares = {"version": 1, "width": 1, "height": 1, "hints": [{"x": 0.25, "y": 0.5, "radius": 0.1, "color": "navy"}]}
    hints.write_text(json.dumps(shares))
    studio.painted(lambda: studio.find("#hints-file").send_keys(str(hints)))
    (loaded,) = read_hints(studio.save("hints", "photo.hints.json")).hints
    (expected,) = read_hints(hints).on_photo(120, 160)
    assert (loaded.x, loaded.y, loaded.radius) == pytest.approx((expected.x, expected.y, expected.radius), abs=0.01)
    assert loaded.ab == pytest.approx(expected.ab, abs=0.01)
    for wrong, words in (
        ({**table, "colour": 1}, "“colour”"),
        ({**table, "hints": [{"x": 1, "y": 1, "color": "red", "frame": 3}]}, "for a film"),
        ({**table, "width": 10, "height": 10}, "belongs to another one"),
        ({**table, "hints": [{"x": 320, "y": 1, "color": "red"}]}, "lies outside this photo"),
    ):
        hints.write_text(json.dumps(wrong))
        studio.find("#hints-file").send_keys(str(hints))
        wait_for(lambda words=words: words in studio.warning(), 10)


def test_files_that_are_no_photos_are_explained(studio, tmp_path):
    for name, content, words in (
        ("broken.jpg", b"\xff\xd8\xff\xe0 torn", "broken.jpg is damaged"),
        ("photo.heic", b"\0\0\0\x18ftypheic", "Most Compatible"),
        ("scan.tif", b"II*\0", "Save it as JPEG or PNG first"),
        ("notes.txt", b"words", "is no photo that this browser can open"),
    ):
        (tmp_path / name).write_bytes(content)
        studio.find("#photo-file").send_keys(str(tmp_path / name))
        wait_for(lambda words=words: words in studio.browser.texts("#failure-text")[0], 30)
        assert studio.look("return document.getElementById('save').disabled")
    studio.choose(write(tmp_path, "good.png", real_photo(64, 80)))
    assert studio.look("return document.getElementById('failure').hidden")
    assert studio.look("return document.querySelectorAll('.film').length") == 5
    while studio.look("return document.querySelectorAll('.film').length"):
        studio.click(".film-remove")
    assert studio.state("state") == "ready"


def test_by_keyboard_alone(studio, tmp_path):
    from selenium.webdriver import ActionChains, Keys

    def press(*keys):
        ActionChains(studio.browser.driver).send_keys(*keys).perform()

    def focused():
        return studio.look("return document.activeElement.id || document.activeElement.className")

    # A sample, reached by Tab.
    for _ in range(12):
        press(Keys.TAB)
        if studio.look("return document.activeElement.dataset.sample"):
            break
    press(Keys.ENTER)
    wait_for(lambda: studio.state("photo"), 60)
    assert focused() == "view"
    press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP)
    studio.painted(
        lambda: (press(Keys.ENTER), wait_for(lambda: focused() == "swatch"), press(Keys.ARROW_RIGHT, Keys.ENTER))
    )
    press(Keys.ESCAPE)
    assert studio.marks() == 1
    assert focused() == "mark"
    label = studio.find(".mark").get_attribute("aria-label")
    assert label.startswith("Colour 1: ")
    assert "none yet" not in label
    studio.painted(lambda: press(Keys.ARROW_DOWN))
    studio.painted(lambda: press(Keys.DELETE))
    assert studio.marks() == 0
    for _ in range(2):
        studio.painted(
            lambda: (
                ActionChains(studio.browser.driver).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
            )
        )
    assert studio.marks() == 1
    zoom = studio.browser.texts("#zoom-text")
    press("+", "+")
    assert studio.browser.texts("#zoom-text") != zoom
    press("0")
    assert studio.browser.texts("#zoom-text") == zoom
    press("b")
    assert studio.find("#compare").get_attribute("aria-pressed") == "true"


def test_the_slider_zoom_and_movement_of_hints(studio, tmp_path):
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    studio.choose(write(tmp_path, "photo.png", real_photo(240, 320)))
    divider = studio.find("#divider")
    divider.send_keys(Keys.PAGE_UP, Keys.ARROW_RIGHT)
    assert divider.get_attribute("aria-valuenow") == "12"
    divider.send_keys(Keys.END)
    assert divider.get_attribute("aria-valuetext") == "100 % as it was"
    divider.send_keys(Keys.HOME)
    studio.hint_at(0.5, 0.5, hue=40, size=0)
    studio.painted(
        lambda: ActionChains(studio.browser.driver).drag_and_drop_by_offset(studio.find(".mark"), 60, -40).perform()
    )
    moved = json.loads(studio.save("hints", "photo.hints.json").read_text())["hints"][0]
    assert moved["x"] > 170
    assert moved["y"] < 115
    before = studio.find(".mark").location
    origin = ScrollOrigin.from_element(studio.find("#view"))
    ActionChains(studio.browser.driver).scroll_from_origin(origin, 0, -600).perform()
    wait_for(lambda: studio.find(".mark").location != before)


def test_strokes_versions_references_and_photos_left_alone(studio, tmp_path):
    from selenium.webdriver import ActionChains

    photo = write(tmp_path, "photo.png", real_photo(240, 320))
    other = write(tmp_path, "other.jpg", real_photo(100, 200, 200, 200))
    studio.choose(photo, other)
    assert studio.look("return document.querySelectorAll('.film').length") == 2
    plain = studio.pixels("photo")

    # The first stroke asks for a colour.
    studio.click('[data-tool="brush"]')
    actions = ActionChains(studio.browser.driver).move_to_element_with_offset(
        studio.find("#view"), *studio.place(0.3, 0.3)
    )
    actions.click_and_hold().move_by_offset(60, 10).move_by_offset(60, 30).release().perform()
    wait_for(lambda: studio.browser.texts("#suggestions .swatch[data-a]"), 30)
    studio.painted(lambda: studio.slide("hue", 200))
    studio.click("#popover-close")
    assert studio.marks() == 1
    assert len(json.loads(studio.save("hints", "photo.hints.json").read_text())["hints"]) > 3
    studio.painted(lambda: studio.click("#undo"))
    assert np.array_equal(studio.pixels("photo"), plain)

    studio.click("#more-versions")
    wait_for(lambda: studio.browser.texts("#more-versions") == ["More"], 60)
    tiles = "#versions button"
    assert len(studio.browser.texts(tiles)) == 6
    studio.painted(lambda: studio.click(f"{tiles}:nth-child(2)"))
    assert studio.marks() > 0
    assert apart(studio.pixels("photo"), plain) > 0.2
    studio.painted(lambda: studio.click(f"{tiles}:first-child"))
    assert np.array_equal(studio.pixels("photo"), plain)

    blue = write(tmp_path, "blue.png", np.tile(np.uint8([[[40, 80, 200]]]), (64, 64, 1)))
    studio.painted(lambda: studio.find("#reference-file").send_keys(str(blue)))
    wait_for(lambda: studio.look("return !document.getElementById('reference').hidden"))
    bluer = studio.pixels("photo")
    assert chroma(bluer)[..., 1].mean() < chroma(plain)[..., 1].mean() - 5
    studio.painted(lambda: studio.click("#remove-reference"))

    studio.painted(lambda: studio.click("#alone"))
    assert studio.save("image/jpeg", "photo.png").read_bytes() == photo.read_bytes()
    studio.painted(lambda: studio.click("#undo"))
    studio.look("document.body.dataset.photo = ''")
    studio.click(".frame:nth-child(2) .film")
    wait_for(lambda: studio.state("photo") == "other.jpg", 30)


@pytest.mark.parametrize(("event", "field"), [("DragEvent", "dataTransfer"), ("ClipboardEvent", "clipboardData")])
def test_photos_are_dropped_and_pasted_also_without_a_network(studio, tmp_path, event, field):
    content = base64.b64encode(write(tmp_path, "given.png", real_photo(80, 100)).read_bytes()).decode()
    cdp = studio.browser.driver.execute_cdp_cmd
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    cdp("Network.enable", {})
    cdp("Network.emulateNetworkConditions", {"offline": True, **offline})
    try:
        studio.look(
            f"""
            const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "given.png", {{ type: "image/png" }}));
            const name = {event} === DragEvent ? "drop" : "paste";
            document.body.dispatchEvent(new {event}(name, {{ {field}: transfer, bubbles: true, cancelable: true }}));
            """,
            content,
        )
        wait_for(lambda: studio.state("photo") == "given.png", 30)
        assert studio.pixels("given").shape == (80, 100, 3)
    finally:
        cdp("Network.emulateNetworkConditions", {"offline": False, **offline})


def test_on_a_phone(studio, tmp_path):
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    studio.open(390, 844, touch=True)

    def wide():
        return studio.look("return document.documentElement.scrollWidth")

    assert wide() <= 390
    studio.choose(write(tmp_path, "photo.png", real_photo(240, 320)))
    assert wide() <= 390
    small = studio.look(
        """return [...document.querySelectorAll("button, [role=slider], label.switch")]
        .filter((e) => e.checkVisibility({ visibilityProperty: true }) && e.id !== "divider")
        .map((e) => [e.id || e.className, e.getBoundingClientRect()])
        .filter(([, box]) => box.width < 24 || box.height < 24).map(([name]) => name)"""
    )
    assert small == []
    box_of = """const [selector] = arguments; const b = document.querySelector(selector).getBoundingClientRect();
        return [b.left, b.top, b.right, b.bottom];"""
    stage = studio.look(box_of, "#view")
    finger = ActionBuilder(studio.browser.driver, mouse=PointerInput(POINTER_TOUCH, "finger"))
    finger.pointer_action.move_to_location(int(stage[0] + stage[2]) // 2, int(stage[1] + stage[3]) // 2)
    finger.pointer_action.pointer_down().pointer_up()
    finger.perform()
    wait_for(lambda: studio.browser.texts("#suggestions .swatch[data-a]"), 30)
    time.sleep(0.3)
    sheet, mark = (studio.look(box_of, selector) for selector in ("#popover", ".mark"))
    assert sheet[0] >= 0
    assert sheet[2] <= 390
    assert sheet[3] <= 844.5
    assert mark[3] <= sheet[1] + 22, "the sheet covers the place"
    studio.painted(lambda: studio.click("#suggestions .swatch"))
    studio.click("#popover-close")
    studio.click("#open-panel")
    wait_for(lambda: studio.look("return document.activeElement.id") == "vividness")


@pytest.mark.parametrize("dark", [False, True])
def test_accessibility(studio, tmp_path, dark):
    """No violation that axe-core finds: empty, with a photo, with the popover, with a photo that did not open."""
    axe = axe_script()
    studio.open(dark=dark)

    def check():
        driver = studio.browser.driver
        driver.execute_script(axe)
        found = driver.execute_async_script("const done = arguments[arguments.length - 1]; axe.run().then(done);")
        assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found["violations"]] == []

    check()
    studio.choose(write(tmp_path, "photo.png", real_photo(240, 320)))
    check()
    studio.click_at(0.4, 0.5)
    check()
    studio.painted(lambda: studio.click("#suggestions .swatch"))
    studio.click("#popover-close")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 torn")
    studio.find("#photo-file").send_keys(str(tmp_path / "broken.jpg"))
    wait_for(lambda: "damaged" in studio.browser.texts("#failure-text")[0], 30)
    check()


def axe_script():
    from importlib.resources import files

    pytest.importorskip("axe_core_python")
    return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")


def test_the_model_file_fits_every_size(colorizer):
    """Resized as the page does it, the file computes what the network does."""
    pytest.importorskip("ai_edge_litert")
    from keras_colorize.color.inputs import Inputs
    from keras_colorize.inference.converter import convert_network
    from keras_colorize.inference.litert_network import LiteRTNetwork
    from tests.exports import small_colorizer

    rng = np.random.default_rng(0)
    for system in (colorizer, small_colorizer("vivid", 32, hints=True)):
        network = system.network.with_keras("tests")
        lite = LiteRTNetwork(convert_network(network, system.name), system.recipe)
        height, width = network.multiple * 4, network.multiple * 7
        inputs = Inputs(rng.uniform(0, 100, (1, height, width, 1)).astype("float32"))
        mask = (rng.uniform(size=(1, height, width, 1)) < 0.02).astype("float32")
        inputs = inputs._replace(hints=np.concatenate([30 * mask, -20 * mask, mask], axis=-1))
        found, expected = lite.run(inputs), np.asarray(system.space.without_rebalancing(network.run(inputs)))
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < 0.01 * np.abs(expected).mean()  # float16 weights
