"""Runs that have a past: going back, mending, training longer, other names, deletion; in a real browser."""

import dataclasses
import re
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from ganart import dataset, launch, run, train
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.run import Run


@pytest.fixture
def base(home, tmp_path) -> TrainConfig:
    """A training of seconds on 240 pictures, some of them held out."""
    folder = tmp_path / "colours"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(240):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        coarse.resize((36, 36), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    store = dataset.prepare(folder, IntakeConfig(size=32))
    return TrainConfig(
        networks=NetworkConfig(size=32, z_dim=8, width=4, d_norm="none", d_stddev=4),
        loss="rpgan",
        dataset=store.name,
        dataset_hash=store.hash,
        batch=16,
        kimg=4.0,
        device="cpu",
        dtype="float32",
    )


def trained(settings: TrainConfig, name: str) -> Run:
    target = launch.create(settings, name)
    assert train.work(target) == "done"
    return target


def newest(than: Run) -> Run:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (found := run.list_runs()[0]) != than and found.status().state == "done":
            return found
        time.sleep(0.2)
    raise AssertionError("no newer run has finished")


@pytest.mark.timeout(300)
def test_going_back_training_longer_another_name_and_deletion(base, server, page):
    first = trained(base, "first")
    page.goto(f"{server.url}/train?run={first.id}")
    page.get_by_text(re.compile("Healthy$")).first.wait_for()

    # The slider goes back through the sheets.
    page.get_by_text("4,000 pictures seen").first.wait_for()
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    page.get_by_text("after 0 pictures seen").wait_for()

    # Painted pictures beside the nearest of the artist's.
    page.get_by_text("Compare with your pictures").click()
    page.get_by_alt_text(re.compile("that is nearest to it")).wait_for()

    # Rewind: pick a checkpoint whose state was kept, and go on from there with half the rate.
    step = next(iter(first.states()))
    page.get_by_role("button", name=f"After {step * 16:,} pictures seen, can be gone back to").click()
    page.get_by_role("button", name="Go on from here").click()
    page.get_by_text("Half", exact=True).click()
    page.get_by_role("button", name="Start the branch").click()
    page.get_by_text(f"Goes on from first (0001), after {16 * step:,} pictures seen.").wait_for()
    branch = newest(first)
    assert branch.config().parent == f"{first.id}@{step}" and branch.config().lr == base.lr / 2
    assert branch.status().kimg == 4.0

    # Train longer.
    page.get_by_role("button", name="Train longer").click(timeout=60_000)
    page.get_by_role("spinbutton", name="Length in all, in thousand pictures seen").fill("6")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Go on", exact=True).click()
    page.get_by_text(
        f"Goes on from first (0002), after {16 * branch.config().total_steps:,} pictures seen."
    ).wait_for()
    longer = newest(branch)
    assert longer.status().kimg == 6.0

    # Another name.
    page.get_by_role("button", name="More", exact=True).click(timeout=60_000)
    page.get_by_label("Name", exact=True).fill("Better One")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("heading", level=1, name="better-one (0003)").wait_for()
    assert [item.id for item in run.list_runs()] == ["0003-better-one", branch.id, first.id]

    # Deletion, in the same menu, asks first and names what goes.
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text(re.compile("This goes for good. 0003-better-one")).wait_for()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("This goes for good").wait_for(state="detached")
    assert len(run.list_runs()) == 3
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_text("Where are the pictures?").wait_for()
    assert [item.id for item in run.list_runs()] == [branch.id, first.id]
    assert not page.errors


@pytest.mark.timeout(300)
def test_a_broken_run_gets_a_red_light_and_is_mended_with_one_click(base, server, page):
    wild = trained(dataclasses.replace(base, lr=0.5), "wild")
    page.goto(f"{server.url}/train?run={wild.id}")
    page.get_by_text(re.compile("Needs help$")).first.wait_for()
    page.get_by_text("The learning rate is too high", exact=False).wait_for()
    page.get_by_role("button", name="Go on with a learning rate of 0.12").click()
    page.get_by_text("Goes on from wild (0001)", exact=False).wait_for()
    mended = newest(wild)
    assert mended.config().lr == 0.125 and mended.config().parent.startswith(f"{wild.id}@")
    assert not page.errors


@pytest.mark.slow  # measuring alone takes fifteen seconds; test_forecast.py measures, test_pages.py tells
@pytest.mark.timeout(300)
def test_the_forecast_comes_by_itself_and_a_budget_sets_the_length(base, server, page):
    page.goto(f"{server.url}/train?dataset={base.dataset}")
    page.get_by_text("px on this processor: yes", exact=False).wait_for(timeout=120_000)
    coffee = page.get_by_role("button", name=re.compile("^Coffee: "))
    kimg = float(coffee.inner_text().split(":")[1].replace(",", ""))
    coffee.click()
    length = page.get_by_role("spinbutton", name="Length, in thousand pictures seen")
    expect(length).to_have_value(re.compile(rf"^{kimg:.2f}$"))
    page.get_by_text(f"{kimg:,.0f} thousand pictures take about 15 min", exact=False).wait_for()
    assert not page.errors
