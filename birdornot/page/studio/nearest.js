// The training photos most like a photo, as `birdornot.why` finds them: the smallest angle between the embeddings.
function cosine(a, b) {
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) { ab += a[i]*b[i]; aa += a[i]*a[i]; bb += b[i]*b[i]; }
  return ab/Math.sqrt(aa*bb);
}

// [{photo, similarity −1 to 1}, …], the nearest first.
export function nearest(photos, embedding, most) {
  const found = photos.map(photo => ({photo, similarity: cosine(photo.embedding, embedding)}));
  return found.sort((a, b) => b.similarity - a.similarity).slice(0, most);
}
