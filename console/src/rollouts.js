// What the page knows of Rollouts: their phases, and what may be done in each.
import { useState } from 'preact/hooks';
import { merge, rolloutPath } from './api.js';
import { listPages } from './list.js';
import { link } from './router.js';
import { may, namespacesWhere } from './rights.js';
import { useLoaded } from './ui/use.js';

export const ROLLOUTS = 'rollouts.fedlet.io';
const PAGES = 10; // of each list; they are in order of names, so that one that waits may be on any

export const ENDED = ['Complete', 'RolledBack', 'Aborted', 'Superseded'];
export const isOver = (rollout) => ENDED.includes(rollout.status?.phase);
export const waitsForPerson = (rollout) => ['AwaitingApproval', 'Paused'].includes(rollout.status?.phase);
export const rolloutLink = (rollout) => link('rollouts', rollout.metadata.namespace, rollout.metadata.name);
export const objectOf = (rollout) => `${rollout.spec.object.kind} ${rollout.metadata.namespace}/${rollout.spec.object.name}`;

const youngestFirst = (a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1);

/**
 * { data: rollouts, the youngest first; left: how many more were not looked at; onMore looks at twice as many }; none where
 * the user may not list them or the hub has none.
 */
export function useRollouts(namespace) {
  const [pages, setPages] = useState(PAGES);
  const allowed = may('list', 'fedlet.io', 'rollouts', namespace);
  const apart = allowed === false && !namespace ? namespacesWhere('list', 'fedlet.io', 'rollouts') : [];
  const known = allowed !== undefined && apart !== undefined;
  const paths = allowed ? [rolloutPath(namespace)] : (apart ?? []).map((one) => rolloutPath(one));
  const list = useLoaded(async (signal) => {
    if (!known) return undefined;
    try {
      const lists = await Promise.all(paths.map((path) => listPages(path, signal, pages)));
      return { items: lists.flatMap(({ items }) => items).sort(youngestFirst), left: lists.reduce((sum, { left }) => sum + left, 0) };
    } catch (error) {
      if (error.status === 404) return { items: [], left: 0 };
      throw error;
    }
  }, [paths.join(), known, pages], [ROLLOUTS]);
  return { ...list, data: list.data?.items, left: list.data?.left ?? 0, onMore: () => setPages(2 * pages) };
}

/** The actions that fit a phase; needs: one of these counts is not 0. The hub refuses what does not fit all the same. */
export const ACTIONS = [
  { action: 'approve', text: 'Approve', phases: ['AwaitingApproval'] },
  { action: 'pause', text: 'Pause', phases: ['Running', 'Soaking', 'AwaitingApproval'] },
  { action: 'resume', text: 'Resume', phases: ['Paused'] },
  { action: 'retry', text: 'Retry failed', phases: ['Running', 'Soaking', 'AwaitingApproval', 'Paused', 'RolledBack', 'Aborted', 'Complete'], needs: ['failed', 'returned', 'stuck'] },
  { action: 'undo', text: 'Roll back', phases: ['Running', 'Soaking', 'AwaitingApproval', 'Paused', 'Complete', 'Aborted'], danger: true },
  { action: 'abort', text: 'Abort', phases: ['Running', 'Soaking', 'AwaitingApproval', 'Paused', 'RollingBack'], danger: true },
];

const hasAny = (counts = {}, names) => !names || names.some((name) => counts[name] > 0);

export const actionsOf = ({ spec, status = {} }) =>
  ACTIONS.filter((one) =>
    one.phases.includes(status.phase) && hasAny(status.clusters, one.needs) && (one.action !== 'undo' || spec.from));

export function act(rollout, action, { wave, reason, dryRun } = {}) {
  const path = rolloutPath(rollout.metadata.namespace, rollout.metadata.name);
  const annotations = { 'fedlet.io/action': wave ? `${action}:${wave}` : action };
  if (reason) annotations['fedlet.io/reason'] = reason;
  // The one that was looked at: a later one may have its name.
  const { uid } = rollout.metadata;
  return merge(dryRun ? `${path}?dryRun=All` : path, { metadata: { uid, annotations } });
}
