// What an answer is made of: the logits of a head as probabilities, and when they are no answer. As in Python.

const softmax = logits => {
  const top = Math.max(...logits), e = logits.map(v => Math.exp(v - top)), sum = e.reduce((s, v) => s + v, 0);
  return e.map(v => v/sum);
};

// Why an answer is unsure: a key of the words of the page, or "".
export function doubtOf({unsure, drawn}, sure, novelty) {
  if (unsure?.max_novelty != null && novelty > unsure.max_novelty) return drawn ? "drawn" : "novel";
  return unsure?.min_confidence != null && sure < unsure.min_confidence ? "close" : "";
}

// How sure an answer is: of several labels, the least sure one.
export const surenessOf = ({multilabel}, probabilities) => multilabel
  ? Math.min(...probabilities.map(([, v]) => Math.max(v, 1 - v))) : probabilities[0][1];

// {labels, probabilities: [[label, 0–1], …] most probable first, doubt, novelty, limit} by what is known of a model.
export function answerOf(info, logits, novelty) {
  const {labels, temperature = 1, multilabel, unsure} = info, scaled = logits.map(v => v/temperature);
  const p = multilabel ? scaled.map(v => 1/(1 + Math.exp(-v))) : softmax(scaled);
  const probabilities = labels.map((label, i) => [label, p[i]]).sort((a, b) => b[1] - a[1]);
  const found = multilabel ? labels.filter((label, i) => p[i] >= 0.5) : [probabilities[0][0]];
  const sure = surenessOf(info, probabilities);
  return {labels: found, probabilities, doubt: doubtOf(info, sure, novelty), novelty, limit: unsure?.max_novelty};
}
