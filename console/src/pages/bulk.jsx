// What is done to many clusters at once.
import { signal } from '@preact/signals';
import { clusterPath, merge } from '../api.js';
import { cordon } from '../clusterrules.js';
import { plural } from '../format.js';
import { touchedText } from '../plan.js';
import { planClusters } from '../planworld.js';
import { ask } from '../ui/dialog.jsx';

const AT_ONCE = 6; // requests under way: what a browser keeps open to one place

/** Does it for every name, a few at a time, and says in the end how many it was not done for. */
async function each(names, write, done) {
  const left = [...names];
  const failed = [];
  const work = async () => {
    for (let name = left.pop(); name; name = left.pop()) {
      await write(name).catch((error) => failed.push(`${name}: ${error.message}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failed.length > 0) throw new Error(`${plural(failed.length, 'cluster')} not ${done}; ${failed[0]}`);
}

const labelsOf = ({ key, value }) => ({ [key]: value || null });

export function bulkLabel(names) {
  const input = signal({ key: '', value: '' });
  const write = (name) => (event) => (input.value = { ...input.value, [name]: event.target.value.trim() });
  ask({
    title: `Label ${plural(names.length, 'cluster')}`,
    text: 'Labels decide where objects are placed: a change may send works to these clusters, or take them away.',
    action: 'Label',
    danger: true,
    typed: names.length > 1 ? String(names.length) : names[0],
    input,
    body: () => (
      <div class="row">
        <label>Key <input name="key" required autoComplete="off" spellcheck={false} onInput={write('key')} /></label>
        <label>Value, empty takes it off <input name="value" autoComplete="off" spellcheck={false} onInput={write('value')} /></label>
      </div>
    ),
    load: async (pair) => (pair.key ? touchedText(await planClusters(names, { labels: labelsOf(pair) })) : undefined),
    run: (said) => each(names, (name) => merge(clusterPath(name), { metadata: { labels: labelsOf(said.input) } }), 'labelled'),
  });
}

const CORDONS = {
  true: { action: 'Cordon', text: 'Changes for them wait until they are uncordoned: they keep every version that they have, and rollouts go on without them. Deletions and objects that are urgent do not wait.' },
  false: { action: 'Uncordon', text: 'What waits for them goes to each at once, in one change.' },
};

export function bulkCordon(names, on) {
  const { action, text } = CORDONS[on];
  ask({
    title: `${action} ${plural(names.length, 'cluster')}`,
    text,
    action,
    danger: true,
    typed: names.length > 1 ? String(names.length) : names[0],
    run: () => each(names, (name) => cordon(name, on), `${action.toLowerCase()}ed`),
  });
}
