// Lists that may be long: page by page, as many pages as are wanted, and how much is left.
import { get } from './api.js';

export const PAGE = 500;

/** { items, left }: the first pages, and how many objects come behind them. */
export async function listPages(path, signal, pages = 1) {
  const items = [];
  let metadata = {};
  for (let page = 0; page < pages && (page === 0 || metadata.continue); page++) {
    const next = metadata.continue ? `&continue=${encodeURIComponent(metadata.continue)}` : '';
    const list = await get(`${path}?limit=${PAGE}${next}`, { signal });
    items.push(...list.items);
    metadata = list.metadata;
  }
  return { items, left: metadata.continue ? (metadata.remainingItemCount ?? 1) : 0 };
}
