// What may be done to a cluster: each dialog says what it touches before it can be confirmed.
import { signal } from '@preact/signals';
import { clusterPath, get, merge, remove, SYSTEM } from '../api.js';
import { cordon, isCordoned, letThrough, linkRules, setLinkRules } from '../clusterrules.js';
import { bytes, count, plural } from '../format.js';
import { touchedText } from '../plan.js';
import { planClusters } from '../planworld.js';
import { may } from '../rights.js';
import { BASE, navigate } from '../router.js';
import { ask } from '../ui/dialog.jsx';
import { bulkLabel } from './bulk.jsx';

const held = (cluster) => cluster.status?.link?.held;

function askRemove(name) {
  ask({
    title: `Remove cluster ${name}`,
    text: 'The hub forgets the cluster and its key; its agent is refused from then on. What was propagated to it stays there.',
    load: async () => touchedText(await planClusters([name], { deleted: true })),
    action: 'Remove',
    danger: true,
    typed: name,
    run: async () => {
      await remove(clusterPath(name));
      navigate(`${BASE}/grid`);
    },
  });
}

function askRemoval(name, removal) {
  ask({
    title: `Let ${count(removal.waiting)} works leave ${name}`,
    load: async () => [
      `${count(removal.waiting)} of ${count(removal.works)} works would be deleted in the cluster`,
      ...(removal.heldByAgent ? [`${count(removal.heldByAgent)} of them are held back by the agent's own limit`] : []),
      'Nobody ordered these removals by name.',
    ],
    action: 'Consent',
    danger: true,
    typed: name,
    run: () => merge(clusterPath(name), { metadata: { annotations: { 'fedlet.io/approve-removal': removal.approval } } }),
  });
}

/** What waits now, as the hub says it. */
async function waiting(name) {
  const now = held(await get(clusterPath(name)));
  if (!now?.changes) return ['Nothing waits.'];
  return [`${plural(now.changes, 'change')} waiting for ${now.reason}${now.until ? ` until ${now.until}` : ''}`];
}

function askCordon(name) {
  ask({
    title: `Cordon ${name}`,
    text: 'Changes wait until it is uncordoned: the cluster keeps every version that it has, and rollouts go on without it. Deletions and objects that are urgent do not wait.',
    load: () => waiting(name),
    action: 'Cordon',
    run: () => cordon(name, true),
  });
}

function askUncordon(name) {
  ask({
    title: `Uncordon ${name}`,
    text: 'What waits goes to the cluster at once, in one change.',
    load: () => waiting(name),
    action: 'Uncordon',
    run: () => cordon(name, false),
  });
}

function askSync(name) {
  ask({
    title: `Sync ${name} now`,
    text: 'What waits for a quiet window or for the next month goes to the cluster now, and so does what comes within a quarter of an hour.',
    load: () => waiting(name),
    action: 'Sync now',
    run: () => letThrough(name),
  });
}

function askLinkRules(name, cluster) {
  const input = signal(linkRules(cluster));
  const write = (key) => (event) => (input.value = { ...input.value, [key]: event.target.value });
  ask({
    title: `Link of ${name}`,
    text: 'While a quiet window is open, and when the bytes of a month are spent, changes for the cluster wait.',
    input,
    body: () => (
      <>
        <label>
          Bytes of a month, both ways; empty: no limit
          <input name="bytes" placeholder="50Mi" autoComplete="off" defaultValue={input.peek().bytes} onInput={write('bytes')} />
        </label>
        <label>
          Quiet windows, one in each line
          <textarea name="windows" rows={3} spellcheck={false} placeholder="Mon-Fri 08:00-18:00 Europe/Berlin" defaultValue={input.peek().windows} onInput={write('windows')} />
        </label>
      </>
    ),
    // The hub reads them, and says no to what it does not understand; nothing is stored by that.
    load: async (rules) => {
      const link = (await setLinkRules(name, rules, { dryRun: true })).status?.link;
      return [`This month so far: ${bytes(link?.bytes?.total ?? 0)}`, ...(await waiting(name))];
    },
    action: 'Save',
    run: (said) => setLinkRules(name, said.input),
  });
}

export function ClusterActions({ name, cluster }) {
  const mayPatch = may('patch', 'core.kubefed.io', 'kubefedclusters', SYSTEM);
  const mayDelete = may('delete', 'core.kubefed.io', 'kubefedclusters', SYSTEM);
  const removal = cluster.status?.removal;
  const cordoned = isCordoned(cluster);
  return (
    <>
      {mayPatch && removal?.waiting > 0 && <button type="button" class="danger" onClick={() => askRemoval(name, removal)}>Consent to removals …</button>}
      {mayPatch && held(cluster) && !cordoned && <button type="button" onClick={() => askSync(name)}>Sync now …</button>}
      {mayPatch && (cordoned
        ? <button type="button" onClick={() => askUncordon(name)}>Uncordon …</button>
        : <button type="button" onClick={() => askCordon(name)}>Cordon …</button>)}
      {mayPatch && <button type="button" onClick={() => askLinkRules(name, cluster)}>Link …</button>}
      {mayPatch && <button type="button" onClick={() => bulkLabel([name])}>Label …</button>}
      {mayDelete && <button type="button" class="danger" onClick={() => askRemove(name)}>Remove …</button>}
    </>
  );
}
