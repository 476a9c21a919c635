// What a cluster's annotations say of its link: a cordon, quiet windows, a month's bytes. The hub reads and checks them
// (docs/bandwidth.md).
import { clusterPath, get, merge } from './api.js';

export const CORDON = 'fedlet.io/cordon';
const WINDOWS = 'fedlet.io/quiet-windows';
const BYTES = 'fedlet.io/monthly-bytes';
const THROUGH = 'fedlet.io/let-through-until';
const THROUGH_S = 900; // enough for what waits to be fetched by a slow link

const annotate = (name, annotations, query = '') => merge(`${clusterPath(name)}${query}`, { metadata: { annotations } });

export const isCordoned = (cluster) => cluster.metadata.annotations?.[CORDON] === 'true';
export const cordon = (name, on) => annotate(name, { [CORDON]: on ? 'true' : null });

/** { bytes, windows }, as they are written. */
export const linkRules = (cluster) => ({
  bytes: cluster.metadata.annotations?.[BYTES] ?? '',
  windows: (cluster.metadata.annotations?.[WINDOWS] ?? '').split(/\s*;\s*/).join('\n'),
});

/** One window in each line, as the annotation has them. Pure. */
export const windowsText = (lines) => lines.split('\n').map((line) => line.trim()).filter(Boolean).join('; ');

export const setLinkRules = (name, { bytes, windows }, { dryRun } = {}) =>
  annotate(name, { [BYTES]: bytes.trim() || null, [WINDOWS]: windowsText(windows) || null }, dryRun ? '?dryRun=All' : '');

/** By the hub's clock: it is the one that decides. */
export async function letThrough(name) {
  const about = await get('/console/about');
  const until = new Date((about.started_unix_s + about.uptime_s + THROUGH_S) * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  return annotate(name, { [THROUGH]: until });
}
