// From embeddings and labels to a head, its error, its doubts, and the labels it doubts: `probe` and `suspects` in Python.
import {answerOf} from "../answer.js";
import {warnOfBursts, withoutTwins} from "./bursts.js";
import {completed, judged, unsureCurves} from "./evaluate.js";
import {calibrate, crossCalibrate, headLogits, probabilitiesOf, rotate, solveHead} from "./head.js";
import {joinAlike} from "./near.js";
import {chooseThresholds, fitNovelty, leastToPromise, noveltyOf, oodRows} from "./novelty.js";
import {argmax, byCodePoint, rowsOf, takeRows} from "./numbers.js";
import {effectiveN, missingFor, splitByGroup, stratifiedFolds} from "./split.js";

// The answer of a head to an embedding, as `Classifier.classify` gives it for a photo, with its novelty.
export function answer(head, embedding) {
  const c = embedding.length, logits = Array.from(headLogits(head, embedding, 1, c));
  return answerOf(head, logits, head.novelty ? noveltyOf(head.novelty, embedding, 1)[0] : undefined);
}

const asNumbers = (labels, classes) => labels.map(label => classes.indexOf(label));

function solved(rotated, deals, classes, constants) {  // a head without novelty, and the logits of pictures left out
  const {y, n, k} = rotated, {weight, bias, logits, strength} = solveHead(rotated, deals, constants.head);
  const {temperature, offset} = calibrate(logits, y, k), prior = classes.map((_, c) => y.filter(v => v === c).length/n);
  return {head: {labels: classes, weight, bias: bias.map((v, j) => v + offset[j]), temperature, prior, strength}, logits};
}

// Answers of a head to `n` pictures: probabilities N×K, confidence, novelty.
function answersOf(head, x, n, c) {
  const k = head.labels.length, probabilities = probabilitiesOf(headLogits(head, x, n, c), k, head.temperature);
  return {probabilities, confidence: Float64Array.from(rowsOf(probabilities, k), r => Math.max(...r)),
          said: rowsOf(probabilities, k).map(argmax), novelty: head.novelty && noveltyOf(head.novelty, x, n)};
}

const withheld = ({min_confidence, max_novelty}, confidence, novelty) => (
  confidence < min_confidence || novelty > max_novelty);

// Choose the limits of a head; → which answers limits chosen on the other folds withhold.
function setLimits(head, left, folds, groups, ood, constants) {
  const others = answersOf(head, ood.x, ood.n, ood.c), everyone = [...folds.keys()];
  const limits = rows => chooseThresholds({
    confidence: rows.map(i => left.confidence[i]), right: rows.map(i => left.right[i]),
    novelty: Float64Array.from(rows, i => left.novelty[i]), shown: rows.map(i => left.y[i]),
    n: effectiveN(rows.map(i => groups[i]))}, others, constants);
  head.unsure = limits(everyone);
  const unsure = new Uint8Array(folds.length);
  for (let f = 0; f <= Math.max(...folds); f++) {
    const chosen = limits(everyone.filter(i => folds[i] !== f));
    for (const i of everyone) if (folds[i] === f) unsure[i] = withheld(chosen, left.confidence[i], left.novelty[i]);
  }
  return unsure;
}

function buildHead(rotated, x, deals, classes, groups, ood, constants) {
  const {y, n, c, k} = rotated, {head, logits} = solved(rotated, deals, classes, constants), [first] = deals;
  const {novelty, leftOut} = fitNovelty(x, n, c, first, y, constants.novelty);
  const probabilities = crossCalibrate(logits, y, k, first), known = 1 - 1/(Math.max(...first) + 1);
  const left = completed({labels: classes, y, probabilities, groups, novelty: leftOut, crossValidated: true, known});
  head.novelty = novelty;
  left.unsure = setLimits(head, left, first, groups, ood, constants);
  return {head, left};
}

// What a head says to OOD pictures, kind by kind: kind, pictures, unsure (how many), called (label → how many).
function oodAnswers(head, {x, n, c, names}) {
  const {confidence, novelty, said} = answersOf(head, x, n, c), kinds = new Map();
  names.forEach((name, i) => {
    const kind = name.split("-")[0], label = head.labels[said[i]];
    const row = kinds.get(kind) ?? {kind, pictures: 0, unsure: 0, called: {}};
    row.pictures += 1;
    if (withheld(head.unsure, confidence[i], novelty[i])) row.unsure += 1;
    else row.called[label] = (row.called[label] ?? 0) + 1;
    kinds.set(kind, row);
  });
  return [...kinds.values()];
}

