// Answers of /console/audit/verify as one. Pure.
import { count, plural } from './format.js';

const TOLD_MAX = 20;

export const NOTHING = { records: 0, unchained: 0, breaks: 0, broken: [], chain: '', next: undefined, over: false };

export const addPart = (sum, part) => ({
  records: sum.records + part.records,
  unchained: sum.unchained + part.unchained,
  breaks: sum.breaks + part.breaks,
  broken: [...sum.broken, ...part.broken].slice(0, TOLD_MAX),
  chain: part.chain,
  next: part.next ?? undefined,
  over: part.next === null,
});

/** { state, text } */
export function verdict(sum) {
  const older = sum.unchained > 0 ? `; ${plural(sum.unchained, 'record')} of an older hub had no chain yet` : '';
  if (sum.breaks > 0) return { state: 'failed', text: `The log was changed: ${plural(sum.breaks, 'break')} among ${plural(sum.records + sum.breaks, 'record')}${older}` };
  if (!sum.over) return { state: 'syncing', text: `${count(sum.records)} records hold so far …` };
  return { state: 'in-sync', text: `All ${plural(sum.records, 'record')} are as the hub wrote them, up to ${sum.chain.slice(0, 8) || 'the first'}${older}` };
}
