// Every view is a link: path and query are all the state that a page keeps.
import { computed, signal } from '@preact/signals';

export const BASE = '/console';

export const place = signal({ path: location.pathname, search: location.search });
export const params = computed(() => new URLSearchParams(place.value.search));

function read() {
  place.value = { path: location.pathname, search: location.search };
}

addEventListener('popstate', read);

export function navigate(href, replace = false) {
  history[replace ? 'replaceState' : 'pushState'](null, '', href);
  read();
  if (!replace) scrollTo(0, 0);
}

/** Puts one value into the present address, or takes it out. */
export function setParam(name, value) {
  const next = new URLSearchParams(place.value.search);
  if (value) next.set(name, value);
  else next.delete(name);
  const text = next.toString();
  navigate(place.value.path + (text ? `?${text}` : ''), true);
}

/** A click that the browser would follow to a place of ours stays in the page. */
export function followLinks(event) {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.hasAttribute('download')) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || !url.pathname.startsWith(`${BASE}/`)) return;
  event.preventDefault();
  navigate(url.pathname + url.search);
}

/** As it is where it was not encoded as it should be: then nothing has that name. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The values of a pattern's :names in a path; undefined when it is another page. */
export function matchPath(pattern, path) {
  const want = pattern.split('/').filter(Boolean);
  const have = path.split('/').filter(Boolean);
  if (want.length !== have.length) return undefined;
  const values = {};
  for (let i = 0; i < want.length; i++) {
    if (want[i].startsWith(':')) values[want[i].slice(1)] = decoded(have[i]);
    else if (want[i] !== have[i]) return undefined;
  }
  return values;
}

export const link = (...parts) => [BASE, ...parts.map(encodeURIComponent)].join('/');
