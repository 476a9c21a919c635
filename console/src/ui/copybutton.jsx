import { useState } from 'preact/hooks';

/** A button that copies what it is given, and says so in its own place. */
export function CopyButton({ text, children }) {
  const [said, setSaid] = useState('');
  async function copy() {
    try {
      await navigator.clipboard.writeText(typeof text === 'function' ? text() : text);
      setSaid('Copied');
    } catch {
      setSaid('The browser did not let it');
    }
  }
  return (
    <>
      <button type="button" onClick={copy} onBlur={() => setSaid('')}>{children}</button>
      <span role="status" class={said ? 'note' : 'hidden'}>{said}</span>
    </>
  );
}
