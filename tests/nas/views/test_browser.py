"""Pages of a real TensorBoard in a real browser, checked by their content."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager

import pytest
import torch
from sklearn.metrics import f1_score

import nas
from nas.engine.session import Session
from nas.runs.settings import Settings
from nas.views.tensorboard import complete
from search_spaces import Real, Struct
from tests.nas.synthetic import write_run

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
SECONDS = 120  # a page may take on a busy machine
WIDTH, HEIGHT, SHOWN = 1400, 2000, 900  # TensorBoard draws only what is visible
SHOTS = os.environ.get("NAS_SCREENSHOTS")  # a folder for screenshots


@contextmanager
def serving(*runs):
    """Serve runs by `nas tensorboard`; wait until it answers with all of their directories."""
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
    """Opens pages and records their errors."""

    def __init__(self, browser, url):
        self._browser, self._url, self.errors = browser, url, []

    @contextmanager
    def page(self, address, name, height=HEIGHT):
        page = self._browser.new_page(viewport={"width": WIDTH, "height": SHOWN})
        page.set_default_timeout(1000 * SECONDS)
        page.on("pageerror", lambda error: self.errors.append(f"{address}: {error}"))
        page.goto(f"{self._url}/{address}")
        if height != SHOWN:
            enlarge(page, height)
        yield page
        if SHOTS:
            page.wait_for_timeout(8000)  # for animations
            keep(page, name)
        page.close()
        assert self.errors == []


def enlarge(page, height=HEIGHT):
    page.set_viewport_size({"width": WIDTH, "height": height})


def keep(page, name):
    page.screenshot(
        path=f"{SHOTS}/{name}.png", clip={"x": 0, "y": 0, "width": WIDTH, "height": SHOWN}
    )


def sees(page, text, **how):
    """Wait until the page shows a text; return its locator."""
    found = page.get_by_text(text, **how).first
    found.wait_for(state="visible")
    return found


def look_at_time_series(visitor, address="#timeseries"):
    """Return the seconds until the first curve is shown."""
    start = time.monotonic()
    with visitor.page(address, "timeseries", height=SHOWN) as page:
        if address != "#timeseries":  # with over 500 runs none is selected
            sees(page, "search", exact=True)
            page.locator("runs-data-table input[type=checkbox]").first.click()
        page.locator("scalar-card line-chart").first.wait_for(state="visible")
        took = time.monotonic() - start
        enlarge(page)
        for tag in ("best_accuracy", "front_size", "hypervolume"):
            page.locator(f"scalar-card [title='search/{tag}']").wait_for()
    return took


def look_at_own_metrics(visitor):
    """The metrics of the user's evaluator in curves, columns and pictures."""
    with visitor.page("?tagFilter=f1#timeseries", "own-timeseries") as page:
        page.locator("scalar-card [title='search/best_f1']").wait_for()
        page.locator("scalar-card [title='trial/f1']").first.wait_for()
    with visitor.page("#hparams", "own-hparams", height=SHOWN) as page:
        row_of(page).wait_for(state="visible")
        for name in ("lr", "f1", "parameters", "delay"):
            sees(page, name, exact=True)
    with visitor.page("#images&regexInput=search", "own-images") as page:
        page.locator("tf-image-loader img").first.wait_for(state="visible")
        page.wait_for_timeout(3000)  # for the other sections that TensorBoard opens
        for pair in ("f1_and_parameters", "f1_and_delay", "parameters_and_delay"):
            header = sees(page, f"search_front_{pair}", exact=True)
            last = page.get_by_text(f"tag: search_front_{pair}/after_00012_trials").first
            if not last.is_visible():  # TensorBoard opens the first sections by itself
                header.click()
            last.wait_for(state="visible")
        shown = "image => image.complete && image.naturalWidth == 350"
        picture = page.locator("tf-image-loader img").last
        page.wait_for_function(shown, arg=picture.element_handle())


def look_at_own_report(browser, run, file):
    """A report with a picture for each pair of objectives, whose trials can be pointed at."""
    from nas.views.html.report import write_report

    write_report(run, file)
    page = browser.new_page(viewport={"width": WIDTH, "height": SHOWN})
    page.goto(file.as_uri())
    for title in ("F1 versus parameters", "F1 versus delay, ms", "Parameters versus delay, ms"):
        sees(page, title, exact=True)
    for pair in ("f1_and_parameters", "f1_and_delay", "parameters_and_delay"):
        mark = page.locator(f"#front_{pair} .on-front").first
        mark.hover()
        shown = page.locator("#details").text_content()
        assert f"trial {mark.get_attribute('data-trial')}: " in shown
        assert " ms delay" in shown
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/own-report.png", full_page=True)
    page.close()


def look_at_images(visitor, run):
    with visitor.page("#images&regexInput=search", "images") as page:
        for tag in ("search_front", "search_importance", "search_lineage", "search_progress"):
            sees(page, tag, exact=True)  # the front is the first group, and open
        sees(page, "search_front/after_00010_trials")
        sees(page, "search_networks", exact=True).click()
        sees(page, f"search_networks/best_trial_{run.best().number:05d}")
        picture = page.locator("tf-image-loader img").first
        picture.wait_for(state="visible")
        shown = "image => image.complete && image.naturalWidth == 350"
        page.wait_for_function(shown, arg=picture.element_handle())


