"""The studio: its folder, its words, its page in a real browser, and what it computes beside what Python does."""
import base64
import functools
import hashlib
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from browser import NODE, chromium, needs_chromium, needs_node, static_server, watched
from PIL import Image
from roughpictures import REFUSED, saved

from birdornot.clean import measures
from birdornot.core import DatasetError
from birdornot.drawing import draw
from birdornot.duplicates import (
    colour_thumbnail,
    look_alikes,
    perceptual_hashes,
    same_look,
    session_blocks,
    session_members,
)
from birdornot.embed import backbone_answers
from birdornot.evaluate import Evaluation, effective_n
from birdornot.head import probabilities
from birdornot.novelty import allowed, ood_embeddings, ood_names, projection
from birdornot.probe import (
    class_targets,
    error_without_twins,
    fit_probe,
    head_logits,
    ood_answers,
    solve_and_judge,
    warn_of_bursts,
)
from birdornot.sample import sample_picture
from birdornot.split import join_alike, split_by_group, stratified_folds
from birdornot.studio import studio_constants, write_studio
from birdornot.suspects import PROBABLY_WRONG, out_of_fold
from birdornot.web import WebError, web_runtime
from birdornot.why import class_activation, overlay

PAGE = Path(__file__).parents[1]/"birdornot"/"page"
PHOTOS = sorted((Path(__file__).parents[2]/"shared"/"photos").rglob("*.jpg"))
TABLES = {f.stem: json.loads(f.read_text(encoding="utf-8")) for f in (PAGE/"words").glob("*.json")}


@pytest.mark.parametrize("language", sorted(TABLES))
def test_a_language_has_all_words(language):
    assert set(TABLES[language]) == set(TABLES["en"])


# ---- what it computes, beside Python: its modules run by node

GIVEN = """import fs from "node:fs";
const given = JSON.parse(fs.readFileSync(0, "utf8"), (k, v) => v?.float32 ? new Float32Array(Uint8Array.from(
  Buffer.from(v.float32, "base64")).buffer) : v?.uint8 ? Uint8Array.from(Buffer.from(v.uint8, "base64")) : v);
const say = said => process.stdout.write(JSON.stringify(said, (k, v) => ArrayBuffer.isView(v) ? Array.from(v) : v));
"""


def as_json(v):
    "Arrays as texts, which node reads fast"
    if isinstance(v, np.ndarray) and v.dtype == np.uint8: return dict(uint8=base64.b64encode(v.tobytes()).decode())
    if isinstance(v, np.ndarray): return dict(float32=base64.b64encode(np.asarray(v, np.float32).tobytes()).decode())
    raise TypeError(type(v))


def in_node(imports, code, **given):
    "What a line of JavaScript with our modules says"
    lines = "".join(f'import {{{names}}} from "{(PAGE/module).as_uri()}";\n' for module, names in imports.items())
    done = subprocess.run([NODE, "--input-type=module", "-e", f"{lines}{GIVEN}{code}"], capture_output=True, text=True,
                          input=json.dumps(given, default=as_json), encoding="utf-8")
    assert not done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout)


@functools.cache
def constants(): return json.loads(json.dumps(studio_constants()))


def near(ours, theirs, most=1e-4):
    "Are all numbers the same, up to a share `most` of the largest?"
    ours, theirs = np.ravel(np.asarray(ours, float)), np.ravel(np.asarray(theirs, float))
    return ours.shape == theirs.shape and np.abs(ours - theirs).max() <= most*np.abs(theirs).max()


def clouds(n, k, seed, apart=1.0, width=1280):
    "Embeddings N×C of K kinds, as uneven as real ones: never below zero, wide in some directions, flat in most"
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    rough = rng.normal(size=(n, 60))/np.arange(1, 61)**0.7
    rough[:, :k] += apart*np.eye(k)[y]
    x = np.maximum(0, rough @ rng.normal(size=(60, width)) + rng.normal(size=(n, width))*0.5)
    return x.astype(np.float32), y


