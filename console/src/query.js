// The query box's language, for clusters that the page has in memory; hub/console/query.h has the rules. Pure.
import { CONNECTIVITY, DELIVERY } from './states.js';

const QUERY_MAX = 1024; // as the hub's
const KEY = /^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$/;

/** Words, where what is in brackets holds together: "region in (north, south)". */
export function splitWords(text) {
  const words = [];
  for (const match of text.matchAll(/(!?[^\s()=!,]+)\s+(in|notin)\s*\(([^)]*)\)|[^\s,]+/g)) {
    words.push(match[2] ? { key: match[1], op: match[2], values: match[3].split(',').map((v) => v.trim()) } : match[0]);
  }
  return words;
}

/**
 * A test of a name: with *, of the whole of it; without, of a part. Between two * each piece is taken where it comes first,
 * so that no pattern, however many * it has, looks at a name more than once.
 */
export function pattern(word) {
  const [head, ...pieces] = word.toLowerCase().split('*');
  if (pieces.length === 0) return (name) => name.includes(head);
  const tail = pieces.pop();
  return (name) => {
    if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
    let at = head.length;
    for (const piece of pieces) {
      const found = name.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at + tail.length <= name.length;
  };
}

const checkKey = (key) => {
  if (!KEY.test(key)) throw new Error(`"${key}" is no label's key`);
  return key;
};

function stateTest(value) {
  const wanted = value.toLowerCase().replace(' ', '-');
  const connectivity = CONNECTIVITY.indexOf(wanted);
  const delivery = DELIVERY.indexOf(wanted);
  if (connectivity < 0 && delivery < 0) {
    throw new Error(`there is no state "${value}": ${[...CONNECTIVITY, ...DELIVERY].join(', ')}`);
  }
  return { connectivity, delivery };
}

function labelTest(word) {
  const [, key, op, value] = /^([^=!]+)(==|=|!=)([^=!]*)$/.exec(word) ?? [];
  if (key) {
    checkKey(key);
    return op === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  if (!word.startsWith('!')) throw new Error(`"${word}" is no KEY=VALUE`);
  const absent = checkKey(word.slice(1));
  return (labels) => !(absent in labels);
}

function setTest({ key, op, values }) {
  checkKey(key);
  const wanted = new Set(values);
  return (labels) => (key in labels && wanted.has(labels[key])) === (op === 'in') || (op === 'notin' && !(key in labels));
}

/** Reads a query into a test of (name, connectivity, delivery, labels()). Throws what is wrong with it. */
export function readQuery(text) {
  if (text.length > QUERY_MAX) throw new Error(`a query has at most ${QUERY_MAX} characters`);
  const names = [];
  const labels = [];
  const states = [];
  for (const word of splitWords(text)) {
    if (typeof word === 'object') labels.push(setTest(word));
    else if (/^state:/i.test(word)) states.push(stateTest(word.slice(6)));
    else if (/^[a-z]+:/i.test(word)) throw new Error(`"${word}" is about objects, not about clusters`);
    else if (/[=!]/.test(word)) labels.push(labelTest(word));
    else names.push(pattern(word));
  }
  const online = states.filter((state) => state.connectivity >= 0).map((state) => state.connectivity);
  const delivered = states.filter((state) => state.delivery >= 0).map((state) => state.delivery);
  return (name, connectivity, delivery, labelsOf) =>
    (online.length === 0 || online.includes(connectivity)) &&
    (delivered.length === 0 || delivered.includes(delivery)) &&
    (names.length === 0 || names.every((one) => one(name.toLowerCase()))) &&
    (labels.length === 0 || labels.every((one) => one(labelsOf())));
}
