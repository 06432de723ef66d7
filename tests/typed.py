"""A user's program that mypy and pyright read, both strict, and nobody runs: README, and all that 13 chapters export.

`assert_type` fails where something is `Any` or less than it should be; `tests/test_types.py` compares the names."""
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import assert_type

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from birdornot import (
    cache,
    evaluate,
    head,
    hits,
    lock,
    make,
    novelty,
    predict,
    project,
    publish,
    search,
    split,
    suspects,
)
from birdornot.clean import CleanReport, clean_images
from birdornot.predict import Classifier

Row = dict[str, object]


def readme() -> dict[str, float]:
    is_it = Classifier("bird_or_forest/model")
    return is_it("garden.jpg").probabilities


def cleaned(dest: Path) -> None:
    report = clean_images(dest)
    assert_type(report, CleanReport)
    assert_type(report.counts, dict[str, dict[str, int]])  # patched into the class, as all that follow
    assert_type(report.reasons, Counter[str])
    assert_type(report.look_alikes + report.conflicts + [report.odd], list[list[Row]])
    assert_type(report.sessions, dict[str, int])


def projects(path: Path) -> None:
    layout = project.layout_of(project.named_path(path))
    assert_type(layout, project.Layout)
    assert_type(project.known_layout(path), project.Layout | None)
    for other in (project.beside_layout(path), project.lesson_layout(path), project.fillable(path)):
        project.check_apart(other.photos, layout)
    assert_type(layout.model, Path)
    assert_type(project.name_parts("a/b"), list[str])
    assert_type(project.read_about(project.copy_of_ledger(layout.ledger)), dict[str, str])
    assert_type(project.has_pictures(path) and project.safe_name("bird"), bool)
    texts = [project.seen_from(layout), project.how_to_fix_labels(path), project.clean_label(" bird"),
             project.label_key("b"), project.folder_name("C++"), project.part_name("val"),
             project.place_of(path, "a.jpg"),
             project.folder_label(layout, "bird"), project.label_of(path, "a.jpg"), *project.split_label("bird+forest")]
    assert_type(texts, list[str])
    assert_type(project.class_folders(path), list[Path])
    assert_type(project.loose_pictures(path), dict[Path, str])
    assert_type(project.part_folders(path) | project.parts_of(layout), dict[str, Path])


def found(folder: Path) -> hits.Hits:
    try: some = search.search_images("bird", n=30, source="folder", folder=folder)
    except (hits.NoHits, hits.SourceFailed) as e: raise SystemExit(str(e)) from e
    assert_type(some, hits.Hits)
    assert_type(some[0], hits.Hit)
    assert_type([h.width for h in some], list[int | None])
    assert_type(hits.Hits.load(some.save("hits.jsonl")), hits.Hits)
    assert_type(hits.make_hit("bird", "https://example.org/1.jpg"), hits.Hit | None)
    assert_type(hits.positive_int("3"), int | None)
    assert_type([hits.http_url("x"), hits.term_slug("a b"), hits.picture_address(folder, "1.jpg")], list[str])
    assert_type(hits.folder_terms(folder) + hits.table_terms("labels.csv"), list[str])
    assert_type(hits.folder_facts(folder/hits.FACTS), dict[str, dict[str, object]])
    assert_type(hits.outside_classes(folder, ["bird"]), dict[Path, str])
    ask = hits.Query("bird", "bird", folder=folder)
    assert_type(hits.folder_hits(ask), Iterator[hits.Hit])
    assert_type(hits.table_hits(ask), Iterator[hits.Hit])
    for line, row in [*hits.read_rows("labels.csv"), *hits.table_rows("labels.csv")]:
        assert_type(line, int)
        assert_type(hits.known_columns(row), Row)
    return some


def searched() -> None:
    memory = search.Memory()
    memory.write("bing")
    assert_type(memory.read(), dict[str, list[float | str]])
    assert_type(search.canonical_url("https://example.org"), str)
    assert_type(search.queries("bird") + search.hard_negatives("bird"), list[str])
    assert_type(search.doctor(sources=search.AUTO), search.Checkup)
    assert_type([*search.SOURCES["bing"](hits.Query("bird", "bird"))], list[hits.Hit])


def locked(dest: Path) -> dict[str, dict[str, int]]:
    assert_type(lock.write_lock(dest, lock.lock_file(dest)), int)
    assert_type([[row[name] for name in lock.LOCKED] for row in lock.locked_rows(dest)], list[list[object]])
    again = lock.rebuild("birds.lock", dest)
    assert_type(again, lock.Rebuilt)
    return again.counts


