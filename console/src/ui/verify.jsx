// Whether the audit log is what the hub wrote, part by part: a part is what one request may cost the hub.
import { useRef, useState } from 'preact/hooks';
import { get } from '../api.js';
import { addPart, NOTHING, verdict } from '../auditchain.js';
import { State } from './parts.jsx';

export function Verify() {
  const [found, setFound] = useState();
  const [error, setError] = useState();
  const run = useRef(0);

  async function verify() {
    const own = ++run.current; // a second press begins anew
    let sum = NOTHING;
    setError(undefined);
    setFound(sum);
    try {
      do {
        sum = addPart(sum, await get(`/console/audit/verify${sum.next ? `?from=${encodeURIComponent(sum.next)}` : ''}`));
        if (own !== run.current) return;
        setFound(sum);
      } while (sum.next);
    } catch (failure) {
      if (own === run.current) setError(failure);
    }
  }

  const said = found && verdict(found);
  return (
    <div class="row">
      <button type="button" onClick={verify}>Verify the chain</button>
      <div role="status">
        {said && !error && <State id={said.state} text={said.text} />}
        {found?.broken.length > 0 && (
          <ul>{found.broken.map((one) => <li key={one.file + one.offset}>{one.file}, byte {one.offset}: {one.why}</li>)}</ul>
        )}
      </div>
      {error && <p class="alert" role="alert">{error.message}</p>}
    </div>
  );
}
