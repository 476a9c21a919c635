// What the hub says would happen: PlanReview, and sentences made of its answer.
import { create } from './api.js';
import { bytes, plural } from './format.js';

async function review(spec) {
  const answer = await create('/apis/fedlet.io/v1alpha1/planreviews', { apiVersion: 'fedlet.io/v1alpha1', kind: 'PlanReview', spec });
  return answer.status;
}

const referenceOf = ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });

/** Where an object is and would be, with each different content. */
export const planOf = (object) => review({ references: [referenceOf(object)], render: true });

/** What would go where if these objects were stored. */
export const planObjects = (objects) => review({ objects });

/** What deleting it takes out of clusters: the hub's plan of the object in no cluster. */
export function planRemoval(object) {
  const nowhere = { ...object, spec: { ...object.spec, placement: { clusters: [] } } };
  return planObjects([nowhere]);
}

/** How much an answer touches, the whole first. Pure. */
export function touchedText(status) {
  const touching = ['create', 'update', 'remove', 'removing', 'left'];
  const clusters = new Set();
  const namespaces = new Set();
  for (const object of status.objects ?? []) {
    for (const row of object.clusters ?? []) {
      if (!touching.includes(row.action)) continue;
      clusters.add(row.name);
      namespaces.add(object.namespace || object.name);
    }
  }
  const totals = status.totals ?? {};
  const cut = status.rowsCut ? 'at least ' : '';
  const lines = [`${cut}${plural(clusters.size, 'cluster')}, ${plural(namespaces.size, 'namespace')}, est. ${bytes(totals.bytes ?? 0)}`];
  for (const [action, verb] of [['create', 'created'], ['update', 'updated'], ['remove', 'removed'], ['refused', 'refused'], ['forbidden', 'forbidden by a policy'], ['left', 'left where they are, without anybody who looks after them']]) {
    if (totals[action] > 0) lines.push(`${plural(totals[action], 'object')} ${verb}${action === 'left' ? '' : ' in clusters'}`);
  }
  if (status.hidden > 0) lines.push(`${plural(status.hidden, 'more object')} that you may not see`);
  return lines;
}