def divided(path: Path) -> None:
    files = split.picture_files(path) or split.known_files(path)
    assert_type(files, list[Path])
    labels, groups = split.file_labels(split.dataset_folder(files), files), split.duplicate_groups(path, files)
    assert_type(labels + split.origin_groups(path, files, by="session"), list[str])
    assert_type(split.origins(path, files, "author"), list[str | None])
    assert_type(split.ledger_rows(path, files), list[Row | None])
    assert_type(split.name_groups(split.islands([[1], [1, 2]]).tolist(), groups), list[str])
    assert_type(split.time_and_camera(files[0]), tuple[datetime | None, str | None])
    assert_type(split.close_in_time(path, files, groups, split.SESSION_BREAK.total_seconds()), float)
    near = split.join_alike(np.zeros((len(files), 8), np.float32), labels, groups)
    assert_type(near, list[str])
    assert_type(split.ALIKE + split.APART + split.MOST_COPIES, float)
    if len(set(groups)) >= split.MIN_GROUPS: split.check_classes(labels, groups)
    print(split.classes_aside(path), split.stratified_folds(labels, groups).max())
    train, valid = split.split_by_group(labels, groups)
    assert_type(split.split_files(path), tuple[list[Path], list[str], list[int], list[int]])
    split.record_split(path, [files[i] for i in train], [files[i] for i in valid])


def evaluated(e: evaluate.Evaluation, other: evaluate.Evaluation) -> None:
    assert_type([e.error, *e.interval, e.ece, e.coverage, *evaluate.wilson(1, 10)], list[float])
    assert_type(e.interval_of(e.said != e.targets), tuple[float, float])
    assert_type(e.per_class + e.top_losses(3), list[Row])
    assert_type([e.balanced_error, e.answered_error, e.baseline_error], list[float | None])
    assert_type(e.commonest, str | None)
    assert_type(e.show_top_losses(), Image.Image)
    assert_type(e.as_text(), str)
    assert_type([e.plot_confusion(), e.plot_coverage(e.plot_reliability())], list[Axes])
    assert_type(e.plot(), Figure)
    comparison = evaluate.compare(e, other)
    assert_type(comparison, evaluate.Comparison)
    assert_type(comparison.different, bool)
    def wrong(result: evaluate.Evaluation) -> float: return result.error
    assert_type(evaluate.bootstrap_interval(e, wrong), tuple[float, float])
    assert_type(evaluate.share_interval(e.right, wider=evaluate.WIDER), tuple[float, float])
    assert_type(evaluate.effective_n(["a", "b"]) + evaluate.ENOUGH_ANSWERS, float)
    for array in evaluate.twins(e.probabilities): print(array.mean())
    for row in e.unsure_curve(max_novelty=1.5, label="bird"): print(row["error"], evaluate.SILENT)


