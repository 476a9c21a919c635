// The one query box. What is typed is in the address: a filtered view is a link.
import { useEffect, useState } from 'preact/hooks';
import { params, setParam } from '../router.js';

const WAIT_MS = 150;

export function QueryBox({ label, hint, error, name = 'q' }) {
  const value = params.value.get(name) ?? '';
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => setParam(name, text), WAIT_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <form class="query" role="search" onSubmit={(event) => { event.preventDefault(); setParam(name, text); }}>
      <label>
        <span class="hidden">{label}</span>
        <input
          type="search"
          placeholder={hint}
          value={text}
          spellcheck={false}
          autoComplete="off"
          aria-invalid={error ? 'true' : undefined}
          onInput={(event) => setText(event.target.value)}
        />
      </label>
      {error && <p class="alert" role="alert">{error}</p>}
    </form>
  );
}
