// Files as they come: chosen, dropped, in folders or pasted; each with the name of the folder it lay in, if it did.
const isPicture = file => file.type.startsWith("image/") || /\.(jpe?g|jfif|jpe|png|gif|webp|bmp|tiff?|hei[cf]|avif)$/i.test(file.name);

const folderOf = path => path.split("/").slice(0, -1).pop() ?? "";
const inOrder = (a, b) => a.path.localeCompare(b.path, "en", {numeric: true});

// {pictures: [{file, path, folder}] in order, left: how many files are of another kind}; hidden files are passed over.
function sorted(all) {
  const seen = all.filter(f => !/(^|\/)[.@]/.test(f.path)), pictures = seen.filter(f => isPicture(f.file)).sort(inOrder);
  return {pictures: pictures.map(f => ({...f, folder: folderOf(f.path)})), left: seen.length - pictures.length};
}

// Single files are taken as they are: what is no picture is refused with the reason.
export const ofFiles = files => ({pictures: [...files].map(file => ({file, path: file.name || "photo", folder: ""})), left: 0});

export const ofFolder = files => sorted([...files].map(file => ({file, path: file.webkitRelativePath || file.name})));

async function within(entry) {
  if (entry.isFile) return new Promise((done, fail) => entry.file(f => done([{file: f, path: entry.fullPath.slice(1)}]), fail));
  const reader = entry.createReader(), found = [];
  for (;;) {  // a browser names a hundred at a time
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    for (const inner of some) found.push(...await within(inner));
  }
}

export async function ofDrop(data) {
  const entries = [...data.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean), files = [...data.files];
  if (!entries.some(entry => entry.isDirectory)) return ofFiles(files);
  return sorted((await Promise.all(entries.map(within))).flat());
}
