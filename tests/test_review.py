"""The review page in a real browser, and decisions from many sides at once."""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from browser import complaints, watched
from program import PROGRAM, birdornot

from birdornot.clean import clean_images
from birdornot.download import download_images
from birdornot.ledger import Ledger
from birdornot.review import ReviewServer, decide, decisions, undo_decision
from birdornot.sample import make_sample
from birdornot.search import search_images
from birdornot.split import picture_files


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A small dataset: two classes, copies, one picture under both labels, one too small; ranked as suspects would"
    folder = tmp_path_factory.mktemp("review")
    make_sample(folder/"drawn", n=8, kinds=("bird", "forest"), faults=dict(near_duplicate=2, tiny=1))
    shutil.copy(folder/"drawn"/"bird"/"0005.jpg", folder/"drawn"/"forest"/"twin.jpg")
    for kind in ("bird", "forest"):
        download_images(folder/"set", search_images(kind, n=99, source="folder", folder=folder/"drawn"), progress=False)
    clean_images(folder/"set", progress=False)
    with Ledger(folder/"set") as ledger:
        ledger.add_columns(suggested="TEXT", label_quality="REAL", likely_wrong="INTEGER", novelty="REAL",
                           suspicion="REAL")
        for i, r in enumerate(ledger.rows(status="clean")):
            other = "forest" if r["label"] == "bird" else "bird"
            ledger.update(r["id"], suggested=other, label_quality=i/40,
                          likely_wrong=int(i < 4), novelty=1 - i/40, suspicion=1 - i/40)
        ledger.update(ledger.rows(status="clean")[0]["id"],
                      title="<img src=x onerror=alert(1)>", page_url="javascript:alert(1)")
    return folder/"set"


@pytest.fixture
def dataset(made, tmp_path):
    shutil.copytree(made, tmp_path/"birds")
    return tmp_path/"birds"


def status(dataset, id):
    with Ledger(dataset) as ledger: return ledger.rows(id=id)[0]["status"]


def seen(dataset): return sorted(f.relative_to(dataset).as_posix() for f in picture_files(dataset))


@pytest.fixture
def page(browser, dataset):
    "The open page"
    with (ReviewServer(dataset, who="tester") as server,
          watched(browser, server.url, viewport=dict(width=1200, height=900)) as page):
        page.wait_for_selector(".card")
        yield page


def card_ids(page): return [int(c.get_attribute("data-id")) for c in page.query_selector_all(".card:not(.done)")]
def said(page, text): page.wait_for_function("t => document.querySelector('#said').textContent.includes(t)", arg=text)


def test_keys_decide_and_reload_loses_nothing(page, dataset):
    first, second, third, *_ = card_ids(page)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.id") == str(first)
    page.keyboard.press("k")
    said(page, "Kept")
    assert page.evaluate("document.activeElement.dataset.id") == str(second), "the next picture has the focus"
    page.keyboard.press("d")
    said(page, "Discarded")
    page.keyboard.press("2")
    said(page, "Moved to forest")
    assert (status(dataset, first), status(dataset,
                                           second), status(dataset, third)) == ("clean", "quarantined", "quarantined")
    assert [(d["who"], d["action"], d["picture"]) for d in decisions(dataset)] == [
        ("tester, in review", "keep", first), ("tester, in review", "discard", second),
        ("tester, in review", "move", third)]
    page.reload()
    page.wait_for_selector(".card")
    assert not {first, second, third} & set(card_ids(page))
    assert page.inner_text("#progress") == "3 decisions"
    page.keyboard.press("u")
    said(page, "Taken back")
    page.wait_for_selector(f".card[data-id='{third}']")
    assert status(dataset, third) == "clean"


def test_mouse_undo_on_the_card_and_large_picture(page, dataset):
    before, id = seen(dataset), card_ids(page)[0]
    card = page.locator(f".card[data-id='{id}']")
    card.get_by_role("button", name="Discard").click()
    said(page, "Discarded")
    assert seen(dataset) != before
    card.get_by_role("button", name="Undo").click()
    said(page, "Taken back")
    assert seen(dataset) == before and id in card_ids(page)
    card.locator(".picture").click()
    assert page.locator("#large .sides > img").evaluate("i => i.decode().then(() => i.naturalWidth)") > 100
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()


def facts(dataset, id):
    with Ledger(dataset) as ledger: return ledger.rows(id=id)[0]


