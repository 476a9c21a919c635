// What else the fleet can be coloured by, and how: figures in steps, kinds by letter, words as states. Pure.
import { staleOf } from './fleet.js';
import { bytes, count, duration } from './format.js';
import { stateOf, wordState } from './states.js';

/** column: of /console/column; of: what has to be chosen, 'rollout' or 'object'; remembered: the cluster said it when it was last heard. */
export const METRICS = [
  { id: '', text: 'state' },
  { id: 'since', text: 'time in its state' },
  { id: 'drift', text: 'drifted objects', remembered: true },
  { id: 'failed', text: 'failed objects', remembered: true },
  { id: 'behind', text: 'objects to come', column: 'behind' },
  { id: 'bytes', text: 'bytes this month', column: 'bytes' },
  { id: 'agent', text: 'version of the agent', column: 'agent', remembered: true },
  { id: 'kubernetes', text: 'version of Kubernetes', column: 'kubernetes', remembered: true },
  { id: 'rollout', text: 'state in a rollout', of: 'rollout' },
  { id: 'wave', text: 'wave of a rollout', of: 'rollout' },
  { id: 'object', text: 'state of an object', of: 'object', remembered: true },
  { id: 'version', text: 'version of an object', of: 'object', remembered: true },
];

export const metricOf = (id) => METRICS.find((one) => one.id === id) ?? METRICS[0];

const COUNTS = [0, 1, 2, 5, 10, 50];
const STEPS = {
  since: { from: [0, 60, 600, 3600, 86400, 604800], say: duration },
  drift: { from: COUNTS, say: count },
  failed: { from: COUNTS, say: count },
  behind: { from: COUNTS, say: count },
  bytes: { from: [0, 1e5, 1e6, 1e7, 1e8, 1e9], say: bytes },
};
const NONE = { id: 'never', text: 'not known', glyph: '?' };
const KINDS = 8; // colours; the last one is for all others when there are more
const LETTERS = 'ABCDEFGH';

function stepText({ from, say }, at) {
  if (at === from.length - 1) return `${say(from[at])} and more`;
  if (from === COUNTS && from[at + 1] === from[at] + 1) return say(from[at]);
  return from === COUNTS ? `${say(from[at])} to ${say(from[at + 1] - 1)}` : at === 0 ? `less than ${say(from[1])}` : `${say(from[at])} to ${say(from[at + 1])}`;
}

/** Figures, in six steps: valueOf(index), undefined for what is not known. */
export function stepLook(id, valueOf, faint) {
  const steps = STEPS[id];
  const none = steps.from.length;
  return {
    classes: [...steps.from.map((_, at) => ({ id: `seq-${at}`, text: stepText(steps, at), glyph: String(at) })), NONE],
    classOf(index) {
      const value = valueOf(index);
      if (value === undefined) return none;
      let at = none - 1;
      while (at > 0 && value < steps.from[at]) at--;
      return at;
    },
    faint,
    textOf: (index) => (valueOf(index) === undefined ? NONE.text : steps.say(valueOf(index))),
  };
}

/** Kinds: the most frequent ones have a colour and a letter each. values: a text or undefined for each index. */
export function kindLook(values, faint) {
  const n = new Map();
  for (const value of values) if (value !== undefined) n.set(value, (n.get(value) ?? 0) + 1);
  const all = [...n.keys()].sort((a, b) => n.get(b) - n.get(a) || (a < b ? -1 : 1));
  const own = all.length > KINDS ? all.slice(0, KINDS - 1) : all;
  // The most frequent ones get colours; in the list they stand by name, as versions do.
  const names = [...own].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const classes = names.map((text, at) => ({ id: `cat-${at}`, text, glyph: LETTERS[at] }));
  if (all.length > own.length) classes.push({ id: `cat-${KINDS - 1}`, text: `${count(all.length - own.length)} others`, glyph: LETTERS[KINDS - 1] });
  const at = new Map(names.map((name, place) => [name, place]));
  return {
    classes: [...classes, NONE],
    classOf: (index) => (values[index] === undefined ? classes.length : at.get(values[index]) ?? classes.length - 1),
    faint,
    textOf: (index) => values[index] ?? NONE.text,
  };
}

/** Words of Kubernetes or of a rollout, in the colours of the states that they stand for. */
export function wordLook(values, faint, otherwise) {
  const words = [...new Set(values)].filter((word) => word !== undefined).sort();
  const at = new Map(words.map((word, place) => [word, place]));
  const none = { ...NONE, text: otherwise };
  return {
    classes: [...words.map((word) => ({ id: wordState(word), text: word, glyph: stateOf(wordState(word)).glyph })), none],
    classOf: (index) => (values[index] === undefined ? words.length : at.get(values[index])),
    faint,
    textOf: (index) => values[index] ?? otherwise,
  };
}

/* ---- what came from the hub, by index ---- */

/** Values of a column of /console/column, for the fleet as it is by now; none of a hub that was started anew meanwhile, which counts clusters anew. */
export function valuesOfColumn(fleet, { begun, ids, values, strings }) {
  const found = new Array(fleet.n);
  let id = 0;
  if (begun !== fleet.begun) return found;
  ids.forEach((step, row) => {
    id += step;
    const at = fleet.places.get(id);
    if (at !== undefined && values[row] >= 0) found[at] = strings.length > 0 ? strings[values[row]] : values[row];
  });
  return found;
}

/** Of rows with a name. */
export function valuesByName(fleet, rows, valueOf) {
  const byName = new Map(rows.map((row) => [row.name, valueOf(row)]));
  return fleet.names.map((name) => byName.get(name));
}

/** The look of a metric other than state. data: what the hub said of it, for those that ask it. */
export function metricLook(metric, fleet, data) {
  const never = () => false;
  const faint = metric.remembered ? (index) => staleOf(fleet, index) : never;
  const nowS = () => Date.now() / 1000;
  switch (metric.id) {
    case 'since': return stepLook('since', (at) => (fleet.since[at] ? Math.max(0, nowS() - fleet.since[at]) : undefined), faint);
    case 'drift': return stepLook('drift', (at) => (fleet.connectivity[at] === 3 ? undefined : fleet.drift[at]), faint);
    case 'failed': return stepLook('failed', (at) => (fleet.connectivity[at] === 3 ? undefined : fleet.failed[at]), faint);
    case 'behind': case 'bytes': {
      const values = valuesOfColumn(fleet, data);
      return stepLook(metric.id, (at) => values[at], faint);
    }
    case 'agent': case 'kubernetes': return kindLook(valuesOfColumn(fleet, data), faint);
    case 'rollout': return wordLook(valuesByName(fleet, data, (row) => row.state), faint, 'not in it');
    case 'wave': return kindLook(valuesByName(fleet, data, (row) => row.wave), faint);
    case 'object': return wordLook(valuesByName(fleet, data, (row) => row.status || row.health || 'OK'), faint, 'not there');
    default: return kindLook(valuesByName(fleet, data, (row) => row.version), faint);
  }
}

/** How many clusters each class of a look has. */
export function countClasses(look, indices) {
  const counts = new Uint32Array(look.classes.length);
  for (const index of indices) counts[look.classOf(index)]++;
  return counts;
}
