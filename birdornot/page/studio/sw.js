// The service worker: after the first visit the studio opens without a network, and it asks nobody but its own server.
const FILES = [], VERSION = "";  // filled in by Python: all files of the studio, and a hash of them

const KEPT = `birdornot-studio-${VERSION}`;

self.addEventListener("install", e => e.waitUntil((async () => {
  const cache = await caches.open(KEPT);
  await cache.addAll(["./", ...FILES].map(name => new Request(name, {cache: "no-cache"})));
  await self.skipWaiting();
})()));

self.addEventListener("activate", e => e.waitUntil((async () => {
  const old = (await caches.keys()).filter(name => name.startsWith("birdornot-studio-") && name !== KEPT);
  await Promise.all(old.map(name => caches.delete(name)));
  await self.clients.claim();
})()));

self.addEventListener("fetch", e => {
  if (new URL(e.request.url).origin !== location.origin) return e.respondWith(Response.error());
  e.respondWith((async () => {
    const cache = await caches.open(KEPT);
    return await cache.match(e.request, {ignoreSearch: true}) ?? fetch(e.request);
  })());
});