def test_the_suggestion_is_the_filled_button_and_enter_takes_it(page, dataset):
    first, second, *_ = card_ids(page)
    wanted = facts(dataset, first)["suggested"]
    assert page.locator(f".card[data-id='{first}'] .acts button").first.inner_text().startswith(f"To {wanted}")
    assert page.locator(f".card[data-id='{first}'] .main").count() == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    said(page, f"Moved to {wanted}")
    assert page.evaluate("document.activeElement.dataset.id") == str(second)


def test_every_card_says_why_it_is_shown_and_counts_are_true(page):
    for tab in page.locator("#views button").all():
        name = tab.get_attribute("data-view")
        tab.click()
        page.wait_for_selector(f"#main[aria-labelledby=tab-{name}]")
        n, groups = page.locator(".card").count(), page.locator("#queue > .group").count()
        assert int(tab.locator("b").inner_text()) == groups
        if not n: continue
        assert page.inner_text("#about").startswith(f"{n} picture" if groups == n else f"{groups} group"), name
        assert all(page.locator(".card .hint").all_inner_texts()), name
        assert page.locator(".card .main").count() == n, name


def test_the_large_picture_takes_decisions_beside_its_neighbours(page, dataset):
    first, second, third, *_ = card_ids(page)
    row = facts(dataset, first)
    def large(id): page.wait_for_function("id => document.querySelector('#large').dataset.id == id", arg=str(id))
    page.locator(f".card[data-id='{first}'] .picture").click()
    page.wait_for_selector("#large .near >> nth=1")
    assert page.locator("#large .near h3").all_inner_texts() == [
        f"Most like it in {row['label']}", f"Most like it in {row['suggested']}"]
    assert page.locator("#large .near img").count() == 6
    assert page.inner_text("#large .hint").startswith(f"Looks like {row['suggested']}")
    page.keyboard.press("d")
    large(second)
    page.locator("#large .keep").click()
    large(third)
    page.keyboard.press("u")
    large(second)
    assert [d["action"] for d in decisions(dataset) if not d["undone"] and d["action"] != "undo"] == ["discard"]
    page.keyboard.press("Escape")
    page.wait_for_function("id => document.activeElement.dataset.id == id", arg=str(second))


def test_the_error_stands_above(tab, dataset):
    with ReviewServer(dataset, who="tester") as server:
        tab.route("**/api/queue*", lambda r: r.fulfill(json=r.fetch().json() | dict(error="error 6.2% (10 of 160)")))
        tab.route("**/api/decide", lambda r: r.fulfill(json=r.fetch().json() | dict(error="error 6.2% → 5.6%")))
        tab.goto(server.url)
        tab.wait_for_selector(".card")
        assert tab.inner_text("#error") == "error 6.2% (10 of 160)"
        tab.locator(".card .keep").first.click()
        said(tab, "Kept")
        assert tab.inner_text("#error") == "error 6.2% → 5.6%"


def test_same_picture_under_two_labels(page, dataset):
    page.click("#tab-conflicts")
    page.wait_for_selector("#queue.wide .card")
    assert page.locator(".group").count() == 1 and page.locator(".card").count() == 2
    page.locator(".card", has=page.locator(".chip", has_text="forest")).get_by_role("button", name="Bring back").click()
    said(page, "Kept")
    page.wait_for_function("() => document.querySelectorAll('.card.done').length == 2")
    with Ledger(dataset) as ledger: twins = ledger.rows(verdict=["keep", "discard"])
    assert sorted((r["label"], r["status"]) for r in twins) == [("bird", "quarantined"), ("forest", "clean")]
    clean_images(dataset, progress=False)
    with Ledger(dataset) as ledger: again = ledger.rows(id=[r["id"] for r in twins])
    assert [(r["label"], r["status"]) for r in again] == [(r["label"], r["status"]) for r in twins]


def test_an_overtaken_answer_is_not_shown(page, dataset):
    def _late(route):
        time.sleep(0.5)
        route.continue_()
    page.route("**/api/queue?view=labels*", _late)
    with page.expect_response("**/api/queue?view=labels*"):
        page.evaluate("() => { document.querySelector('#tab-labels').click(); "
                      "document.querySelector('#tab-copies').click() }")
    page.wait_for_timeout(200)
    assert page.locator("#queue.wide .group").first.locator(".card").count() >= 2


