// Numbers and times as people read them. Pure.

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytes(n) {
  if (!Number.isFinite(n)) return '–';
  let at = 0;
  while (n >= 1000 && at < UNITS.length - 1) {
    n /= 1000;
    at++;
  }
  return `${at === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[at]}`;
}

export const count = (n) => Number(n ?? 0).toLocaleString('en-US');
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** "12 s", "3 d 4 h": the two largest units. */
export function duration(seconds) {
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]) {
    const n = Math.floor(left / size);
    left -= n * size;
    if (n > 0 || (unit === 's' && parts.length === 0)) parts.push(`${n} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

export function ago(unixS, nowMs = Date.now()) {
  if (!unixS) return 'never';
  const seconds = nowMs / 1000 - unixS;
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

export const unixOf = (text) => (text ? Date.parse(text) / 1000 : 0);
export const clock = (unixS) => new Date(unixS * 1000).toISOString().replace('T', ' ').slice(0, 19);

/** A key's fingerprint in pairs, so that two people can read it to each other. */
export const fingerprint = (hex) => (hex ?? '').replace(/(..)(?=.)/g, '$1:');