JUDGE = """const ood = {x: given.ood, names: given.constants.ood.names};
Object.assign(given.constants.novelty, {projection: given.projection, answers: given.answers});
say(given.sets.map(({x, labels, groups}) => solveAndJudge(x, labels, groups, ood, given.constants, 42)));"""


@pytest.fixture(scope="module")
def sets():
    "Embeddings, few, of three classes, with copies; enough to hold some out; hardly any; bursts; what our modules say"
    few, y = clouds(66, 3, 1)
    many, z = clouds(270, 2, 2, 0.7)
    least, w = clouds(11, 2, 3)
    names = ["Ärger", "b+c", "\U0001f426"]
    made = [dict(x=few, labels=[names[i] for i in y], groups=[f"group {i//2 if i < 20 else i}" for i in range(66)]),
            dict(x=many, labels=["bird" if i else "forest" for i in z], groups=[f"{i}" for i in range(270)]),
            dict(x=least, labels=["ab"[i] for i in w], groups=[f"{i}" for i in range(11)])]
    cut, u = clouds(92, 2, 5)  # crops of six pictures, fourteen more or less like another one, thirteen of a kind
    cut[60:66], u[60:66] = cut[:6] + np.random.default_rng(6).normal(0, .3, (6, 1280)), u[:6]
    cut[66:80] = cut[10] + np.random.default_rng(7).normal(size=(14, 1280))*np.linspace(.3, 1.2, 14)[:, None]
    cut[80:] = cut[20] + np.random.default_rng(8).normal(size=(12, 1280))*.2
    burst, v = clouds(36, 2, 4)
    for i in range(1, 36, 3): burst[i], v[i] = burst[i - 1] + np.random.default_rng(i).normal(size=1280), v[i - 1]
    made.append(dict(x=burst, labels=["ab"[i] for i in v], groups=[f"{i}" for i in range(36)]))
    made.append(dict(x=cut, labels=["ab"[i] for i in u], groups=[f"{i:02}" for i in range(92)]))
    axes, offset = backbone_answers()
    said = in_node({"studio/judge.js": "solveAndJudge"}, JUDGE, sets=made, ood=ood_embeddings(), constants=constants(),
                   projection=projection(1280, 42), answers=dict(axes=axes, offset=offset))
    return list(zip(made, said))


@needs_node
@pytest.mark.parametrize("which", range(5))
def test_a_head_is_that_of_python(sets, which):
    given, said = sets[which]
    x, names, groups = given["x"], given["labels"], join_alike(**given)
    assert said["groups"] == groups and len(set(groups)) == len(set(given["groups"])) - 6*(which == 4)
    assert said["joined"] == sum(groups.count(g) > given["groups"].count(g) for g in groups)
    labels, y = class_targets(names)
    train, valid = split_by_group(names, groups)
    choosing = ood_embeddings(labels, "choose")
    head, _, result, positions = solve_and_judge(x, y, labels, names, groups, train, valid, choosing,
                                                 answers=backbone_answers())
    ours = said["head"]
    assert said["enough"] and ours["labels"] == labels and (said["train"], said["valid"]) == (train, valid)
    assert near(ours["weight"], head.weight) and near(ours["bias"], head.bias) and near(ours["prior"], head.prior)
    assert ours["temperature"] == pytest.approx(head.temperature, rel=1e-9)
    logits = x @ np.reshape(ours["weight"], head.weight.shape).T + ours["bias"]
    assert near(logits, head_logits(head, x))
    promised = [limits.pop("promised") for limits in (ours["unsure"], head.unsure)]
    assert promised == [None if which in (2, 3) else .95]*2 and said["least"] == 45
    assert ours["unsure"] == pytest.approx(head.unsure, rel=1e-4)
    parts = "mean", "scale", "centre", "less", "step"
    assert [name for name in parts if not near(ours["novelty"][name], getattr(head.novelty, name))] == []
    parts, strange = ("axes", "offset", "known", "step"), head.novelty.strangeness
    assert [name for name in parts if not near(ours["novelty"]["strangeness"][name], getattr(strange, name))] == []
    judged = said["judged"]
    assert judged["positions"] == positions and near(judged["novelty"], result.novelty)
    assert np.abs(np.reshape(judged["probabilities"], result.probabilities.shape) - result.probabilities).max() < 1e-4
    assert judged["unsure"] == result.unsure.astype(int).tolist() and judged["right"] == result.right.tolist()
    assert judged["confusion"] == result.confusion.tolist()
    limit = head.unsure["max_novelty"]
    curves = {"": result.unsure_curve(limit)} | {lbl: result.unsure_curve(limit, lbl) for lbl in labels}
    assert set(said["curve"]) == set(curves)
    for lbl, rows in curves.items():
        assert all(a == pytest.approx(b, rel=1e-4) for a, b in zip(said["curve"][lbl], rows, strict=True)), lbl
    theirs = result.as_dict()
    rows = zip(judged["per_class"], theirs.pop("per_class"), strict=True)
    assert all(a == pytest.approx(b) for a, b in rows)
    theirs.pop("warnings")  # of bursts: below
    assert {k: judged[k] for k in theirs} == pytest.approx(theirs)
    assert judged["effective_n"] == pytest.approx(effective_n(result.groups))
    assert said["ood"] == ood_answers(head, ood_embeddings(labels, "judge"), ood_names(labels, "judge"))


