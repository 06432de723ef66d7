// Workers under the page's own policy: started from a file, a worker would have none of it; from a line of ours, it inherits it.
export function startWorker(url) {
  const line = URL.createObjectURL(new Blob([`import ${JSON.stringify(new URL(url, import.meta.url).href)};`], {type: "text/javascript"}));
  return new Worker(line, {type: "module"});
}
