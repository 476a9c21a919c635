// "Again", for clusters in which rollouts failed: a rollout retries all that failed in it, and the dialog says how many
// of them were selected.
import { get, rolloutPath } from '../api.js';
import { count, plural } from '../format.js';
import { listPages } from '../list.js';
import { act, actionsOf, objectOf } from '../rollouts.js';
import { ask } from '../ui/dialog.jsx';

const LISTS = 10; // pages of rollouts that are looked at
const PAGE = 5000;
const FAILED = ['Failed', 'Returned', 'Stuck'];

async function* pagesOf(path) {
  let next = '';
  do {
    const page = await get(`${path}${next && `&continue=${encodeURIComponent(next)}`}`);
    yield page;
    next = page.continue;
  } while (next);
}

/** How many of its failed clusters are among the names. */
async function failedOf(rollout, wanted) {
  let n = 0;
  for (const state of FAILED) {
    for await (const { clusters = [] } of pagesOf(`${rolloutPath(rollout.metadata.namespace, rollout.metadata.name)}/clusters?limit=${PAGE}&state=${state}`)) {
      n += clusters.filter((one) => wanted.has(one.name)).length;
    }
  }
  return n;
}

async function find(names) {
  const wanted = new Set(names);
  const { items, left } = await listPages(rolloutPath(), undefined, LISTS);
  if (left > 0) throw new Error('There are more rollouts than are looked at here; retry on the page of one.');
  const found = [];
  for (const rollout of items.filter((one) => actionsOf(one).some(({ action }) => action === 'retry'))) {
    const n = await failedOf(rollout, wanted);
    if (n > 0) found.push({ rollout, n });
  }
  return found;
}

const lineOf = ({ rollout, n }) => {
  const { failed = 0, returned = 0, stuck = 0 } = rollout.status.clusters;
  return `${objectOf(rollout)}: ${plural(failed + returned + stuck, 'cluster')} that failed or went back get the new version again, ${count(n)} of them selected`;
};

export function retryFailed(names) {
  let found = [];
  ask({
    title: `Retry what failed in ${plural(names.length, 'cluster')}`,
    load: async () => {
      found = await find(names);
      if (found.length === 0) throw new Error('No rollout failed in these clusters.');
      // The hub says now whether it would do it.
      await Promise.all(found.map(({ rollout }) => act(rollout, 'retry', { dryRun: true })));
      return [...found.map(lineOf), 'by the policies as they are now; failures count anew'];
    },
    action: 'Retry',
    reason: true,
    run: async ({ reason }) => {
      for (const { rollout } of found) await act(rollout, 'retry', { reason });
    },
  });
}
