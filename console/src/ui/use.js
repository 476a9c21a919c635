// Hooks: data of the hub that comes again when the hub says that it changed, and the time that passes.
import { useEffect, useRef, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { get, getTable } from '../api.js';
import { onTouched } from '../live.js';

/** The present second, for ages; ten seconds are close enough for them. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 10000);

const REST_MAX_MS = 10000;

/**
 * One load's turn: what is touched while it is under way, or rests three times as long as it took, is loaded once behind it.
 * So it comes to its end however often something changes, and asks the hub no more than a quarter of the time.
 */
function turn(reload) {
  const began = Date.now();
  const own = { rested: false, again: false };
  own.touch = () => {
    if (own.rested) reload();
    else own.again = true;
  };
  own.ended = () => {
    own.timer = setTimeout(() => {
      own.rested = true;
      if (own.again) reload();
    }, Math.min(3 * (Date.now() - began), REST_MAX_MS));
  };
  return own;
}

/** Loads by a function of an abort signal; again when a key or one of the resources changes. */
export function useLoaded(load, keys, resources = []) {
  const [state, setState] = useState({ loading: true });
  const [round, setRound] = useState(0);
  const reload = () => setRound((n) => n + 1);
  const present = useRef();
  useEffect(() => {
    const abort = new AbortController();
    const own = turn(reload);
    present.current = own;
    load(abort.signal).then(
      (data) => setState({ data }),
      // What was there stays, with the error beside it: old news are better than none, and said to be old.
      (error) => error.name !== 'AbortError' && setState((before) => ({ data: before.data, error })),
    ).finally(() => !abort.signal.aborted && own.ended());
    return () => {
      abort.abort();
      clearTimeout(own.timer);
    };
  }, [...keys, round]);
  useEffect(() => {
    const ends = resources.map((resource) => onTouched(resource, () => present.current.touch()));
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
