// A label on many clusters at once.
import { signal } from '@preact/signals';
import { clusterPath, merge } from '../api.js';
import { plural } from '../format.js';
import { touchedText } from '../plan.js';
import { planClusters } from '../planworld.js';
import { ask } from '../ui/dialog.jsx';

const AT_ONCE = 6; // requests under way: what a browser keeps open to one place

async function labelAll(names, labels) {
  const left = [...names];
  const failed = [];
  const work = async () => {
    for (let name = left.pop(); name; name = left.pop()) {
      await merge(clusterPath(name), { metadata: { labels } }).catch((error) => failed.push(`${name}: ${error.message}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failed.length > 0) throw new Error(`${plural(failed.length, 'cluster')} not labelled; ${failed[0]}`);
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
    run: (said) => labelAll(names, labelsOf(said.input)),
  });
}
