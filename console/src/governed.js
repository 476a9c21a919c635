// What a RolloutPolicy governs, and what becomes of that without it.
import { plural } from './format.js';
import { loadObjects } from './kinds.js';
import { planReferences } from './planworld.js';

const ONE_QUESTION = 500; // references: the schema's most
const PAGES_MAX = 20;

const referenceOf = ({ kind, apiVersion, metadata }) => ({ kind, apiVersion, namespace: metadata.namespace, name: metadata.name });

/** The plans of the objects that a RolloutPolicy governs: which those are, the hub says. */
export async function governedPlans({ metadata: { namespace, name }, status }) {
  const kinds = await loadObjects(undefined, { namespace, pages: PAGES_MAX });
  const references = kinds.flatMap(({ items }) => items.map(referenceOf));
  const plans = [];
  for (let at = 0; at < references.length; at += ONE_QUESTION) {
    const { objects = [] } = await planReferences(references.slice(at, at + ONE_QUESTION));
    plans.push(...objects.filter((one) => one.rollout?.policy === name));
  }
  return { plans, unseen: Math.max(kinds.reduce((sum, { left }) => sum + left, 0), (status?.objects ?? 0) - plans.length) };
}

/** What a rollout keeps from clusters, which they get when nobody governs the object any more. Pure. */
export function ungovernedText({ plans, unseen }) {
  const waiting = plans.map((one) => (one.clusters ?? []).filter((row) => row.reason === 'Waiting').map((row) => row.name));
  const clusters = new Set(waiting.flat());
  const lines = [`${plural(plans.length, 'object')} that it governs`];
  if (clusters.size > 0) lines.push(`${plural(clusters.size, 'cluster')} that a rollout has not come to get the newest version of ${plural(waiting.filter((names) => names.length > 0).length, 'object')} at once`);
  else lines.push('No cluster waits for a rollout of them');
  if (unseen > 0) lines.push(`At least ${plural(unseen, 'more object')} that were not looked at, or that you may not see`);
  return lines;
}
