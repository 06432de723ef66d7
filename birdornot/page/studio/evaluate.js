// How often answers on pictures not seen before are wrong, and how sure that is: `birdornot.evaluate` in Python.
import {argmax, evenRound, mean, rowsOf, sorted} from "./numbers.js";
import {effectiveN} from "./split.js";

// Wilson's 95 % interval of the share wrong/n.
export function wilson(wrong, n) {
  const z = 1.959964, p = wrong/n, middle = p + z*z/(2*n), half = z*Math.sqrt(p*(1 - p)/n + z*z/(4*n*n));
  return [Math.max(0, (middle - half)/(1 + z*z/n)), Math.min(1, (middle + half)/(1 + z*z/n))];
}

// Answers: {labels, y, probabilities N×K, groups, crossValidated, known, unsure, novelty}; → with `right`, `confidence`.
export function completed(answers) {
  const rows = rowsOf(answers.probabilities, answers.labels.length), said = rows.map(argmax);
  const confidence = Float64Array.from(rows, r => Math.max(...r));
  return {...answers, said, right: said.map((s, i) => s === answers.y[i]), confidence};
}

// The 95 % interval of the share of mistakes among the answers at these positions, counting groups.
function intervalOf({right, groups, crossValidated, known}, positions, {wider}) {
  const by = crossValidated ? wider : 1, n = effectiveN(positions.map(i => groups[i]))/by**2;
  const [low, high] = wilson(mean(positions.map(i => Number(!right[i])))*n, n);
  return [low*Math.sqrt(known), high];
}

function ofClasses(answers, constants) {
  const {labels, y, said} = answers;
  return labels.map((label, c) => {
    const shown = [...y.keys()].filter(i => y[i] === c), called = said.filter(s => s === c).length;
    const hits = shown.filter(i => said[i] === c).length, n = shown.length;
    const [low, high] = n ? intervalOf(answers, shown, constants) : [];
    return {label, pictures: n, precision: called ? hits/called : null, recall: n ? hits/n : null,
            recall_low: n ? 1 - high : null, recall_high: n ? 1 - low : null, f1: n + called ? 2*hits/(n + called) : null};
  });
}

function balanced(classes) {  // the error if every class were equally common, and its interval
  const found = classes.filter(c => c.pictures), error = mean(found.map(c => 1 - c.recall));
  const size = key => Math.sqrt(found.reduce((s, c) => s + (c[key] - c.recall)**2, 0))/found.length;
  return {balanced_error: error, balanced_low: Math.max(0, error - size("recall_high")),
          balanced_high: Math.min(1, error + size("recall_low"))};
}

// Rows of mean confidence, share right, number of answers, over ten equally wide bins; empty ones are left out.
export function reliability({confidence, right}, bins = 10) {
  const rows = Array.from({length: bins}, () => [0, 0, 0]);
  confidence.forEach((sure, i) => {
    const row = rows[Math.min(Math.trunc(sure*bins), bins - 1)];
    row[0] += sure; row[1] += right[i]; row[2] += 1;
  });
  return rows.filter(r => r[2]).map(([sure, hits, n]) => [sure/n, hits/n, n]);
}

const calibrationError = answers => {
  const rows = reliability(answers);
  return rows.reduce((s, [sure, right, n]) => s + Math.abs(sure - right)*n, 0)/answers.right.length;
};

function dice(seed) {  // whole numbers below n, the same in every browser (Steele's mulberry32)
  return n => {
    seed = seed + 0x6d2b79f5 | 0;
    let v = Math.imul(seed ^ seed >>> 15, 1 | seed);
    v = v + Math.imul(v ^ v >>> 7, 61 | v) ^ v;
    return Math.floor(((v ^ v >>> 14) >>> 0)/2**32*n);
  };
}

const ROUNDS = 200;  // sets drawn

// The 95 % percentile interval of the calibration error: groups of pictures are drawn again and again. As in Python, but
// with other dice.
function calibrationInterval({confidence, right, groups}) {
  const members = new Map(), roll = dice(42);
  groups.forEach((g, i) => { if (members.has(g)) members.get(g).push(i); else members.set(g, [i]); });
  const sets = [...members.values()];
  const found = sorted(Float64Array.from({length: ROUNDS}, () => {
    const rows = sets.flatMap(() => sets[roll(sets.length)]);
    return calibrationError({confidence: rows.map(i => confidence[i]), right: rows.map(i => right[i])});
  }));
  return [0.025, 0.975].map(q => {
    const at = q*(ROUNDS - 1), low = Math.floor(at);
    return found[low] + (at - low)*(found[low + 1] - found[low]);
  });
}

// How often to be unsure, and the error among the sure answers then, of all answers or of those that name class `c`.
function unsureCurve(answers, constants, maxNovelty, c = null) {
  const {said, confidence, novelty, right} = answers, mine = [...said.keys()].filter(i => c === null || said[i] === c);
  const known = mine.filter(i => novelty[i] <= maxNovelty), ranked = sorted(known.map(i => confidence[i])), rows = [];
  for (const share of constants.silent) {
    const silent = Math.max(0, evenRound(share*mine.length) - (mine.length - known.length));
    if (ranked.length - silent < 5) break;  // too few to say anything of
    const limit = silent && ranked[silent], sure = known.filter(i => confidence[i] >= limit);
    const [low, high] = intervalOf(answers, sure, constants), unsure = 1 - sure.length/mine.length;
    const row = {unsure, min_confidence: limit, error: mean(sure.map(i => Number(!right[i]))), low, high};
    if (!rows.length || unsure > rows.at(-1).unsure) rows.push(row);
  }
  return rows;
}

const MANY = 50;  // classes, over which the points of each would be more than the rest of a model's facts

// The points of error and silence that a user of a model may choose: under "" for all answers, and for those of each class.
export function unsureCurves(answers, constants, {max_novelty}) {
  const labels = answers.labels.length > MANY ? [] : answers.labels;
  return {"": unsureCurve(answers, constants, max_novelty),
          ...Object.fromEntries(labels.map((label, c) => [label, unsureCurve(answers, constants, max_novelty, c)]))};
}

// All that `Evaluation.as_dict` says, and `effective_n` and `confusion`.
export function judged(answers, constants) {
  const {labels, y, said, right, groups, unsure, crossValidated, known} = answers, n = right.length, k = labels.length;
  const wrong = right.filter(r => !r).length, everyone = [...right.keys()], sure = everyone.filter(i => !unsure?.[i]);
  const [low, high] = intervalOf(answers, everyone, constants), classes = ofClasses(answers, constants);
  const counts = classes.map(c => c.pictures), most = Math.max(...counts), present = counts.filter(Boolean);
  const enough = effectiveN(groups) >= constants.enough_answers;
  const [ece_low, ece_high] = enough ? calibrationInterval(answers) : [null, null];
  const confusion = Array.from({length: k}, () => new Array(k).fill(0));
  said.forEach((s, i) => { confusion[y[i]][s] += 1; });
  return {wrong, of: n, error: wrong/n, low, high, judged: crossValidated ? "cross-validated" : null,
          groups: new Set(groups).size, ...balanced(classes), commonest: labels[counts.indexOf(most)], baseline_error: 1 - most/n,
          unbalanced: present.length > 1 && most >= 1.5*mean(present),
          ece: enough ? calibrationError(answers) : null, ece_low, ece_high, coverage: sure.length/n,
          answered_error: sure.length ? mean(sure.map(i => Number(!right[i]))) : null,
          per_class: classes, warnings: [], known, effective_n: effectiveN(groups), confusion};
}
