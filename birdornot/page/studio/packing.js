// What is taken along, put into a zip: the project and what was learned from it, handed to take.js.
import {datasetFolder, loadSources, loadTake, modelFolder, pageFolder} from "./take.js";
import {safeName, zipOf} from "./zip.js";

const root = new URL("../", import.meta.url);

const described = (photos, labels, groups) => photos.map(({name, sha256, blob, embedding, decisions}, i) => (
  {name, label: labels[i], sha256, group: groups[i], blob, embedding, decisions}));

const nameFor = labels => safeName([...new Set(labels)].sort().join("_or_").replaceAll(" ", "_"), "project");

async function model({result, constants}, labels, take) {
  const body = new Uint8Array(await (await fetch(new URL(constants.backbone.file, root))).arrayBuffer());
  return modelFolder({...result, photos: described(result.photos, labels, result.groups), take, body, name: nameFor(labels)});
}

const MAKERS = {
  model,
  page: async (studio, labels, take) => pageFolder({model: await model(studio, labels, take), sources: await loadSources(take, root), take}),
  photos: ({project: {photos, groups}}, labels) => datasetFolder({photos: described(photos, labels, photos.map(p => groups.get(p.id) ?? p.id))}),
};

// {blob, name}: the zip of one kind, and what it is called.
export async function pack(kind, studio) {
  const labels = studio.labels(kind === "photos" ? studio.project.photos : studio.result.photos), top = nameFor(labels);
  const take = kind === "photos" ? null : await loadTake(root);
  return {blob: await zipOf(await MAKERS[kind](studio, labels, take), {top}), name: `${top}_${kind}.zip`};
}
