// A label on many clusters at once.
import { clusterPath, merge } from '../api.js';
import { plural } from '../format.js';
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

export function bulkLabel(names) {
  const pair = { key: '', value: '' };
  ask({
    title: `Label ${plural(names.length, 'cluster')}`,
    text: 'Labels decide where objects are placed: a change may send works to these clusters, or take them away.',
    action: 'Label',
    danger: true,
    typed: names.length > 1 ? String(names.length) : names[0],
    body: () => (
      <div class="row">
        <label>Key <input required onInput={(event) => (pair.key = event.target.value)} /></label>
        <label>Value, empty takes it off <input onInput={(event) => (pair.value = event.target.value)} /></label>
      </div>
    ),
    run: () => labelAll(names, { [pair.key]: pair.value || null }),
  });
}
