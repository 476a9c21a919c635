// What is selected: a part of the address, or, when it is too much for one, of this page alone.
import { useMemo } from 'preact/hooks';
import { signal } from '@preact/signals';
import { params, setParam } from '../router.js';
import { ALL, changed, decodeNames, encodeNames, TEXT_MAX } from '../selection.js';

// What was selected last, as it is in the address, and as names: those outlive a fleet that is read again.
const last = signal({ text: '', names: [], kept: false });

function namesOf(text, fleet, shown) {
  const { value } = last;
  if (text === ALL) return shown.map((at) => fleet.names[at]);
  if (text === value.text) return value.names;
  return text ? decodeNames(text, fleet.names) : [];
}

/**
 * shown: indices that the query has.
 *   names, indices (sorted)  what is selected; all  whether that is whatever the query has
 *   linked    whether the address says it
 *   choose(indices, how), chooseAll()
 */
export function useSelection(fleet, shown) {
  const text = params.value.get('sel') ?? '';
  const { kept } = last.value;
  const names = useMemo(() => namesOf(text, fleet, shown), [text, fleet, shown, last.value]);
  const indices = useMemo(() => {
    const wanted = new Set(names);
    return names.length > 0 ? fleet.names.flatMap((name, at) => (wanted.has(name) ? [at] : [])) : [];
  }, [names, fleet]);

  function put(set) {
    const next = [...set].sort((a, b) => a - b).map((at) => fleet.names[at]);
    const encoded = encodeNames(next);
    const fits = encoded.length <= TEXT_MAX;
    last.value = { text: fits ? encoded : '', names: next, kept: !fits };
    setParam('sel', fits ? encoded : '');
  }

  return {
    names,
    indices,
    all: text === ALL,
    linked: Boolean(text) || !kept,
    choose: (found, how) => put(changed(indices, found, how)),
    chooseAll: () => setParam('sel', ALL),
  };
}
