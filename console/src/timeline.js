// Where things are in a rollout's picture: time on x, a lane for each wave. Pure.
import { unixOf } from './format.js';
import { isOver } from './rollouts.js';
import { partsOf } from './ui/wavebar.jsx';

export const LANE = 46;
export const LEFT = 130; // of the names of waves
const LEAST_S = 60;

/** How much time is shown, and from when: to the end, or a little beyond now for what comes next. */
export function spanOf(rollout, nowS) {
  const start = unixOf(rollout.status.startTime) || nowS;
  const end = isOver(rollout) ? unixOf(rollout.status.endTime) || nowS : nowS;
  const next = unixOf(rollout.status.next?.when);
  const last = Math.max(end, next && next - nowS < 4 * (nowS - start + LEAST_S) ? next : end);
  return { start, end: start + Math.max(LEAST_S, (last - start) * 1.08) };
}

/** Each wave with its bar: from when to when, filled by its clusters' states; a wave that has not begun has none. */
export function lanesOf(rollout, span, width, nowS) {
  const x = (unixS) => LEFT + ((unixS - span.start) / (span.end - span.start)) * (width - LEFT);
  const over = isOver(rollout) ? unixOf(rollout.status.endTime) : nowS;
  return (rollout.status.waves ?? []).map((wave, at) => {
    const begun = unixOf(wave.startTime);
    const from = begun ? x(begun) : 0;
    const to = begun ? Math.max(from + 4, x(unixOf(wave.endTime) || over)) : 0;
    return { wave, y: at * LANE, from, to, parts: fill(wave, from, to), gates: gatesOf(wave, rollout, x) };
  });
}

function fill(wave, from, to) {
  const parts = partsOf(wave);
  const total = parts.reduce((sum, [, , n]) => sum + n, 0);
  let x = from;
  return parts.map(([id, text, n]) => {
    const width = ((to - from) * n) / total;
    const part = { id, text, n, x, width };
    x += width;
    return part;
  });
}

/** The gates behind a wave, at the time at which each opened or is to open. */
function gatesOf(wave, rollout, x) {
  const rules = (rollout.spec.rules?.waves ?? []).find((one) => one.name === wave.name) ?? {};
  const gates = [];
  if (rules.soak && wave.healthySince) gates.push({ what: `soak ${rules.soak}`, x: x(unixOf(wave.healthySince)), passed: Boolean(wave.endTime) });
  if (rules.approval && wave.endTime) gates.push({ what: `approved by ${wave.approvedBy || 'nobody'}`, x: x(unixOf(wave.endTime)), passed: true });
  if (rules.approval && wave.phase === 'AwaitingApproval') gates.push({ what: 'waits for approval', x: x(Date.now() / 1000), passed: false });
  return gates;
}
