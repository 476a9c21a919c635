import { useState } from 'preact/hooks';

export function Copy({ text }) {
  const [said, setSaid] = useState('');
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      setSaid('The browser did not let it; select and copy it');
    }
  }
  return (
    <div class="copy">
      <code>{text}</code>
      <button type="button" onClick={copy}>Copy</button>
      <span role="status" class="note">{said}</span>
    </div>
  );
}