def test_copies_lie_side_by_side(page, dataset):
    page.click("#tab-copies")
    page.wait_for_selector("#queue.wide .card")  # one picture alone is a group, too, in the view before
    boxes = [c.bounding_box() for c in page.query_selector_all(".group:first-child .card")]
    assert len(boxes) >= 2 and abs(boxes[0]["y"] - boxes[1]["y"]) < 5 and boxes[0]["x"] < boxes[1]["x"]
    n = page.locator(".group").first.locator(".card").count()
    page.locator(".group").first.get_by_role("button", name="Keep all").click()
    page.wait_for_function("n => document.querySelectorAll('.card.done').length == n", arg=n)
    assert len(decisions(dataset)) == n


def test_titles_from_the_web_stay_text(page):
    card = page.locator(".card").filter(has_text="<img src=x")
    assert card.count() == 1 and card.locator("a").count() == 0 and card.locator("img").count() == 1


def test_readable_on_a_phone_and_without_eyes(page):
    page.set_viewport_size(dict(width=390, height=800))
    for tab in ("labels", "copies", "conflicts", "outliers", "refused"):
        page.click(f"#tab-{tab}")
        page.wait_for_selector(f"#main[aria-labelledby=tab-{tab}] .card")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
        small = page.evaluate("[...document.querySelectorAll('.acts button, .acts select')]"
                              ".filter(b => b.getBoundingClientRect().height < 36).length")
        assert small == 0, tab
        assert page.evaluate("[...document.querySelectorAll('img')]"
                             ".filter(i => i.closest('.card') && !i.alt).length") == 0
        assert page.evaluate("[...document.querySelectorAll('button')]"
                             ".filter(b => !(b.ariaLabel || b.textContent.trim())).length") == 0
    assert page.evaluate("document.querySelector('#said').getAttribute('aria-live')") == "polite"
    assert page.evaluate("document.documentElement.lang") == "en"


def contrast(page, selector):
    "Contrast of text and ground, as WCAG defines it"
    return page.evaluate("""selector => {
      const el = document.querySelector(selector), rgb = s => s.match(/[\\d.]+/g).map(Number)
      const ground = e => { const c = rgb(getComputedStyle(e).backgroundColor);
                            return c[3] === 0 ? ground(e.parentElement) : c }
      const light = c => { const [r, g, b] = c.slice(0, 3).map(
                             v => (v /= 255) <= .03928 ? v/12.92 : ((v + .055)/1.055)**2.4);
                           return .2126*r + .7152*g + .0722*b }
      const [a, b] = [light(rgb(getComputedStyle(el).color)), light(ground(el))].sort((x, y) => y - x)
      return (a + .05)/(b + .05)}""", selector)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(page, scheme):
    page.emulate_media(color_scheme=scheme)
    for selector in ("h1", "#progress", "#about", ".fine", ".chip", ".keep", ".drop", ".hint", "#views button",
                     ".move.main"):
        assert contrast(page, selector) >= 4.5, (selector, scheme)
    assert complaints(page) == []
    page.locator(".card .picture").first.click()
    page.wait_for_selector("#large .near")
    assert complaints(page) == []


def test_a_stopped_program_is_told(tab, dataset):
    with ReviewServer(dataset, who="tester") as server:
        tab.goto(server.url)
        tab.wait_for_selector(".card")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("k")
    tab.wait_for_function("() => document.querySelector('#wrong').textContent.includes('birdornot review')")
    assert decisions(dataset) == []


def test_many_decide_at_once(dataset):
    "Two pages and a notebook decide at the same time: every decision is there, and the files are what the ledger says"
    with Ledger(dataset) as ledger: ids = [r["id"] for r in ledger.rows(status="clean")]
    with ReviewServer(dataset, who="one") as one, ReviewServer(dataset, who="two") as two:
        def work(job):
            i, id = job
            if i % 3 == 2: return decide(dataset, id, "discard", who="three")
            server, action = (one, "discard") if i % 3 else (two, "keep")
            request = urllib.request.Request(f"{server.url}api/decide", json.dumps(dict(id=id, action=action)).encode(),
                                             {"Content-Type": "application/json"})
            return json.loads(urllib.request.urlopen(request).read())
        with ThreadPoolExecutor(8) as pool: list(pool.map(work, enumerate(ids)))
    made = decisions(dataset)
    assert sorted(d["picture"] for d in made) == sorted(ids)
    with Ledger(dataset) as ledger: clean = sorted(r["file"] for r in ledger.rows(status="clean"))
    assert seen(dataset) == clean and len(clean) == len(ids[::3])
    for _ in made: undo_decision(dataset)
    with Ledger(dataset) as ledger: assert len(ledger.rows(status="clean")) == len(ids)
    assert len(seen(dataset)) == len(ids)


