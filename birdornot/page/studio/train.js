// A module worker: finds copies, solves and judges a head, so that the page never waits.
import {alikePairs, copyGroups} from "./hashes.js";
import {solveAndJudge} from "./judge.js";

const root = new URL("../", import.meta.url);  // where studio.json lies, and what it names
let constants, ood, known = {};

async function numbersOf(file) {
  const reply = await fetch(new URL(file, root));
  if (!reply.ok) throw new Error(`${file} is missing (${reply.status}): copy the whole folder to the server`);
  return new Float32Array(await reply.arrayBuffer());
}

async function start(given) {
  const [x, projection] = await Promise.all([given.ood.file, given.novelty.file].map(numbersOf));
  constants = {...given, novelty: {...given.novelty, projection}};
  ood = {x, names: given.ood.names};
}

// Which pictures look alike does not depend on their labels: after a change of one, the pairs are known.
function groups({copies: rows}) {
  const key = rows.map(r => r.sha256).join();
  if (known.key !== key) known = {key, pairs: alikePairs(rows, constants.hashes)};
  return {groups: copyGroups(rows, constants.hashes, known.pairs)};
}

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
