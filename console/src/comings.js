// Clusters that come, leave or are labelled otherwise, as the stream says it: other columns, so that who has drawn the old
// ones draws anew. What is the same is not copied cluster by cluster.
import { countStates } from './fleet.js';

const NUMBERS = ['connectivity', 'delivery', 'since', 'drift', 'failed'];

/** Rows of the new columns: the place in the old ones, or none for who is new; by name. */
function rowsOf(fleet, removed, added) {
  const left = new Set(removed);
  const rows = [];
  for (const [id, from] of fleet.places) if (!left.has(id)) rows.push({ id, name: fleet.names[from], from });
  for (const [id, name] of added) if (!fleet.places.has(id)) rows.push({ id, name });
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function rearranged(fleet, removed, added) {
  const rows = rowsOf(fleet, removed, added);
  const next = { ...fleet, n: rows.length, names: rows.map((row) => row.name), places: new Map(rows.map((row, at) => [row.id, at])) };
  for (const column of NUMBERS) next[column] = fleet[column].constructor.from(rows, ({ from }) => (from === undefined ? 0 : fleet[column][from]));
  next.labels = rows.map(({ from }) => (from === undefined ? [] : fleet.labels[from]));
  next.counts = countStates(next);
  return next;
}

/** A table of texts that grows: index of a text. */
function interner(texts) {
  const known = new Map(texts.map((text, at) => [text, at]));
  return (text) => {
    if (!known.has(text)) known.set(text, texts.push(text) - 1);
    return known.get(text);
  };
}

function relabelled(fleet, labels) {
  const next = { ...fleet, labels: [...fleet.labels], labelKeys: [...fleet.labelKeys], strings: [...fleet.strings] };
  const [key, value] = [interner(next.labelKeys), interner(next.strings)];
  for (const [id, texts] of labels) {
    const at = next.places.get(id);
    if (at !== undefined) next.labels[at] = texts.map((text, i) => (i % 2 ? value(text) : key(text)));
  }
  return next;
}

/** The columns as they are after a change, without its glances: the same object when nobody came, left or was labelled. */
export function withComings(fleet, { removed = [], added = [], labels = [] }) {
  const next = removed.length || added.length ? rearranged(fleet, removed, added) : fleet;
  return labels.length ? relabelled(next, labels) : next;
}
