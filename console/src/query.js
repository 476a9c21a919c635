// The query box's language, for clusters that the page has in memory; hub/console/query.h has the rules. Pure.
import { CONNECTIVITY, DELIVERY } from './states.js';

const KEY = /^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$/;

/** Words, where what is in brackets holds together: "region in (north, south)". */
export function splitWords(text) {
  const words = [];
  for (const match of text.matchAll(/(!?[^\s()=!,]+)\s+(in|notin)\s*\(([^)]*)\)|[^\s,]+/g)) {
    words.push(match[2] ? { key: match[1], op: match[2], values: match[3].split(',').map((v) => v.trim()) } : match[0]);
  }
  return words;
}

function pattern(word) {
  const escaped = word.toLowerCase().replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return word.includes('*') ? new RegExp(`^${escaped.replace(/\*/g, '.*')}$`) : new RegExp(escaped);
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
    names.every((one) => one.test(name.toLowerCase())) &&
    (labels.length === 0 || labels.every((one) => one(labelsOf())));
}