@needs_node
def test_what_may_be_lost_is_counted_as_in_python():
    cases = [(n, share) for n in (0, 1, 10, 44, 45, 46, 300, 3000) for share in (0, .01, .05, .2, .999, 1)]
    code = "say(given.cases.map(([n, share]) => allowed(n, share, given.certainty)));"
    said = in_node({"studio/novelty.js": "allowed"}, code, cases=cases, certainty=constants()["limits"]["certainty"])
    assert said == [allowed(n, share) for n, share in cases]


@needs_node
@pytest.mark.parametrize("which", [0, 1])
def test_the_labels_it_doubts_are_those_that_python_doubts(sets, which):
    given, said = sets[which]
    names, y = given["labels"], class_targets(given["labels"])[1]
    probs = out_of_fold(given["x"], names, join_alike(**given))
    own = probs[np.arange(len(y)), y]
    doubted = [i for i in np.argsort(own, kind="stable").tolist() if own[i] < PROBABLY_WRONG]
    assert [s["position"] for s in said["suspects"]] == doubted and not said["abstains"]
    assert near([s["score"] for s in said["suspects"]], own[doubted]) if doubted else which == 0
    assert said["disagreed"] == int((probs.argmax(1) != y).sum())


@needs_node
@pytest.mark.parametrize("crossed", [False, True])
def test_answers_are_judged_as_in_python(crossed):
    rng, n = np.random.default_rng(5), 420
    y, p = rng.integers(0, 3, n), rng.dirichlet([.4]*3, n)
    p[np.arange(n), y] += rng.random(n)
    p /= p.sum(1, keepdims=True)
    groups, unsure = [f"g{i//2 if i < 120 else i}" for i in range(n)], rng.random(n) < .1
    result = Evaluation(["a", "b", "c"], y, p, unsure=unsure, groups=groups, known=.8,
                        judged="cross-validated" if crossed else "")
    code = """const probabilities = Float64Array.from(given.p.flat());
    say(judged(completed({...given.answers, probabilities}), given.constants));"""
    answers = dict(labels=["a", "b", "c"], y=y.tolist(), groups=groups, unsure=unsure.tolist(), known=.8,
                   crossValidated=crossed)
    said = in_node({"studio/evaluate.js": "completed, judged"}, code, answers=answers, p=p.tolist(),
                   constants=constants())
    theirs = {k: v for k, v in result.as_dict().items() if k != "warnings"}
    assert all(a == pytest.approx(b) for a, b in zip(said["per_class"], theirs.pop("per_class"), strict=True))
    drawn = [[d.pop(k) for k in ("ece_low", "ece_high")] for d in (said, theirs)]
    assert drawn[0] == pytest.approx(drawn[1], abs=.02) and drawn[0][1] - drawn[0][0] > .05  # other dice, same interval
    assert {k: said[k] for k in theirs} == pytest.approx(theirs) and said["confusion"] == result.confusion.tolist()