def test_killed_in_the_middle(dataset):
    """Threat: lost work.

    kill -9 while deciding: afterwards ledger and files agree, and cleaning has nothing to mend that it cannot."""
    with Ledger(dataset) as ledger: ids = [r["id"] for r in ledger.rows(status="clean")]
    script = (f"from birdornot.review import decide, undo_decision\nimport itertools\nprint('go', flush=True)\n"
              f"for i in itertools.cycle({ids}):\n    decide({str(dataset)!r}, "
              f"i, 'discard', who='x'); undo_decision({str(dataset)!r})\n")
    for wait in (0.15, 0.4, 0.7):
        job = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ)
        assert job.stdout.readline() == b"go\n"
        threading.Event().wait(wait)
        job.send_signal(signal.SIGKILL)
        job.wait()
        with ReviewServer(dataset): pass
        clean_images(dataset, progress=False)
        with Ledger(dataset) as ledger: rows = ledger.rows(status="clean")
        assert seen(dataset) == sorted(r["file"] for r in rows) and len(rows) >= len(ids) - 1
        standing = [d for d in decisions(dataset) if not d["undone"] and d["action"] != "undo"]
        for _ in standing: undo_decision(dataset)
        assert len(seen(dataset)) == len(ids)


@pytest.mark.parametrize("action", ["discard", "keep"])
def test_an_original_that_a_killed_run_had_moved_is_found(dataset, action):
    "Killed between moving the file and writing that down: the decision is taken back all the same"
    with Ledger(dataset) as ledger: row = ledger.rows(status="clean")[0]
    decide(dataset, row["id"], action, who="x")
    with Ledger(dataset) as ledger: name = ledger.rows(id=row["id"])[0]["original"]
    place, _, rest = name.partition("/")
    other = dict(originals="quarantine", quarantine="originals")[place]
    (dataset/other/rest).parent.mkdir(parents=True, exist_ok=True)
    (dataset/name).rename(dataset/other/rest)
    if action == "keep": (dataset/row["file"]).unlink()
    undo_decision(dataset)
    if action == "keep": clean_images(dataset, progress=False)
    with Ledger(dataset) as ledger: now = ledger.rows(id=row["id"])[0]
    assert now["status"] == "clean" and (dataset/now["file"]).exists() and (dataset/now["original"]).exists()


def test_from_the_command_line(dataset, browser):
    done = birdornot("suspects", dataset, "--n", "3")
    assert done.returncode == 0, done.stderr
    assert "labels are doubted" in done.stderr or "are probably wrong" in done.stderr  # so few say little
    assert len(done.stdout.splitlines()) <= 3
    done = birdornot("report", dataset)
    assert done.returncode == 0 and "nothing has been trained" in done.stderr, done.stderr
    asked = []
    for scheme, width in (("light", 1200), ("dark", 390)):
        page = browser.new_page(viewport=dict(width=width, height=800), color_scheme=scheme)
        page.on("request", lambda r: asked.append(r.url))
        page.goto((dataset/"report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].every(i => i.alt && i.naturalWidth)")
        assert contrast(page, "header p") >= 4.5 and contrast(page, "figcaption") >= 4.5
        page.close()
    assert {u.split(":")[0] for u in asked} <= {"file", "data"}


def test_review_from_the_command_line(dataset):
    job = subprocess.Popen([*PROGRAM, "review", str(dataset), "--no-browser", "--who", "tester"], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    url = job.stdout.readline().strip()
    assert urllib.request.urlopen(url).read().startswith(b"<!doctype html>")
    job.send_signal(signal.SIGINT)
    out, err = job.communicate(timeout=60)
    assert job.returncode == 0 and "0 decisions stand" in err, err


def test_stopped_while_the_browser_opens(dataset, monkeypatch):
    def stop(url): raise KeyboardInterrupt
    monkeypatch.setattr("webbrowser.open", stop)
    from birdornot.review import review
    assert review(dataset, who="tester") == 0


def test_review_needs_a_dataset(tmp_path):
    done = birdornot("review", tmp_path)
    assert done.returncode == 1 and "not a birdornot dataset" in done.stderr and "Traceback" not in done.stderr
