"""What a person sees: a real TensorBoard in a real browser, page by page, by its own content."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager

import pytest

from nas.results.tensorboard import complete
from nas.session import Session
from nas.settings import Settings
from tests.nas.synthetic import write_run

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
SECONDS = 120  # that a page may take on a machine with other things to do
WIDTH, HEIGHT = 1400, 900
SHOTS = os.environ.get("NAS_SCREENSHOTS")  # a folder to keep pictures of the pages in


@contextmanager
def serving(*runs):
    """`nas tensorboard` for runs, until it answers with all of their directories."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "nas", "tensorboard", *map(str, runs), "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            expected = sum(1 + len(list((run / "tensorboard/trials").iterdir())) for run in runs)
            _wait_for(url, expected)
            yield url
        finally:
            process.terminate()


def _wait_for(url, runs):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if opener.open(f"{url}/data/runs", timeout=30).read().count(b'"') == 2 * runs:
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError("TensorBoard does not answer with all runs")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        yield chromium
        chromium.close()


class Visitor:
    """Opens pages, and notes what goes wrong on them."""

    def __init__(self, browser, url):
        self._browser, self._url, self.errors = browser, url, []

    @contextmanager
    def page(self, address, name):
        page = self._browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(1000 * SECONDS)
        page.on("pageerror", lambda error: self.errors.append(f"{address}: {error}"))
        page.goto(f"{self._url}/{address}")
        yield page
        if SHOTS:
            page.wait_for_timeout(2000)
            page.screenshot(path=f"{SHOTS}/{name}.png")
        page.close()
        assert self.errors == []


def sees(page, text, **how):
    """Wait until the page shows a text; its place."""
    found = page.get_by_text(text, **how).first
    found.wait_for(state="visible")
    return found


def look_at_time_series(visitor, address="#timeseries"):
    with visitor.page(address, "timeseries") as page:
        sees(page, "search/best_accuracy", exact=True)
        sees(page, "search/front_size", exact=True)
        sees(page, "search/hypervolume", exact=True)
        first = page.locator("card-group-view, metrics-card-group, .group-text").first
        first.wait_for()
        assert page.locator("card-view").count() > 2
        lines = page.locator("card-view line-chart").first
        lines.wait_for(state="visible")


def look_at_images(visitor, run):
    with visitor.page("#images&regexInput=search", "images") as page:
        best = f"search_architectures/best_trial_{run.best().number:05d}"
        sees(page, best)
        sees(page, f"search_front/after_{len(run.trials):05d}_trials")
        picture = page.locator("tf-image-loader img").first
        picture.wait_for(state="visible")
        page.wait_for_function(
            "image => image.complete && image.naturalWidth > 500", arg=picture.element_handle()
        )


def look_at_hparams(visitor, run):
    with visitor.page("#hparams", "hparams") as page:
        start = time.monotonic()
        sees(page, "trial 00000", exact=True)
        took = time.monotonic() - start
        heads = page.locator("vaadin-grid-cell-content, th").all_inner_texts()
        assert "recipe.learning_rate" in " ".join(heads)
        for name in ("accuracy", "parameters", "macs", "seconds"):
            sees(page, name, exact=True)
        sees(page, "PARALLEL COORDINATES VIEW").click()
        page.locator("tf-hparams-parallel-coords-view svg g.axis").first.wait_for()
        page.wait_for_function(
            "count => {"
            "  const find = node => [...node.querySelectorAll('*')].flatMap(e => ["
            "    ...(e.matches('path') && e.closest('g.foreground') ? [e] : []),"
            "    ...(e.shadowRoot ? find(e.shadowRoot) : [])]);"
            "  return find(document).length >= count; }",
            arg=sum(trial.completed for trial in run.trials) // 2,
        )
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/parallel.png")
        sees(page, "SCATTER PLOT MATRIX VIEW").click()
        page.locator("tf-hparams-scatter-plot-matrix-plot svg").first.wait_for()
    return took


def look_at_text(visitor, run):
    with visitor.page("#text&regexInput=search", "text") as page:
        sees(page, "1_best")
        notation = run.space.format(run.best().architecture)
        assert notation[:40] in sees(page, "trials, ", exact=False).inner_text() or sees(
            page, notation[:30]
        )
        sees(page, f"nas export {run.path}")


def look_at_projector(visitor, run):
    done = sum(trial.completed for trial in run.trials)
    with visitor.page("#projector", "projector") as page:
        sees(page, re.compile(rf"Points: {done}\b"))
        assert page.get_by_text("does not have WebGL enabled").count() == 0
        sees(page, "proposals")


def look_at_all(browser, run):
    with serving(run.path) as url:
        visitor = Visitor(browser, url)
        look_at_time_series(visitor)
        look_at_images(visitor, run)
        look_at_hparams(visitor, run)
        look_at_text(visitor, run)
        look_at_projector(visitor, run)


def test_every_page_shows_a_search_of_60_trials(browser, tmp_path):
    run = write_run(tmp_path / "sixty", 60)
    complete(run)
    look_at_all(browser, run)


@pytest.mark.long
def test_every_page_shows_a_real_search_of_60_trials(browser, tmp_path):
    import nas

    settings = Settings(
        space="nasbench201:channels=4,cells=1",
        tune=("learning_rate", "batch_size"),
        recipe={"epochs": 2},
        baselines=True,
    )
    assert len(list(Session(settings, tmp_path / "real").run(60))) == 60
    run = nas.open_run(tmp_path / "real")
    complete(run)
    look_at_all(browser, run)
