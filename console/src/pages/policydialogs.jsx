// Deleting and changing policies: what follows is the hub's own plan, shown before it can be confirmed.
import { signal } from '@preact/signals';
import { remove, replace } from '../api.js';
import { governedPlans, ungovernedText } from '../governed.js';
import { touchedText } from '../plan.js';
import { planPolicy, planWithoutPolicy } from '../planworld.js';
import { withSpec } from '../replaced.js';
import { ask } from '../ui/dialog.jsx';

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

const changed = (policy, kind, text) => withSpec(policy, { apiVersion: 'fedlet.io/v1alpha1', kind, spec: read(text) });

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
