"""Are the promises of coverage and error kept, set by set? And how many pictures of none of the classes are found?

Sets are drawn from a folder of classes: some kinds are the classes, the pictures that were not drawn show how often an
answer is given, and how often it is wrong. Kinds that no class names are foreign and near; the photos are far.
"""
import numpy as np

from birdornot.backbone import BACKBONE
from birdornot.core import BirdornotError
from birdornot.embed import backbone_answers, embed_files
from birdornot.head import calibrate, cross_calibrate, probabilities, solve_head
from birdornot.novelty import choose_thresholds, fit_novelty, ood_embeddings
from birdornot.split import known_files, stratified_folds

ERROR = 0.05  # promised among the answers, where it can be
FOREIGN = 150  # pictures of each foreign kind


def load(folder):
    "Embeddings of a folder's pictures, and the kind of each"
    files = known_files(folder)
    return embed_files(files, progress=False), np.array([f.parent.name for f in files])


def draw(kinds, classes, size, rng):
    "Rows to learn from and to judge by, and their classes"
    learn, judge = [], []
    for c, names in enumerate(classes):
        rows = rng.permutation(np.flatnonzero(np.isin(kinds, names)))
        learn += [(r, c) for r in rows[:size]]
        judge += [(r, c) for r in rows[size:size + 600]]
    return *np.transpose(learn), *np.transpose(judge)


def settings(kinds, rng):
    "Classes of several kinds each, so that many pictures are left to judge by"
    names = rng.permutation(np.unique(kinds))
    n = rng.integers(2, 4)
    return [list(part) for part in np.array_split(names, n)]


def one_set(x, kinds, size, seed, answers, ood):
    "Row of size, promised?, coverage, error promised?, error among the answered: of one simulated set"
    rng = np.random.default_rng(seed)
    classes = settings(kinds, rng)
    learn, y, judge, truth = draw(kinds, classes, size, rng)
    folds = stratified_folds(y, range(len(y)), seed=seed)
    weight, bias, logits, _ = solve_head(x[learn], y, folds, len(classes))
    temperature, offset = calibrate(logits, y)
    left_out, (novelty, far) = cross_calibrate(logits, y, folds), fit_novelty(x[learn], folds, y, answers)
    def say(rows): return probabilities(rows @ weight.T + bias + offset, temperature)
    def limits(error):
        return choose_thresholds(left_out.max(1), left_out.argmax(1) == y, far, (say(ood).max(1), novelty(ood)),
                                 error=error, shown=np.eye(len(classes), dtype=bool)[y])
    said, how_far = say(x[judge]), novelty(x[judge])
    counts = 1/np.bincount(truth)[truth]  # every class counts the same, as in the set learned from
    def answered(chosen): return (said.max(1) >= chosen["min_confidence"]) & (how_far <= chosen["max_novelty"])
    chosen = limits(None)
    row = dict(size=size, promised=chosen["promised"], coverage=np.average(answered(chosen), weights=counts))
    try: strict = limits(ERROR)
    except BirdornotError: return row
    if strict.get("promised_error") is None: return row
    given = answered(strict)
    wrong = np.average((said.argmax(1) != truth)[given], weights=counts[given])
    return row | dict(promised_error=ERROR, error=wrong)


def set_by_set(folder, sizes, sets):
    "Rows of `one_set`, `sets` of each size"
    (x, kinds), answers, ood = load(folder), backbone_answers(BACKBONE), ood_embeddings(half="choose")
    return [one_set(x, kinds, size, seed, answers, ood) for size in sizes for seed in range(sets)]


def unit(x): return x/np.linalg.norm(x, axis=1, keepdims=True)


def mahalanobis(x, y, q, relative=False):
    "Mahalanobis++ (normalised features) with a shrunk covariance; relative: less the distance to all classes as one"
    x, q, far = unit(x), unit(q), []
    def spread(off):
        s = off.T @ off/len(off)
        s = s*len(off)/(len(off) + 100) + np.eye(len(s))*np.trace(s)/len(s)*100/(len(off) + 100)
        return np.linalg.cholesky(np.linalg.inv(s))
    means = np.stack([x[y == c].mean(0) for c in np.unique(y)])
    root = spread(x - means[y])
    far = np.stack([(((q - m) @ root)**2).sum(1) for m in means]).min(0)
    return far - (((q - x.mean(0)) @ spread(x - x.mean(0)))**2).sum(1) if relative else far


def nearest(x, q, k=5): return 1 - np.sort(unit(q) @ unit(x).T, 1)[:, -k:].mean(1)


def scores(x, y, q, answers):
    "Novelty of pictures by several measures, higher: more novel"
    folds = stratified_folds(y, range(len(y)))
    weight, bias, logits, _ = solve_head(x, y, folds, y.max() + 1)
    said = q @ weight.T + bias
    top = said.max(1)
    return dict(ours=fit_novelty(x, folds, y, answers)[0](q), distance=fit_novelty(x, folds)[0](q),
                softmax=-probabilities(said).max(1), energy=-top - np.log(np.exp(said - top[:, None]).sum(1)),
                nearest=nearest(x, q), **{"mahalanobis++": mahalanobis(x, y, q)},
                relative=mahalanobis(x, y, q, True))


def found(x, y, judge, foreign, answers, coverage=0.95):
    "Share of foreign pictures beyond the limit that a share `coverage` of the others keeps, by each measure"
    by = scores(x, y, np.concatenate([judge, foreign]), answers)
    return {k: float((s[len(judge):] > np.quantile(s[:len(judge)], coverage)).mean()) for k, s in by.items()}


def near_cells(kinds, n, rng):
    "Pairs of kinds as classes, two other kinds as foreign"
    for _ in range(n):
        a, b, *others = rng.permutation(np.unique(kinds))[:4]
        yield [[a], [b]], others


def foreign(folder, photos, sizes, seeds, cells=13):
    "Rows of where, size, and the share that each measure found"
    (x, kinds), answers, rows = load(folder), backbone_answers(BACKBONE), []
    strange = load(photos) if photos else None
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for classes, others in near_cells(kinds, cells, rng):
            for size in sizes:
                learn, y, judge, _ = draw(kinds, classes, size, rng)
                rest = np.concatenate([np.flatnonzero(kinds == k)[:FOREIGN] for k in others])
                rows.append(dict(where="near", size=size) | found(x[learn], y, x[judge], x[rest], answers))
        if strange is not None: rows += photo_rows(*strange, answers, rng)
    return rows


def photo_rows(x, kinds, answers, rng):
    "Birds as the only class, all else as foreign: of real photos"
    mine = rng.permutation(np.flatnonzero(kinds == "bird"))
    cut = len(mine)*2//3
    learn, judge, rest = mine[:cut], mine[cut:], np.flatnonzero(kinds != "bird")
    y = np.arange(len(learn)) % 2  # two names for one thing: a measure must not need classes that differ
    return [dict(where="far", size=cut) | found(x[learn], y, x[judge], x[rest], answers)]
