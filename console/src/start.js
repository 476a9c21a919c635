// A rollout that begins with a selection, as the objects that make the hub begin it: a RolloutPolicy with waves and a changed
// federated object. Pure.
import { splitWords } from './query.js';

export const POLICY_ANNOTATION = 'fedlet.io/rollout-policy';
export const NAMES_MAX = 10000; // of a wave, as the hub's schema has it
const LEAVES_MAX = 200;

/* ---- fields of a template ---- */

const stepsOf = (path) => path.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
const stepText = (step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1');

export function valueAt(object, path) {
  return stepsOf(path).reduce((value, step) => (value !== null && typeof value === 'object' ? value[step] : undefined), object);
}

/** The object with one value changed; what is on the way there and missing is made. Throws when the path leads through a value. */
export function withValue(object, path, value) {
  const steps = stepsOf(path);
  if (!path.startsWith('/') || steps.some((step) => step === '' || step === '__proto__')) throw new Error(`"${path}" is no path of a field, such as /spec/replicas`);
  const changed = structuredClone(object ?? {});
  let at = changed;
  for (const step of steps.slice(0, -1)) {
    at[step] ??= {};
    at = at[step];
    if (typeof at !== 'object') throw new Error(`"${path}" leads through a value that has no fields`);
  }
  if (Array.isArray(at) && !(Number(steps.at(-1)) < at.length)) throw new Error(`"${path}" is behind the end of a list`);
  at[steps.at(-1)] = value;
  return changed;
}

/** Paths of all single values. */
export function leavesOf(value, path = '', found = []) {
  if (found.length >= LEAVES_MAX) return found;
  if (value === null || typeof value !== 'object') found.push(path);
  else for (const [key, item] of Object.entries(value)) leavesOf(item, `${path}/${stepText(key)}`, found);
  return found;
}

/** [{ name, path, image }] of all containers in a template, wherever they stand. */
export function imagesOf(value, path = '', found = []) {
  if (value === null || typeof value !== 'object') return found;
  for (const [key, item] of Object.entries(value)) {
    if (/^(init|ephemeral)?containers$/i.test(key) && Array.isArray(item)) {
      item.forEach((one, at) => one?.image !== undefined && found.push({ name: one.name, path: `${path}/${key}/${at}/image`, image: one.image }));
    } else imagesOf(item, `${path}/${stepText(key)}`, found);
  }
  return found;
}

/** What was typed as the value that it stands for: text, or JSON. */
export function readValue(text, asJson) {
  if (!asJson) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${text || 'nothing'} is no JSON; text in it stands in quotes`);
  }
}

/* ---- whom ---- */

function requirement(word) {
  if (typeof word === 'object') return { key: word.key, operator: word.op === 'in' ? 'In' : 'NotIn', values: word.values };
  const [, key, op, value] = /^([^=!:*]+)(==|=|!=)([^=!]*)$/.exec(word) ?? [];
  if (key) return { key, operator: op === '!=' ? 'NotIn' : 'In', values: [value] };
  return /^![^=!:*]+$/.test(word) ? { key: word.slice(1), operator: 'DoesNotExist' } : undefined;
}

/** A query that asks for labels alone, as Kubernetes' selector; undefined for any other. */
export function selectorOf(query) {
  const words = splitWords(query).map(requirement);
  return words.length > 0 && words.every(Boolean) ? { matchExpressions: words } : undefined;
}

/* ---- the objects ---- */

function entryWith(entry, path, value) {
  const others = (entry.clusterOverrides ?? []).filter((one) => one.path !== path);
  return { ...entry, clusterOverrides: [...others, { path, op: 'replace', value }] };
}

/** Overrides in which the chosen clusters have another value. whom: { names } or { selector } */
export function withOverride(overrides = [], path, value, { names, selector }) {
  if (selector) return [...overrides, entryWith({ clusterSelector: selector }, path, value)];
  const left = new Set(names);
  const changed = overrides.map((entry) => (left.delete(entry.clusterName) ? entryWith(entry, path, value) : entry));
  return [...changed, ...[...left].map((clusterName) => entryWith({ clusterName }, path, value))];
}

/** The object as it would be stored. change: { path, value, everywhere }; policy: its name, '' none, undefined as it is. */
export function changedObject(object, change, whom, policy) {
  const { status, ...next } = structuredClone(object);
  if (change.everywhere) next.spec.template = withValue(next.spec.template, change.path, change.value);
  else next.spec.overrides = withOverride(next.spec.overrides, change.path, change.value, whom);
  if (policy !== undefined) next.metadata.annotations = { ...next.metadata.annotations, [POLICY_ANNOTATION]: policy };
  delete next.metadata.managedFields;
  return next;
}

/** rules: { name, canary, soak, approval, atOnce, maxFailures, onFailure }: numbers and durations as they were typed. */
export function policyOf(namespace, rules, whom) {
  const number = (text) => (/^\d+$/.test(text) ? Number(text) : text);
  const gate = { ...(rules.soak && { soak: rules.soak }), ...(rules.approval && { approval: 'Required' }) };
  const canary = Number(rules.canary) || 0;
  const waves = [{ name: 'selected', clusters: whom.selector ? { selector: whom.selector } : { names: whom.names }, ...gate }];
  if (rules.atOnce) waves[0].maxConcurrency = number(rules.atOnce);
  if (canary > 0 && canary < whom.names.length) waves.unshift({ name: 'canary', clusters: { names: whom.names.slice(0, canary) }, ...gate });
  return {
    apiVersion: 'fedlet.io/v1alpha1',
    kind: 'RolloutPolicy',
    metadata: { name: rules.name, namespace },
    spec: { waves, onFailure: rules.onFailure, ...(rules.maxFailures && { maxFailures: number(rules.maxFailures) }) },
  };
}

/** [{ name, clusters (that change), of (in the wave at all) }] of a policy's waves, from what the hub's plan says of each cluster. */
export function wavesOf(policy, rows, whom) {
  const all = new Set(rows.map((row) => row.name));
  const changing = new Set(rows.filter(({ action }) => action === 'create' || action === 'update').map((row) => row.name));
  const waves = policy.spec.waves.map(({ name, clusters }) => {
    const mine = (clusters.names ?? whom.names).filter((one) => all.delete(one));
    return { name, of: mine.length, changing: mine.filter((one) => changing.has(one)).length };
  });
  const rest = [...all];
  return [...waves, { name: 'rest', of: rest.length, changing: rest.filter((one) => changing.has(one)).length }];
}
