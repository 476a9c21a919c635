// Ctrl-K: a page, a cluster or an object, in a few letters.
import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api.js';
import { BASE, link, navigate } from '../router.js';
import { CONNECTIVITY, DELIVERY } from '../states.js';
import { visibleLinks } from './nav.jsx';

const isOpen = signal(false);
export const openPalette = () => (isOpen.value = true);

addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    if (!document.querySelector('dialog[open]')) openPalette();
  }
});

export function objectLink({ resource, namespace, name }) {
  return namespace ? link('objects', resource, namespace, name) : link('objects', resource, name);
}

function pagesFor(text) {
  return visibleLinks()
    .filter((page) => page.text.toLowerCase().includes(text.toLowerCase()))
    .map((page) => ({ text: page.text, kind: 'page', href: BASE + page.href }));
}

async function find(text, abort) {
  const found = await get(`/console/search?limit=8&q=${encodeURIComponent(text)}`, { signal: abort });
  return [
    ...found.clusters.map((one) => ({
      text: one.name,
      kind: `cluster, ${CONNECTIVITY[one.connectivity]}, ${DELIVERY[one.delivery].replace('-', ' ')}`,
      href: link('clusters', one.name),
    })),
    ...found.objects.map((one) => ({
      text: [one.namespace, one.name].filter(Boolean).join('/'),
      kind: one.resource.split('.')[0],
      href: objectLink(one),
    })),
  ];
}

function useFound(text) {
  const [found, setFound] = useState([]);
  const [error, setError] = useState();
  useEffect(() => {
    setError(undefined);
    if (!text.trim()) {
      setFound([]);
      return undefined;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => find(text, abort.signal).then(setFound, (failure) => {
      if (failure.name !== 'AbortError') setError(failure.message);
    }), 120);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);
  return { found, error };
}

function Choices() {
  const dialog = useRef();
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const { found, error } = useFound(text);
  const choices = [...pagesFor(text), ...found];
  const chosen = Math.min(at, choices.length - 1);
  const close = () => (isOpen.value = false);
  const go = (choice) => {
    close();
    navigate(choice.href);
  };

  // At once, not after the next frame: what is typed behind Ctrl-K belongs here.
  useLayoutEffect(() => dialog.current.showModal(), []);

  function onKey(event) {
    if (event.key === 'ArrowDown') setAt(Math.min(chosen + 1, choices.length - 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(chosen - 1, 0));
    else if (event.key === 'Enter' && choices[chosen]) go(choices[chosen]);
    else return;
    event.preventDefault();
  }

  return (
    <dialog ref={dialog} class="palette" aria-label="Go to" onClose={close}>
      <input
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="choices"
        aria-activedescendant={choices.length ? `choice-${chosen}` : undefined}
        aria-label="Page, cluster or object"
        placeholder="Page, cluster, object, state:offline, region=north …"
        value={text}
        spellcheck={false}
        autoComplete="off"
        onKeyDown={onKey}
        onInput={(event) => { setText(event.target.value); setAt(0); }}
      />
      <ul id="choices" role="listbox" aria-label="Found">
        {choices.map((choice, index) => (
          <li key={choice.href} id={`choice-${index}`} role="option" aria-selected={index === chosen} onClick={() => go(choice)}>
            <span>{choice.text}</span> <span class="note">{choice.kind}</span>
          </li>
        ))}
      </ul>
      {error && <p class="alert" role="alert">{error}</p>}
    </dialog>
  );
}

export const Palette = () => (isOpen.value ? <Choices /> : null);
