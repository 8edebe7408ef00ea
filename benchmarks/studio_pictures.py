"""The studio's pictures in the documentation, and its sample photos.

    python benchmarks/studio_pictures.py --model vivid
    python benchmarks/studio_pictures.py --samples

Drives the page in headless Chromium (extra `test`) and writes `docs/pictures/studio.png`, `studio_phone.png` and
`studio_clicks.jpg`. Run it again when the packaged weights change; a network that takes no hints has no such pictures.
`--samples` writes the three grey photos of the page from those of scikit-image.
"""

import argparse
import io
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PIL import Image

from keras_colorize.cli.studio import find_files
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError
from keras_colorize.studio.server import make_server

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
SAMPLES = {"astronaut": 74, "coffee": 74, "rocket": 74}  # with the quality of their JPEG files

# Clicks on the sample `coffee`: shares of the photo's width and height, hue in degrees and strength in percent.
CLICKS = ((0.17, 0.45, 48, 75), (0.9, 0.25, 62, 60))
WIDE, PHONE = (1080, 680), (390, 844)
COLORS = 112  # of the palette of the PNG files


class Page:
    """The studio in a browser."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.address = driver, address

    def open(self, width: int, height: int, density: int = 1, dark: bool = False) -> None:
        """Load the page at a size in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": density, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(self.address)
        self.wait("return document.body.dataset.state === 'ready'")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any) -> None:
        """Wait for a condition in JavaScript."""
        end = time.monotonic() + 90
        while not self.run(script, *arguments):
            if time.monotonic() > end:
                raise ColorizeError(f"the page did not answer: {script}")
            time.sleep(0.05)

    def sample(self, name: str) -> None:
        """Open a sample photo."""
        self.run("document.querySelector(`[data-sample=${arguments[0]}]`).click()", name)
        self.wait("return Boolean(document.body.dataset.photo)")
        time.sleep(0.5)

    def click(self, share_x: float, share_y: float) -> None:
        """Click in the photo and wait for the likely colours."""
        from selenium.webdriver import ActionChains

        left, top, right, bottom = self.box()
        canvas = self.driver.find_element("id", "view")
        box = canvas.rect
        x = left + share_x * (right - left) - box["x"] - box["width"] / 2
        y = top + share_y * (bottom - top) - box["y"] - box["height"] / 2
        ActionChains(self.driver).move_to_element_with_offset(canvas, round(x), round(y)).click().perform()
        self.wait("return document.querySelectorAll('#suggestions .swatch[data-a]').length > 0")

    def mix(self, hue: int, strength: int) -> None:
        """Move the sliders of the popover."""
        for name, value in (("hue", hue), ("strength", strength)):
            self.run(
                """const slider = document.getElementById(arguments[0]);
                slider.value = arguments[1];
                for (const kind of ["input", "change"]) slider.dispatchEvent(new Event(kind));""",
                name,
                value,
            )
            time.sleep(1.0)

    def picture(self) -> Image.Image:
        """The window as it is."""
        time.sleep(0.6)
        return Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")

    def photo(self) -> Image.Image:
        """The part of the window that shows the photo."""
        self.run("document.getElementById('divider').style.visibility = 'hidden'")
        picture = self.picture()
        self.run("document.getElementById('divider').style.visibility = ''")
        return picture.crop(tuple(round(edge) for edge in self.box()))

    def box(self) -> tuple[float, float, float, float]:
        """The edges of the photo in the window: left, top, right, bottom."""
        left, top, right, bottom = self.run(
            """const stage = document.getElementById("stage"), box = stage.getBoundingClientRect();
            const [left, top, right, bottom] = stage.dataset.photo.split(" ").map(Number);
            return [box.left + left, box.top + top, box.left + right, box.top + bottom];"""
        )
        return left, top, right, bottom


def take_pictures(page: Page) -> None:
    """Write the three pictures."""
    page.open(*WIDE)
    page.sample("coffee")
    page.run("document.getElementById('compare').click()")
    series = [page.photo()]
    page.run("document.getElementById('compare').click()")
    series.append(page.photo())
    for number, (share_x, share_y, hue, strength) in enumerate(CLICKS):
        page.click(share_x, share_y)
        page.mix(hue, strength)
        if number == len(CLICKS) - 1:
            save_png(page.picture(), PICTURES / "studio.png")
        page.run("document.getElementById('popover-close').click()")
        series.append(page.photo())
    series = [picture.resize((420, round(420 * picture.height / picture.width))) for picture in series]
    strip = Image.new("RGB", (420 * len(series) + 8 * (len(series) - 1), series[0].height), "white")
    for number, picture in enumerate(series):
        strip.paste(picture, (428 * number, 0))
    strip.save(PICTURES / "studio_clicks.jpg", quality=85, optimize=True)

    page.open(*PHONE, density=2, dark=True)
    page.sample("astronaut")
    page.click(0.3, 0.75)
    save_png(page.picture().resize((468, 1013)), PICTURES / "studio_phone.png")


def save_png(picture: Image.Image, file: Path) -> None:
    """Save with a palette, which keeps the file small."""
    palette = picture.quantize(COLORS)
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)


def write_samples() -> None:
    """Write the sample photos of the page."""
    from skimage import data

    for name, quality in SAMPLES.items():
        grey = Image.fromarray(getattr(data, name)()).convert("L")
        grey.save(ROOT / "docs" / "studio" / "samples" / f"{name}.jpg", quality=quality, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", default=DEFAULT_MODEL, help="a system that takes hints (default: %(default)s)")
    what.add_argument("--run", metavar="DIR")
    what.add_argument("--weights", metavar="FILE")
    parser.add_argument("--samples", action="store_true", help="write the sample photos, and stop")
    options = parser.parse_args()
    if options.samples:
        write_samples()
        return

    from selenium import webdriver

    with make_server(find_files(options)) as server, tempfile.TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chrome = webdriver.ChromeOptions()
        for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"):
            chrome.add_argument(flag)
        driver = webdriver.Chrome(options=chrome, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            take_pictures(Page(driver, f"http://127.0.0.1:{server.server_port}/"))
        finally:
            driver.quit()
            server.shutdown()


if __name__ == "__main__":
    main()
