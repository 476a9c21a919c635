// A rollout's clusters in one bar, a part for each state.
import { count } from '../format.js';

/** Parts in the order in which they are drawn; what a cluster is counted as only once. */
export function partsOf(counts = {}) {
  const done = counts.healthy ?? 0;
  const parts = [
    ['in-sync', 'healthy', done],
    ['syncing', 'updating', counts.updating ?? 0],
    ['failed', 'failed', counts.failed ?? 0],
    ['quarantined', 'stuck', counts.stuck ?? 0],
    ['drifted', 'returning or returned', (counts.returning ?? 0) + (counts.returned ?? 0)],
    ['waiting', 'held', counts.held ?? 0],
    ['offline', 'deferred', counts.deferred ?? 0],
    ['never', 'pending', counts.pending ?? 0],
  ];
  return parts.filter(([, , n]) => n > 0);
}

export const partsText = (counts) => partsOf(counts).map(([, text, n]) => `${count(n)} ${text}`).join(', ') || 'no clusters';

export function WaveBar({ status }) {
  const parts = partsOf(status?.clusters);
  return (
    <div class="wavebar" role="img" aria-label={partsText(status?.clusters)} title={partsText(status?.clusters)}>
      {parts.map(([id, text, n]) => <span key={text} class={`fill ${id}`} style={{ flexGrow: n }} />)}
    </div>
  );
}
