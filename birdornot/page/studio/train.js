// A module worker: finds copies, solves and judges a head, so that the page never waits.
import {copyGroups} from "./hashes.js";
import {solveAndJudge} from "./judge.js";

const root = new URL("../", import.meta.url);
let constants, ood;

async function start(given) {
  constants = given;
  const {file, names} = constants.ood, reply = await fetch(new URL(file, root));
  if (!reply.ok) throw new Error(`${file} is missing (${reply.status}): copy the whole folder to the server`);
  ood = {x: new Float32Array(await reply.arrayBuffer()), names};
}

function train({x, labels, groups, seed}) {
  const begin = performance.now();
  return {...solveAndJudge(x, labels, groups, ood, constants, seed), seconds: (performance.now() - begin)/1000};
}

// In: {start: constants}; {id, copies: rows of embedder.js} → {id, groups}; {id, x, labels, groups, seed} → {id, …solveAndJudge}.
onmessage = async ({data}) => {
  if (data.start) {
    try { await start(data.start); postMessage({ready: true}); }
    catch (e) { postMessage({failed: e.message}); }
    return;
  }
  try { postMessage({id: data.id, ...(data.copies ? {groups: copyGroups(data.copies, constants.hashes)} : train(data))}); }
  catch (e) { postMessage({id: data.id, failed: e.message}); }
};
