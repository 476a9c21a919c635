// A selection of clusters as a part of an address, so that what was selected by hand is a link, too. Pure.
//
//   *                      all that the query has
//   gw-007_gw-010*12_*15   names, and behind * the last number of a run; a part that begins with * is of the name before,
//                          as long as its number
//
// No name of a cluster has _ or * in it, and neither is encoded in an address.

/** What an address holds: a browser takes more, hubs' heads and people's messages do not. */
export const TEXT_MAX = 6000;
export const ALL = '*';

const NUMBERED = /^(.*?)(\d{1,9})$/;

function parse(name) {
  const [, prefix, digits] = NUMBERED.exec(name) ?? [];
  return digits === undefined ? { prefix: name, digits: '', number: -1 } : { prefix, digits, number: Number(digits) };
}

/** [{ prefix, digits (of the first), first, last }]: neighbours in a list of all names that are numbered without a gap. */
function runsOf(names) {
  const runs = [];
  let run;
  for (const name of names) {
    const { prefix, digits, number } = parse(name);
    if (run && number >= 0 && run.prefix === prefix && run.digits.length === digits.length && run.last + 1 === number) run.last = number;
    else runs.push((run = { prefix, digits, first: number, last: number }));
  }
  return runs;
}

/** Names, sorted as the hub sorts them. Whether the text is too long for a link is the caller's to say. */
export function encodeNames(names) {
  let before;
  return runsOf(names).map((run) => {
    const alike = before && run.digits && before.prefix === run.prefix && before.digits.length === run.digits.length;
    before = run;
    const head = alike ? `*${run.first}` : run.prefix + run.digits;
    return run.last > run.first ? `${head}*${run.last}` : head;
  }).join('_');
}

/** [{ prefix, width, first, last }] of a text; what is none is left out. */
function readParts(text) {
  const parts = [];
  let before;
  for (const part of text.split('_')) {
    const alike = part.startsWith('*');
    const [head, last] = (alike ? part.slice(1) : part).split('*');
    if (alike && !before) continue;
    const { prefix, digits, number } = alike ? { ...before, number: Number(head) } : parse(head);
    if (Number.isNaN(number)) continue;
    before = { prefix, digits };
    parts.push({ prefix, width: digits.length, first: number, last: last === undefined ? number : Number(last) });
  }
  return parts;
}

/** Those of the names that a text has: one look at each name, however long the runs that a link claims. */
export function decodeNames(text, names) {
  const runs = new Map();
  for (const { prefix, width, first, last } of readParts(text)) {
    const key = `${prefix}*${width}`;
    if (!runs.has(key)) runs.set(key, []);
    runs.get(key).push([first, last]);
  }
  for (const list of runs.values()) list.sort((a, b) => a[0] - b[0]);
  return names.filter((name) => {
    const { prefix, digits, number } = parse(name);
    return isIn(runs.get(`${prefix}*${digits.length}`), number);
  });
}

function isIn(list, number) {
  if (!list) return false;
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle][0] <= number) low = middle + 1;
    else high = middle;
  }
  return low > 0 && list[low - 1][1] >= number;
}

/** A selection after something was done to it: sets of indices. */
export function changed(before, found, how) {
  if (how === 'replace') return new Set(found);
  const next = new Set(before);
  for (const index of found) {
    if (how === 'add' || !next.delete(index)) next.add(index);
  }
  return next;
}
