// A module worker: finds copies, solves and judges a head, so that the page never waits.
import {copyGroups} from "./hashes.js";
import {solveAndJudge} from "./judge.js";

const root = new URL("../", import.meta.url);  // where studio.json lies, and what it names
let constants, ood;

async function numbersOf(file) {
  const reply = await fetch(new URL(file, root));
  if (!reply.ok) throw new Error(`${file} is missing (${reply.status}): copy the whole folder to the server`);
  return new Float32Array(await reply.arrayBuffer());
}

async function start(given) {
  const {file, answers} = given.novelty, files = [given.ood.file, file, answers.file];
  const [x, projection, own] = await Promise.all(files.map(numbersOf)), short = own.length - answers.columns;
  const head = {axes: own.subarray(0, short), offset: own.subarray(short)};
  constants = {...given, novelty: {...given.novelty, projection, answers: head}};
  ood = {x, names: given.ood.names};
}

// Which pictures were compared, and what came of it: of a burst of hundreds, those added are compared, and not all again.
class Compared {
  constructor() { Object.assign(this, {numbers: new Map(), alike: new Map()}); }

  of(rows) {
    const ids = rows.map(({sha256}) => this.numbers.get(sha256) ?? this.numbers.set(sha256, this.numbers.size).get(sha256));
    const key = (i, j) => Math.min(ids[i], ids[j])*2**26 + Math.max(ids[i], ids[j]);
    return {get: (i, j) => this.alike.get(key(i, j)), set: (i, j, is) => this.alike.set(key(i, j), is)};
  }
}

const compared = new Compared();

const groups = ({copies: rows}) => ({groups: copyGroups(rows, constants.hashes, compared.of(rows))});

function train({x, labels, groups, seed}) {
  const begin = performance.now();
  return {...solveAndJudge(x, labels, groups, ood, constants, seed), seconds: (performance.now() - begin)/1000};
}

// In: {start: constants of studio.json}; {id, copies: rows as copyGroups takes them} → {id, groups}; {id, x: N×C, labels,
// groups, seed} → {id, seconds, …what solveAndJudge says}. Where something fails: {failed: sentence}, with the id.
onmessage = async ({data}) => {
  try {
    if (data.start) { await start(data.start); postMessage({ready: true}); }
    else postMessage({id: data.id, ...(data.copies ? groups(data) : train(data))});
  } catch (e) { postMessage({id: data.id, failed: e.message}); }
};
