// Deleting and changing policies: what follows is the hub's own plan, shown before it can be confirmed.
import { signal } from '@preact/signals';
import { remove, replace } from '../api.js';
import { plural } from '../format.js';
import { loadObjects } from '../kinds.js';
import { touchedText } from '../plan.js';
import { planPolicy, planReferences, planWithoutPolicy } from '../planworld.js';
import { ask } from '../ui/dialog.jsx';

const ONE_QUESTION = 500; // references: the schema's most
const PAGES_MAX = 20;

const referenceOf = ({ kind, apiVersion, metadata }) => ({ kind, apiVersion, namespace: metadata.namespace, name: metadata.name });

/** The plans of the objects that a RolloutPolicy governs: which those are, the hub says. */
async function governedPlans({ metadata: { namespace, name }, status }) {
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

export function askDeletePlacement(policy, path) {
  const { name } = policy.metadata;
  ask({
    title: `Delete PlacementPolicy ${name}`,
    text: 'What it forbade is allowed again, and what it alone allowed is allowed nowhere.',
    load: async () => touchedText(await planWithoutPolicy(name)),
    action: 'Delete',
    danger: true,
    typed: name,
    run: () => remove(path),
  });
}

export function askDeleteRollout(policy, path) {
  ask({
    title: `Delete RolloutPolicy ${policy.metadata.name}`,
    text: 'Changes of the objects that it governs go to all of their clusters at once from then on, unless another policy governs them.',
    load: async () => ungovernedText(await governedPlans(policy)),
    action: 'Delete',
    danger: true,
    typed: policy.metadata.name,
    run: () => remove(path),
  });
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`These rules are no JSON: ${error.message}`);
  }
}

/** Only the spec changes, and only if nobody changed it meanwhile. */
const changed = (policy, kind, text) => {
  const { name, namespace, resourceVersion, labels, annotations } = policy.metadata;
  return { apiVersion: 'fedlet.io/v1alpha1', kind, metadata: { name, namespace, resourceVersion, labels, annotations }, spec: read(text) };
};

function askChange(policy, path, kind, { text, touches }) {
  const input = signal(JSON.stringify(policy.spec, null, 2));
  ask({
    title: `Change ${kind} ${policy.metadata.name}`,
    text,
    input,
    body: () => (
      <label>
        Rules, as JSON
        <textarea
          name="rules"
          class="mono"
          rows={12}
          spellcheck={false}
          defaultValue={input.peek()}
          onInput={(event) => (input.value = event.target.value)}
        />
      </label>
    ),
    // Without storing it, the hub says whether it would take them; then what follows.
    load: async (given) => {
      const next = changed(policy, kind, given);
      await replace(`${path}?dryRun=All`, next);
      return touches(next);
    },
    action: 'Change',
    danger: true,
    typed: policy.metadata.name,
    run: (said) => replace(path, changed(policy, kind, said.input)),
  });
}

export const askChangePlacement = (policy, path) =>
  askChange(policy, path, 'PlacementPolicy', {
    text: 'Copies that it forbids from now on leave by its deletion budget.',
    touches: async (next) => touchedText(await planPolicy(next)),
  });

export const askChangeRollout = (policy, path) =>
  askChange(policy, path, 'RolloutPolicy', {
    text: 'A rollout that is under way keeps the rules with which it began. What the policy governs no more changes everywhere at once.',
    touches: async () => ungovernedText(await governedPlans(policy)),
  });
