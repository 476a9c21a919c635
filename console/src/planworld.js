// The hub's plan for clusters that have other labels or are gone, and for other policies: PlanReview with spec.clusters and
// spec.policies. One question looks at a bounded number of pairs; a larger one is asked in parts.
import { create } from './api.js';
import { clusterNames } from './fleet.js';

const NAMES_MAX = 10000; // of one question: the schema's
const REVIEWS = '/apis/fedlet.io/v1alpha1/planreviews';

const ask = async (spec) =>
  (await create(REVIEWS, { apiVersion: 'fedlet.io/v1alpha1', kind: 'PlanReview', spec })).status;

const isTooLarge = (error) => error.status === 422 && /fewer clusters/.test(error.message);

/** Answers about different clusters as one. Pure. */
export function mergeAnswers(answers) {
  const objects = new Map();
  const merged = { totals: {}, hidden: 0 };
  for (const { objects: rows = [], totals = {}, hidden = 0, rowsCut } of answers) {
    for (const object of rows) {
      const key = [object.apiVersion, object.kind, object.namespace, object.name].join('/');
      const known = objects.get(key);
      objects.set(key, known ? { ...known, clusters: [...(known.clusters ?? []), ...(object.clusters ?? [])] } : object);
    }
    for (const [name, n] of Object.entries(totals)) merged.totals[name] = (merged.totals[name] ?? 0) + n;
    // The same objects are hidden in each part: the most that one of them counts is how many there are at least.
    merged.hidden = Math.max(merged.hidden, hidden);
    merged.rowsCut ||= rowsCut;
  }
  return { ...merged, objects: [...objects.values()] };
}

async function inParts(names, about) {
  if (names.length > NAMES_MAX) return halves(names, about);
  try {
    return await ask(about(names));
  } catch (error) {
    if (names.length < 2 || !isTooLarge(error)) throw error;
    return halves(names, about);
  }
}

async function halves(names, about) {
  const middle = Math.ceil(names.length / 2);
  // One after the other: the hub has other things to do as well.
  const first = await inParts(names.slice(0, middle), about);
  return mergeAnswers([first, await inParts(names.slice(middle), about)]);
}

/** change: { labels: { key: value or null } } or { deleted: true } */
export const planClusters = (names, change) => inParts(names, (some) => ({ clusters: { names: some, ...change } }));

async function planPolicies(spec) {
  try {
    return await ask(spec);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    return inParts(clusterNames(), (names) => ({ ...spec, clusters: { names } }));
  }
}

export const planWithoutPolicy = (name) => planPolicies({ withoutPolicies: [name] });
export const planPolicy = (policy) => planPolicies({ policies: [policy] });

/** Where objects are and would be without a rollout, as many as one question takes. */
export const planReferences = (references) => ask({ references });
