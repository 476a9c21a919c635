// Hooks: data of the hub that comes again when the hub says that it changed, and the time that passes.
import { useEffect, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { get, getTable } from '../api.js';
import { onTouched } from '../live.js';

/** The present second, for ages; ten seconds are close enough for them. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 10000);

/** Loads by a function of an abort signal; again when a key or one of the resources changes. */
export function useLoaded(load, keys, resources = []) {
  const [state, setState] = useState({ loading: true });
  const [round, setRound] = useState(0);
  const reload = () => setRound((n) => n + 1);
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal).then(
      (data) => setState({ data }),
      // What was there stays, with the error beside it: old news are better than none, and said to be old.
      (error) => error.name !== 'AbortError' && setState((before) => ({ data: before.data, error })),
    );
    return () => abort.abort();
  }, [...keys, round]);
  useEffect(() => {
    const ends = resources.map((resource) => onTouched(resource, reload));
    return () => ends.forEach((end) => end());
  }, [resources.join()]);
  return { ...state, reload };
}

export const useGet = (path, resources) =>
  useLoaded((signal) => (path ? get(path, { signal }) : Promise.resolve(undefined)), [path], resources);

export const useTable = (path, resources) =>
  useLoaded((signal) => (path ? getTable(path, { signal }) : Promise.resolve(undefined)), [path], resources);

export function useTitle(text) {
  useEffect(() => {
    document.title = `${text} · fedlet`;
  }, [text]);
}