// The pictures whose label is probably wrong, surest first; `abstains` where the model does no better than a guess.
function findSuspects(rotated, folds, classes, labels, groups, novelty, constants) {
  const {y, k} = rotated, equal = classes.map(() => 1/k);
  const {logits} = solveHead(rotated, [folds], constants.head), probabilities = crossCalibrate(logits, y, k, folds, equal);
  const answers = completed({labels: classes, y, probabilities, groups, crossValidated: true, known: 1});
  const result = judged(answers, constants), abstains = result.balanced_high >= 1 - 1/k;
  const rows = rowsOf(probabilities, k).map((p, position) => {
    const better = argmax(p.map((v, j) => j === y[position] ? -1 : v));
    const own = p[y[position]];
    return {position, label: labels[position], better: classes[better], score: own, disagrees: p[better] > own};
  });
  const suspects = rows.filter(r => r.score < constants.probably_wrong)
    .sort((a, b) => a.score - b.score || novelty[b.position] - novelty[a.position]);
  const disagreed = abstains ? 0 : rows.filter(r => r.disagrees).length;
  return {logits, doubts: {suspects: abstains ? [] : suspects, disagreed, abstains}};
}

const oodPart = ({x, names, c}, labels, half) => {
  const rows = oodRows(names, labels, half);
  return {x: takeRows(x, c, rows), n: rows.length, c, names: rows.map(i => names[i])};
};

// Join copies that only an embedding shows, and split again, where that leaves all classes in both parts.
function splitTogether(x, labels, groups, asGiven, constants, seed) {
  const together = joinAlike(x, labels, groups, constants.near, constants.head.min_groups);
  const names = new Set(together.filter((g, i) => g !== groups[i]));
  const split = names.size ? splitByGroup(labels, together, seed, constants.head) : null;
  return split ? {together, joined: together.filter(g => names.has(g)).length, split} : {together: groups, joined: 0, split: asGiven};
}

// Embeddings `x` N×C, labels and groups in; `ood`: {x, names}. → {enough: false, missing} or {enough: true, head: as in
// Python, with `strength`; judged: {positions, probabilities, novelty, unsure, right, bursts: {error, rise} or null, where
// the error with twins kept together, and its rise in standard errors, are known; …as judged() says}; suspects:
// [{position, label, better, score}], disagreed (how many), abstains; least: different photos that a promise takes; curve: as unsureCurves(); ood: rows as oodAnswers();
// train, valid: positions; groups: those given, where an embedding shows more copies joined; joined: pictures in these}
export function solveAndJudge(x, labels, groups, ood, constants, seed = 42) {
  const n = labels.length, missing = missingFor(labels, groups, constants.head);
  if (missing) return {enough: false, missing};
  const asGiven = splitByGroup(labels, groups, seed, constants.head);
  if (!asGiven) return {enough: false, missing: {classes: 0, more: {}, copies: true}};
  const {together, joined, split} = splitTogether(x, labels, groups, asGiven, constants, seed);
  groups = together;
  const c = x.length/n, classes = [...new Set(labels)].sort(byCodePoint), y = asNumbers(labels, classes), k = classes.length;
  const choosing = oodPart({...ood, c}, classes, "choose"), judging = oodPart({...ood, c}, classes, "judge");
  const {train, valid} = split, alone = effectiveN(valid.map(i => groups[i])) >= constants.head.enough_held_out;
  const deal = (rows, s) => stratifiedFolds(rows.map(i => labels[i]), rows.map(i => groups[i]), s, constants.head);
  const everyone = [...labels.keys()], rotated = rotate(x, y, n, c, k);
  const deals = Array.from({length: alone ? 1 : constants.head.deals}, (_, r) => deal(everyone, seed + r));
  const {head, left} = buildHead(rotated, x, deals, classes, groups, choosing, constants);
  let result = left, positions = everyone;
  if (alone) {
    positions = valid;
    result = heldOut(x, y, c, classes, groups, split, deal(train, seed), choosing, constants);
    result.known = train.length/n;
  }
  const [folds] = deals, {logits, doubts} = findSuspects(rotated, folds, classes, labels, groups, left.novelty, constants);
  const bursts = withoutTwins(x, labels, groups, rotated, {logits, folds}, constants, seed), warnings = warnOfBursts(bursts);
  return {enough: true, head, judged: {positions, ...result, ...judged(result, constants), bursts, warnings}, ...doubts,
          curve: unsureCurves(result, constants, head.unsure), ood: oodAnswers(head, judging), least: leastToPromise(constants),
          train, valid, groups, joined};
}

// Answers to the held-out part by a head that was built from the training part.
function heldOut(x, y, c, classes, groups, {train, valid}, folds, ood, constants) {
  const mine = takeRows(x, c, train), theirs = takeRows(x, c, valid);
  const rotated = rotate(mine, train.map(i => y[i]), train.length, c, classes.length);
  const {head} = buildHead(rotated, mine, [folds], classes, train.map(i => groups[i]), ood, constants);
  const found = answersOf(head, theirs, valid.length, c);
  const unsure = Uint8Array.from(valid, (_, i) => withheld(head.unsure, found.confidence[i], found.novelty[i]));
  return completed({labels: classes, y: valid.map(i => y[i]), probabilities: found.probabilities, novelty: found.novelty,
                    unsure, groups: valid.map(i => groups[i]), crossValidated: false});
}
