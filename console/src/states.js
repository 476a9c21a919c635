// The two axes of a cluster's state, and the one of both that is shown. Pure.

export const CONNECTIVITY = ['online', 'late', 'offline', 'never', 'quarantined'];
export const DELIVERY = ['in-sync', 'syncing', 'waiting', 'drifted', 'contested', 'failed'];

// The worst first. The glyph says it without colour.
export const STATES = [
  { id: 'quarantined', text: 'quarantined', glyph: '!' },
  { id: 'failed', text: 'failed', glyph: '✕' },
  { id: 'contested', text: 'contested', glyph: '⇄' },
  { id: 'drifted', text: 'drifted', glyph: '≠' },
  { id: 'offline', text: 'offline', glyph: '○' },
  { id: 'never', text: 'never seen', glyph: '?' },
  { id: 'late', text: 'late', glyph: '…' },
  { id: 'waiting', text: 'waiting', glyph: '‖' },
  { id: 'syncing', text: 'syncing', glyph: '↻' },
  { id: 'in-sync', text: 'in sync', glyph: '✓' },
];

const rank = new Map(STATES.map((state, at) => [state.id, at]));

// shownAt[connectivity * 6 + delivery]: looked up ten thousand times for each picture.
const shownAt = CONNECTIVITY.flatMap((connectivity) =>
  DELIVERY.map((delivery) => {
    // What is only late or away was in sync when last heard of: that is no state of now.
    const one = rank.get(connectivity === 'online' ? 'in-sync' : connectivity);
    return Math.min(one, rank.get(delivery));
  }),
);

/** Index in STATES of the worst of the two. */
export const shownState = (connectivity, delivery) => shownAt[connectivity * DELIVERY.length + delivery];

/** Whether the delivery is what was last heard, and not what is. */
export const isStale = (connectivity) => connectivity >= 2;

export const stateOf = (id) => STATES[rank.get(id)];

/** Both axes as words. */
export function stateText(connectivity, delivery) {
  const known = CONNECTIVITY[connectivity] !== 'never';
  const said = DELIVERY[delivery].replace('-', ' ');
  if (!known) return 'never seen';
  return `${CONNECTIVITY[connectivity]}, ${isStale(connectivity) ? 'last known ' : ''}${said}`;
}

// Kubernetes' words for one object in one cluster, and for a rollout's phase, as states above.
const WORDS = {
  ok: 'in-sync', healthy: 'in-sync', complete: 'in-sync', done: 'in-sync', true: 'in-sync', approved: 'in-sync', unchanged: 'in-sync',
  progressing: 'syncing', running: 'syncing', soaking: 'syncing', create: 'syncing', update: 'syncing', updating: 'syncing',
  pending: 'waiting', queued: 'waiting', awaitingapproval: 'waiting', paused: 'waiting', waiting: 'waiting', held: 'waiting', empty: 'waiting',
  superseded: 'offline', aborted: 'drifted', rollingback: 'drifted', rolledback: 'drifted', drifted: 'drifted', removing: 'drifted', remove: 'drifted',
  contested: 'contested', offline: 'offline', clusternotready: 'offline', deferred: 'offline', unknown: 'never',
};

export function wordState(word) {
  return WORDS[String(word ?? '').toLowerCase()] ?? (word ? 'failed' : 'never');
}