def look_at_hparams(visitor, run):
    """Return the seconds until the table is shown."""
    start = time.monotonic()
    with visitor.page("#hparams", "hparams", height=SHOWN) as page:
        row_of(page).wait_for(state="visible")
        took = time.monotonic() - start
        enlarge(page)
        trial = run.trials[0]
        sees(page, f"00000: {trial.scores['accuracy']:.2%}", exact=True)
        for name in ("learning_rate", "accuracy", "parameters", "macs", "seconds"):
            sees(page, name, exact=True)
        if len(run.trials) > 100:  # the page shows 100 at first
            page.locator(".page-size-input input").fill(str(len(run.trials)))
        sees(page, "PARALLEL COORDINATES VIEW").click()
        lines = page.locator("tf-hparams-parallel-coords-plot svg path")
        _until(lambda: lines.count() >= len(run.trials))
        if SHOTS:
            page.wait_for_timeout(1000)
            keep(page, "parallel")
        sees(page, "SCATTER PLOT MATRIX VIEW").click()
        points = page.locator("tf-hparams-scatter-plot-matrix-plot svg circle")
        _until(lambda: points.count() >= 10 * len(run.trials))
    return took


def row_of(page):
    """A row of the table, found by its element, as a search for text is slow on this page."""
    return page.locator("vaadin-grid-cell-content", has_text="0000").first


def _until(holds):
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def look_at_text(visitor, run):
    with visitor.page("#text&regexInput=search", "text") as page:
        for name in ("1_best", "6_importance", "7_mistakes"):
            sees(page, name, exact=True)
        sees(page, f"{len(run.trials):,} trials, ")
        sees(page, run.space.format(run.best().architecture))
        sees(page, f"nas retrain {run.path} --trial ")


def look_at_projector(visitor, run):
    done = sum(trial.completed for trial in run.trials)
    with visitor.page("#projector", "projector", height=SHOWN) as page:
        inside = page.frame_locator("iframe").frame_locator("iframe")
        count = inside.locator("span.numDataPoints")
        _until(lambda: count.count() == 1 and count.inner_text() == str(done))
        assert inside.get_by_text("WebGL").count() == 0
        inside.locator("paper-dropdown-menu[label='Color by']").click()
        inside.locator("paper-item:visible").filter(has_text="rank").click()
        ends = inside.locator(".gradient-boundaries:visible")
        _until(lambda: ends.inner_text().split() == ["1", str(done)])


def look_at_all(browser, run):
    with serving(run.path) as url:
        visitor = Visitor(browser, url)
        many = len(run.trials) >= 500
        times = {
            "time series": look_at_time_series(
                visitor, "?runFilter=search#timeseries" if many else "#timeseries"
            ),
            "hparams": look_at_hparams(visitor, run),
        }
        look_at_images(visitor, run)
        look_at_text(visitor, run)
        look_at_projector(visitor, run)
    told = ", ".join(f"{page} {seconds:.1f} s" for page, seconds in times.items())
    print(f"{len(run.trials)} trials: {told}; load {os.getloadavg()[0]:.1f}")  # noqa: T201


@pytest.fixture(scope="module")
def sixty(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("synthetic") / "sixty", 60)
    complete(run)
    return run


def test_the_page_of_curves_shows_a_search_of_60_trials(browser, sixty):
    with serving(sixty.path) as url:
        look_at_time_series(Visitor(browser, url))


@pytest.mark.long
def test_every_page_shows_a_search_of_60_trials(browser, sixty):
    look_at_all(browser, sixty)


@pytest.mark.long
def test_every_page_shows_a_search_of_1000_trials(browser, tmp_path):
    run = write_run(tmp_path / "thousand", 1000)
    complete(run)
    look_at_all(browser, run)


@pytest.mark.long
def test_every_page_shows_a_real_search_of_60_trials(browser, tmp_path):
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


@nas.evaluator(
    metrics=(nas.Metric("f1", "maximize", 0, 1), nas.Metric("delay", "minimize", 0, unit="ms")),
    hyperparameters=Struct(lr=Real(1e-3, 0.05, log=True)),
)
def train_digits(job):
    network = job.network()
    (x, y), (x_val, y_val) = map(job.data.tensors, ("train", "validation"))
    optimizer = torch.optim.Adam(network.parameters(), job.hyperparameters["lr"])
    for epoch in range(1, job.epochs + 1):
        network.train()
        for rows in torch.arange(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
        network.eval()
        start = time.perf_counter()
        with torch.no_grad():
            found = network(x_val).argmax(1)
        delay = 1000 * (time.perf_counter() - start)
        job.report(epoch, f1=float(f1_score(y_val, found, average="macro")), delay=delay)


@pytest.mark.long
def test_every_page_shows_the_metrics_of_the_users_evaluator(browser, tmp_path):
    run = nas.search(
        space="mlp", evaluator=train_digits, data="digits", trials=12, epochs=3,
        objectives="f1,parameters,delay", max_params=100_000, out=tmp_path / "own",
    )  # fmt: skip
    complete(run)
    with serving(run.path) as url:
        look_at_own_metrics(Visitor(browser, url))
    look_at_own_report(browser, run, tmp_path / "report.html")