def solved(x: np.ndarray[tuple[int, int], np.dtype[np.float32]], y: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    folds = y % 5
    _, _, logits, strength = head.solve_head(x, y, folds)
    assert_type(strength, float)
    temperature, shift = head.calibrate(logits, y)
    p = head.probabilities(logits + shift, temperature)
    print(head.class_prior("bird=1,forest=4", ["bird", "forest"]), head.cross_calibrate(logits, y, folds).shape)
    assert_type(head.STRENGTHS, tuple[int, int, int])
    assert_type(head.STEPS + head.CLOSE + head.PATIENCE, float)
    assert_type(novelty.RANK + novelty.MORE + novelty.FLOOR, float)
    print(novelty.projection(1280, 42).shape)
    seen, strange = novelty.fit_novelty(x, folds, y, (x[:9].T, x[0]))
    assert_type(seen.strangeness, novelty.Strangeness | None)
    assert_type(novelty.SHARPNESS + novelty.REMEMBERED + novelty.CERTAINTY, float)
    assert_type(novelty.allowed(100, 0.05, novelty.SURER), int)
    assert_type(novelty.SHARES, tuple[float, ...])
    print(novelty.PACKAGED_OOD)
    assert_type(seen, novelty.Novelty)
    chosen = novelty.choose_thresholds(p.max(1), p.argmax(1) == y, strange, (p.max(1), seen(x)))
    assert_type(chosen, dict[str, float | None])
    assert_type(novelty.ood_names(["bird"]), list[str])
    assert_type(novelty.ood_files(["bird"]), list[Path])
    print(novelty.ood_embeddings().shape, suspects.out_of_fold(x, ["bird"], ["1"]).shape)


def suspected(path: Path) -> None:
    some = suspects.find_suspects(path)
    assert_type(some, suspects.Suspects)
    assert_type(some.wrong_labels + some.outliers + some.disagreed, list[Row])
    assert_type(some.lines(3), list[str])
    assert_type(some.contact_sheet(), Image.Image)
    suspects.rank_once(path)
    leak = suspects.leak_report(path)
    assert_type(leak, suspects.LeakReport)
    assert_type([leak.gap, *leak.random, suspects.PROBABLY_WRONG], list[float])


def predicted(model: Path, photo: bytes) -> None:
    clf = predict.Classifier(model, prior={"bird": 0.5, "forest": 0.5})
    one = clf(photo)
    assert_type(one, predict.Prediction)
    assert_type(one.answer, str)
    assert_type([one.novelty, one.limit], list[float | None])
    assert_type(predict.WORDS, dict[str, str])
    assert_type(one.strange, bool)
    assert_type(one.as_dict(), Row)
    assert_type(clf.labels, list[str])
    photos = predict.find_photos(["holiday"])
    assert_type(photos, list[str | Path])
    answers = clf.predict_many(photos)
    assert_type(answers, Iterator[predict.Prediction])
    answers = predict.tag_photos(answers, clf.labels, left := predict.untag_photos(["holiday"]))
    assert_type(left, dict[str, str])
    answers = predict.write_csv(answers, clf.labels, "answers.csv")
    for answer, copy in predict.sort_into(answers, clf.labels, "sorted"):
        assert_type(answer.label, str)
        assert_type(copy, Path | None)
    n, _ = predict.predict_photos(clf, ["holiday"])
    assert_type(predict.sure_errors(predict.Classifier(model, unsure="bird=0.3")), str)
    assert_type(n, int)
    assert_type([clf.evaluate("photos"), predict.judge(clf, photos, ["bird"])], list[evaluate.Evaluation])
    picture = predict.read_photo("a.jpg")
    assert_type(picture, Image.Image)
    assert_type(predict.make_predictions(clf.run(clf.pixels(picture)[None]), clf.info, ["a.jpg"]),
                list[predict.Prediction])
    if predict.load_reference(clf) and predict.compare_answers(clf, photos_answered := list(answers)).unlike:
        print(predict.check_photos(clf, ["holiday"], "thirty.csv", "check.html"), len(photos_answered))
        print(predict.WATCHED, predict.MANY)
    if predict.is_address("a.jpg") or predict.is_outdated(model): predict.say_outdated(model)


def made() -> None:
    done = make.make(["bird", "forest"], n=20)
    assert_type(done, make.Made)
    assert_type(done.as_dict(), Row)
    assert_type(done.result, evaluate.Evaluation)
    dest = make.default_dataset(["bird", "forest"])
    make.check_dataset(dest, "make it")
    make.check_words(["bird"], dest)
    make.check_training("probe", "tf_efficientnet_lite0", epochs=make.EPOCHS)
    some = make.find_hits("bird", n=10)
    for more in (make.find_missing(["bird"], dest), make.find_in_folder(["bird"], dest, "photos")): some += more
    make.keep_found([some], print)
    words = make.class_labels(["bird"]) + make.class_words([], folder="photos") + make.combined_terms(["bird"])
    assert_type(words + sorted(make.classes_of(dest)), list[str])
    assert_type([make.evaluate(dest, folds=5), make.exam("a.zip", "photos")], list[evaluate.Evaluation])
    assert_type([make.export(dest), make.report(dest)], list[Path])
    assert_type(make.hand_out(dest), Iterator[str])
    assert_type(make.answer(dest, "a.jpg"), predict.Prediction)
    why = make.explain(dest, "a.jpg")
    assert_type(why, make.Explanation)
    assert_type(why.nearest, list[Row])
    assert_type(make.held_for_test(test="exam"), list[tuple[Path | str, str]])
    for trained in (make.train(dest), make.last_trained(dest)): print(trained)


def given_away(rows: list[Row]) -> None:
    try: publish.check_licences(rows)
    except publish.LicenceError: raise
    assert_type(publish.write_space("bird_or_forest/model", "space"), Path)
    cache.keep_vectors("mine", cache.cached_vectors("mine", ["ab"]), limit=cache.CACHE_BYTES)
    assert_type(cache.cache_contents(), list[Row])
    print(cache.empty_cache(), cache.describe_cache())
