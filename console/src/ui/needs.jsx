// What waits for a person.
import { joinRequestPath } from '../api.js';
import { fleet, revision } from '../fleet.js';
import { ago, count, plural } from '../format.js';
import { may } from '../rights.js';
import { rolloutLink, useRollouts, waitsForPerson } from '../rollouts.js';
import { STATES } from '../states.js';
import { Empty, State } from './parts.jsx';
import { useGet } from './use.js';

const SOON_S = 30 * 86400;

function clusterNeeds(of) {
  const counts = Object.fromEntries(STATES.map((state, at) => [state.id, of.counts[at]]));
  return ['quarantined', 'contested', 'failed']
    .filter((id) => counts[id] > 0)
    .map((id) => ({ state: id, text: `${plural(counts[id], 'cluster')} ${id}`, href: `/console/grid?q=state:${id}` }));
}

function joinNeeds(list) {
  const pending = (list?.items ?? []).filter((request) => request.status?.state === 'Pending');
  const clones = (list?.items ?? []).filter((request) => /clone|two machines|same identity/i.test(request.status?.message ?? ''));
  return [
    ...(pending.length ? [{ state: 'waiting', text: `${plural(pending.length, 'cluster')} to let in`, href: '/console/join' }] : []),
    ...clones.map((one) => ({ state: 'quarantined', text: `${one.spec.clusterName}: ${one.status.message}`, href: '/console/join' })),
  ];
}

function certificateNeeds(about) {
  const soon = Date.now() / 1000 + SOON_S;
  return [
    ['The CA', about?.ca_until_unix_s],
    ["The hub's certificate", about?.server_certificate_until_unix_s],
  ]
    .filter(([, until]) => until && until < soon)
    .map(([what, until]) => ({ state: 'late', text: `${what} ends ${ago(until)}`, href: '/console/settings' }));
}

function rolloutNeeds(rollouts) {
  return rollouts.filter(waitsForPerson).map((one) => ({
    state: one.status.phase === 'Paused' ? 'failed' : 'waiting',
    text: `${one.metadata.namespace}/${one.metadata.name}: ${one.status.phase}`,
    href: rolloutLink(one),
  }));
}

export function NeedsYou() {
  revision.value; // counts are changed in place
  const mayJoin = may('list', 'fedlet.io', 'joinrequests');
  const requests = useGet(mayJoin ? joinRequestPath() : undefined, ['joinrequests.fedlet.io']);
  const about = useGet('/console/about');
  const rollouts = useRollouts();
  const needs = [
    ...rolloutNeeds(rollouts.data ?? []),
    ...(rollouts.left ? [{ state: 'waiting', text: `${plural(rollouts.left, 'more rollout')} that were not looked at`, href: '/console/rollouts' }] : []),
    ...joinNeeds(requests.data),
    ...clusterNeeds(fleet.value),
    ...certificateNeeds(about.data),
  ];
  const error = requests.error ?? about.error ?? rollouts.error;
  if (needs.length === 0 && error) return <p class="alert" role="alert">Not known: {error.message}</p>;
  if (needs.length === 0 && (!fleet.value.version || rollouts.data === undefined)) return <Empty>Loading …</Empty>;
  if (needs.length === 0) return <Empty>Nothing. All that runs, runs by itself.</Empty>;
  return (
    <ul class="needs">
      {needs.slice(0, 12).map((need) => (
        <li key={need.text}><a href={need.href}><State id={need.state} text={need.text} /></a></li>
      ))}
      {needs.length > 12 && <li class="note">and {count(needs.length - 12)} more</li>}
    </ul>
  );
}