@needs_node
@pytest.mark.parametrize("which", [0, 3])
def test_bursts_are_seen_as_python_sees_them(sets, which):
    given, said = sets[which]
    groups = join_alike(**given)
    theirs = error_without_twins(given["x"], class_targets(given["labels"])[1], given["labels"], groups)
    ours = said["judged"]["bursts"]
    assert (ours is None) == (theirs is None) == (which == 0)
    if theirs: assert (ours["error"], ours["rise"]) == pytest.approx(theirs)
    warned = [text.split(". ")[0] for text in warn_of_bursts(theirs)]
    assert [text.split(". ")[0] for text in said["judged"]["warnings"]] == warned and len(warned) == (which == 3)


@needs_node
def test_folds_and_splits_are_those_of_python():
    rng, cases = np.random.default_rng(0), []
    for seed in range(40):
        n, k = int(rng.integers(12, 90)), int(rng.integers(2, 5))
        words = ["bird", "Forest", "bird+Forest", "\ufffd", "\U0001f426", "ä"][:k + 1]
        marks = rng.integers(0, int(n*rng.uniform(.4, 1)) + 1, n)
        kind = {g: words[rng.integers(len(words))] for g in marks.tolist()}
        labels = [kind[g] if rng.random() > .05 else words[0] for g in marks.tolist()]
        cases.append(dict(labels=labels, groups=[f"{g:x}" for g in marks.tolist()], seed=seed))
    code = """say(given.cases.map(({labels, groups, seed}) => [
      Array.from(stratifiedFolds(labels, groups, seed, given.head)), effectiveN(groups),
      missingFor(labels, groups, given.head) ? null : splitByGroup(labels, groups, seed, given.head)]));"""
    said = in_node({"studio/split.js": "effectiveN, missingFor, splitByGroup, stratifiedFolds"}, code, cases=cases,
                   head=constants()["head"])
    split = 0
    for case, (folds, n, parts) in zip(cases, said, strict=True):
        labels, groups, seed = case.values()
        assert folds == stratified_folds(labels, groups, seed=seed).tolist() and n == pytest.approx(effective_n(groups))
        try: theirs = split_by_group(labels, groups, seed=seed)
        except DatasetError: assert parts is None
        else: assert (parts["train"], parts["valid"]) == theirs and (split := split + 1)
    assert 5 < split < 40


