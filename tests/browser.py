"""A headless Chromium for tests of pages; they are skipped where there is none."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1000,900"),
)
needs_browser = pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver")


class Browser:
    """One window. `driver` is Selenium's; `look` runs JavaScript and returns its value."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, file: Path) -> None:
        """Show a page from the disk; what was logged before is forgotten."""
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(file.resolve().as_uri())

    def look(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript: `return …`."""
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector: str) -> list[str]:
        """Texts of the elements that a selector finds."""
        return self.look("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)

    def find(self, selector: str) -> Any:
        """The first element that a selector finds."""
        return self.driver.find_element("css selector", selector)

    def complaints(self) -> list[str]:
        """Errors and warnings in the console since `open`, those of the content security policy among them."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses that the page has asked for since `open`, without itself and its own parts."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        assert urls, "no requests were recorded, not even for the page"
        return [url for url in urls if not url.startswith(("data:", "blob:")) and url != self.driver.current_url]


@contextmanager
def open_browser(downloads: Path) -> Iterator[Browser]:
    """A new Chromium with a profile of its own; what pages let it save goes to `downloads`."""
    selenium = pytest.importorskip("selenium.webdriver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = selenium.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = selenium.Chrome(options=options, service=selenium.ChromeService(CHROMEDRIVER))
        try:
            driver.execute_cdp_cmd(
                "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads.resolve())}
            )
            yield Browser(driver)
        finally:
            driver.quit()


def wait_for(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return value
