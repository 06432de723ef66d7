// What would help most, from what is known of each class: the one that is answered worst, or of which there is least.
const UNEVEN = 2;  // a class with so many times fewer photos than the largest one is too small

// {key, label, …}: a key of the words, and what it needs.
export function advice({per_class: classes, wrong}, suspects) {
  if (suspects.length) return {key: "advice.labels", n: suspects.length};
  const least = [...classes].sort((a, b) => a.pictures - b.pictures)[0], most = Math.max(...classes.map(c => c.pictures));
  const missed = c => c.pictures - Math.round(c.recall*c.pictures);
  const worst = [...classes].sort((a, b) => a.recall - b.recall || a.pictures - b.pictures)[0];
  if (wrong && missed(worst)) return {key: "advice.worst", label: worst.label, n: missed(worst), of: worst.pictures};
  if (least.pictures*UNEVEN <= most) return {key: "advice.least", label: least.label, n: least.pictures};
  return {key: "advice.more", n: least.pictures};
}