def variants():
    "Name → picture: scenes, and copies of them as people make them"
    from roughpictures import scene
    scenes = {f"scene {i}": scene((320, 240), i) for i in range(6)}
    im = draw("bird", 9_100).convert("RGB")
    im.thumbnail((400, 400))
    other = draw("forest", 9_101).convert("RGB")
    other.thumbnail((400, 400))
    w, h = im.size
    return scenes | {
        "bird": im, "smaller": im.resize((w//2, h//2)), "mirrored": im.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "brighter": im.point(lambda v: min(255, int(v*1.15 + 8))), "cropped": im.crop((6, 4, w - 6, h - 5)),
        "saved anew": Image.open(io.BytesIO(saved(im, quality=60))), "grey": im.convert("L").convert("RGB"),
        "forest": other, "forest, grey": other.convert("L").convert("RGB"), "forest again": other.copy(),
        "tiny": other.resize((50, 37)),
        "blank": Image.new("RGB", (64, 48), (120, 130, 140)), "flat": Image.new("RGB", (64, 48), "white")}


HASH = """const {hashes} = given.constants;
const rows = given.pictures.map(({data, size: [width, height]}) => fingerprints({data, width, height}, hashes));
const {node, pairs} = alikePairs(rows, hashes);
const facts = rows.map((r, i) => ({...r, sha256: given.names[i], label: "a", width: i, height: 1, name: ""}));
const map = new Map(), known = {get: (i, j) => map.get(`${i} ${j}`), set: (i, j, is) => map.set(`${i} ${j}`, is)};
const again = [1, 2].map(() => copyGroups(facts, hashes, known));
say({rows, node, pairs, groups: copyGroups(facts, hashes), again, looked: map.size});"""


@needs_node
def test_copies_are_those_that_python_finds():
    pictures = variants()
    names = [hashlib.sha256(name.encode()).hexdigest() for name in pictures]
    sent = [dict(data=np.frombuffer(im.tobytes(), np.uint8), size=im.size) for im in pictures.values()]
    said = in_node({"studio/hashes.js": "alikePairs, copyGroups, fingerprints"}, HASH, pictures=sent, names=names,
                   constants=constants())
    rows = [perceptual_hashes(im) for im in pictures.values()]
    for name, ours, theirs in zip(pictures, said["rows"], rows, strict=True):
        assert bytes(ours["look"]) == base64.b64decode(theirs["thumb"]), name
        for mine, key in (("phash", "phash"), ("mirror", "phash_mirror")):
            apart = int.from_bytes(bytes(ours[mine])) ^ int.from_bytes(bytes.fromhex(theirs[key]))
            assert apart.bit_count() <= 2 or name in ("blank", "flat"), (name, mine)  # whose bits are rounding alone
    assert [r["blank"] for r in said["rows"]] == [measures(im)["contrast"] < 2 for im in pictures.values()]
    real = [i for i, name in enumerate(pictures) if name not in ("blank", "flat")]
    theirs = look_alikes([rows[i] for i in real])
    ours = [said["groups"][i] for i in real]
    assert [[a == b for b in ours] for a in ours] == [[a == b for b in theirs] for a in theirs]
    assert ours == [min(names[j] for j, g in zip(real, theirs) if g == mine) for mine in theirs]
    assert len({*ours}) < len(ours) - 4
    assert said["again"] == [said["groups"]]*2 and said["looked"] >= len(said["pairs"]) > 2  # nothing is forgotten


def changed(im, rng):
    "A picture after some of what people do to copies: cropped, tinted, brighter, paler, noisier, mirrored"
    w, h = im.size
    left, top, right, low = (rng.uniform(0, .05, 4)*[w, h, w, h]).astype(int)
    x = np.asarray(im.crop((left, top, w - right, h - low)).resize((64, 48))).astype(float)
    x = x*rng.normal(1, .15, 3) + rng.normal(0, 12, 3) + rng.normal(0, rng.uniform(0, 40), x.shape)
    grey = rng.uniform(0, 1)*(rng.random() < .4)
    x = x*(1 - grey) + x.mean(2, keepdims=True)*grey
    return Image.fromarray((x[:, ::-1] if rng.random() < .3 else x).clip(0, 255).astype(np.uint8))


@needs_node
def test_a_closer_look_sees_what_python_sees():
    rng = np.random.default_rng(3)
    scenes = [draw(kind, 9_200 + i).convert("RGB") for kind in ("bird", "forest") for i in range(3)]
    thumbs = np.stack([np.frombuffer(base64.b64decode(colour_thumbnail(changed(scenes[i % 6], rng))), np.uint8)
                       for i in range(60)])
    i, j = np.triu_indices(60, 1)
    code = """const {hashes} = given.constants, n = given.thumbs.length/864;
    const seen = Array.from({length: n}, (_, i) => looks(given.thumbs.subarray(864*i, 864*i + 864), hashes)), out = [];
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++)
      out.push([false, true].map(mirrored => sameLook(seen[i], seen[j], mirrored, hashes)));
    say(out);"""
    said = np.array(in_node({"studio/hashes.js": "looks, sameLook"}, code, thumbs=thumbs, constants=constants()))
    theirs = np.stack([same_look(thumbs[i], thumbs[j], mirrored) for mirrored in (False, True)], 1)
    assert (said != theirs).sum() <= 1 and 50 < theirs.sum() < theirs.size/2  # one may lie on a limit


@needs_node
def test_sessions_are_those_that_python_finds():
    rng, cases = np.random.default_rng(1), []
    for _ in range(30):
        n, names = int(rng.integers(8, 60)), [f"IMG {i}{'x'*(i % 3)}.jpg" for i in rng.permutation(300)[:60].tolist()]
        chain = [(i, i + 1) for i in range(n - 1) if rng.random() > .1]
        rows = [dict(label="ab"[int(rng.random() < .1)], width=int(100 + (rng.random() < .15)), height=80, name=name)
                for name in names[:n]]
        cases.append(dict(rows=rows, pairs=chain))
    code = """const {hashes} = given.constants; say(given.cases.map(({rows, pairs}) => {
      const found = {node: rows.map((_, i) => i), pairs}, is = sessionMembers(found, rows, hashes);
      return [is, Array.from(sessionBlocks(rows.map(r => r.name), hashes))]; }));"""
    said = in_node({"studio/hashes.js": "sessionBlocks, sessionMembers"}, code, cases=cases, constants=constants())
    for case, (members, blocks) in zip(cases, said, strict=True):
        rows = case["rows"]
        labels, sizes = [r["label"] for r in rows], [(r["width"], r["height"]) for r in rows]
        assert members == session_members(np.arange(len(rows)), np.array(case["pairs"]), labels, sizes)
        assert blocks == session_blocks([r["name"] for r in rows])
    assert any(any(m) for m, _ in said) and not all(all(m) for m, _ in said)


@needs_node
def test_heat_is_drawn_as_in_python():
    rng, im = np.random.default_rng(0), draw("bird", 9_100).convert("RGB")
    im.thumbnail((300, 300))
    maps, weight = rng.random((16, 7, 7), np.float32), rng.normal(size=(2, 16)).astype(np.float32)
    code = """const heat = classActivation(given.maps, {weight: given.weight, bias: [0, 0]}, 1);
    const [width, height] = given.size;
    say([heat, overlay({data: given.data, width, height}, heat)]);"""
    heat, drawn = in_node({"studio/heat.js": "classActivation, overlay"}, code, maps=maps, weight=weight,
                          size=im.size, data=np.frombuffer(im.tobytes(), np.uint8))
    theirs = class_activation(maps[None], weight[1:])[0]
    assert near(heat, theirs, 1e-6)
    apart = np.abs(np.asarray(overlay(im, theirs), int).ravel() - drawn["data"])
    assert apart.max() <= 2 and apart.mean() < .2


@needs_node
def test_sha256_is_sha256():
    texts = ["", "abc", "x"*55, "x"*56, "x"*63, "x"*64, "é\U0001f426"*300]
    said = in_node({"studio/sha256.js": "sha256"}, "say(given.texts.map(sha256));", texts=texts)
    assert said == [hashlib.sha256(t.encode()).hexdigest() for t in texts]


# ---- photos, in a real browser

@pytest.fixture(scope="module")
def studio_site(tmp_path_factory):
    try: web_runtime()
    except WebError as e: pytest.skip(str(e))  # the npm registry cannot be reached
    return write_studio(tmp_path_factory.mktemp("studio")/"site")


@pytest.fixture(scope="module")
def studio(studio_site):
    "The page of the studio, which nothing has happened on yet, and the folder it was loaded from"
    with chromium() as browser, static_server(studio_site) as url, watched(browser, url) as page:
        yield page, studio_site


LOOK = """async files => {
  globalThis.constants ??= await (await fetch("studio.json")).json();
  globalThis.embedders ??= await (await import("./studio/embed.js")).Embedders.start(constants);
  return globalThis.photos = await Promise.all(files.map(async f =>
    ({id: f, name: f, ...await embedders.look({blob: await (await fetch(f, {cache: "no-store"})).blob()})})));
}"""
TRAIN = """async labels => {
  const {answer} = await import("./studio/judge.js"), {Trainer} = await import("./studio/trainer.js");
  const trainer = await Trainer.start(constants), map = await trainer.groups(photos, labels);
  const copies = photos.map(p => map.get(p.id)), found = await trainer.train(photos, labels, copies, 42);
  const {head, judged, groups} = found;
  const answers = photos.map(p => answer(head, p.embedding));
  return {groups, answers, wrong: judged.wrong, temperature: head.temperature};
}"""


def served(site, files):
    "Names under which the server has these files"
    (site/"photos").mkdir(exist_ok=True)
    for i, data in enumerate(files): (site/"photos"/f"{i}").write_bytes(data)
    return [f"photos/{i}" for i in range(len(files))]


def same_as_python(studio, files, folder):
    page, site = studio
    names = [f.parent.name for f in files]
    page.evaluate(f"async files => {{ await ({LOOK})(files); }}", served(site, [f.read_bytes() for f in files]))
    said = page.evaluate(TRAIN, names)
    probe = fit_probe(folder)
    assert [f.name for f in probe.files] == [f.name for f in files]
    assert said["groups"] == probe.groups and said["temperature"] == pytest.approx(probe.head.temperature)
    x = probe.embed(probe.files)
    theirs = probabilities(head_logits(probe.head, x), probe.head.temperature)
    ours = np.array([[dict(a["probabilities"])[lbl] for lbl in probe.head.labels] for a in said["answers"]])
    assert [a["labels"] for a in said["answers"]] == [[probe.head.labels[i]] for i in theirs.argmax(1)]
    assert np.abs(ours - theirs).max() < .01 and abs(said["wrong"] - probe.result.wrong) <= 1
    assert near([a["novelty"] for a in said["answers"]], probe.head.novelty(x), .02)


@needs_chromium
def test_a_classifier_made_in_the_browser_answers_as_one_made_by_python(studio, tmp_path):
    for i in range(9):
        for kind in ("bird", "forest"):
            (tmp_path/kind).mkdir(exist_ok=True)
            (tmp_path/kind/f"{i}.jpg").write_bytes(sample_picture(kind, 500 + i))
    (tmp_path/"bird"/"again.jpg").write_bytes((tmp_path/"bird"/"3.jpg").read_bytes())
    same_as_python(studio, sorted(tmp_path.rglob("*.jpg")), tmp_path)


@needs_chromium
@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS, reason="no folder of photos beside this one")
def test_160_photos_get_the_labels_that_python_gives_them(studio):
    assert len(PHOTOS) == 160
    same_as_python(studio, PHOTOS, PHOTOS[0].parents[1])


ODD = {"150,000 markers", "150,000 chunks", "GIF of comments only", "icon"}  # whole pictures, with much beside them


@needs_chromium
def test_what_is_no_picture_is_refused_and_the_rest_goes_on(studio):
    page, site = studio
    zoo = {name: make() for name, (make, _) in REFUSED.items() if name not in ODD} | {"good": sample_picture("bird", 7)}
    brief = f"async files => (await ({LOOK})(files)).map(p => ({{...p, embedding: p.embedding?.length, thumb: 0}}))"
    said = page.evaluate(brief, served(site, zoo.values()))
    found = dict(zip(zoo, said, strict=True))
    good = found.pop("good")
    assert good["ok"] and good["embedding"] == 1280 and good["width"] == 640
    assert [name for name, f in found.items() if f["ok"] or not f["reason"]] == []
    assert "more than 100 megapixels" in found["progressive, 200 megapixels"]["reason"]  # said before it is decoded
    again = """async file => { const broken = await Promise.all([1, 2, 3].map(blob => embedders.look({blob})));
      return [...broken, await embedders.look({blob: await (await fetch(file)).blob()})].map(found => found.ok); }"""
    assert page.evaluate(again, f"photos/{len(zoo) - 1}") == [False]*3 + [True]  # a worker that fails is replaced
