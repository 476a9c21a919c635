// What can be done with a selection, at the foot of the page while there is one.
import { SYSTEM } from '../api.js';
import { count, plural } from '../format.js';
import { bulkCordon, bulkLabel } from '../pages/bulk.jsx';
import { retryFailed } from '../pages/retry.js';
import { may, mayAnywhere } from '../rights.js';
import { BASE, link, params, setParam } from '../router.js';
import { CopyButton } from './copybutton.jsx';

const LISTED = 100;

/** The address with a query and a selection, of this page or of another. */
function addressOf(path) {
  const kept = new URLSearchParams();
  for (const name of ['q', 'sel']) if (params.value.get(name)) kept.set(name, params.value.get(name));
  return `${path}?${kept}`;
}

function Names({ names }) {
  return (
    <details>
      <summary>Which</summary>
      <div class="labels">
        {names.slice(0, LISTED).map((name) => <a key={name} class="label" href={link('clusters', name)}>{name}</a>)}
        {names.length > LISTED && <span class="note">and {count(names.length - LISTED)} more</span>}
      </div>
    </details>
  );
}

function Actions({ selection: { names, linked } }) {
  const mayWrite = may('patch', 'core.kubefed.io', 'kubefedclusters', SYSTEM);
  const maySteer = may('patch', 'fedlet.io', 'rollouts');
  const mayPlace = mayAnywhere('update', 'types.kubefed.io', '*');
  return (
    <div class="actions">
      {mayPlace && linked && <a class="button" href={addressOf(`${BASE}/rollouts/start`)}>Start a rollout …</a>}
      {maySteer && <button type="button" onClick={() => retryFailed(names)}>Retry failed …</button>}
      {mayWrite && <button type="button" onClick={() => bulkCordon(names, true)}>Cordon …</button>}
      {mayWrite && <button type="button" onClick={() => bulkCordon(names, false)}>Uncordon …</button>}
      {mayWrite && <button type="button" onClick={() => bulkLabel(names)}>Label …</button>}
    </div>
  );
}

/** selection: of useSelection; hidden: how many of it the query does not have. */
export function SelectionBar({ selection, hidden }) {
  const { names, all, linked } = selection;
  if (names.length === 0) return <p class="hidden" role="status">Nothing is selected.</p>;
  const only = params.value.get('only') === '1';
  return (
    <section class="selection" aria-label="Selection">
      <strong role="status">
        {plural(names.length, 'cluster')} selected{all && ': all that the query has'}{hidden > 0 && `, ${count(hidden)} of them not shown`}
      </strong>
      {linked
        ? <CopyButton text={() => location.origin + addressOf(`${BASE}/grid`)}>Copy link</CopyButton>
        : <span class="note">Too many single clusters for a link: select by a query, or by their label.</span>}
      <CopyButton text={() => names.join('\n')}>Copy names</CopyButton>
      <button type="button" aria-pressed={only} onClick={() => setParam('only', only ? '' : '1')}>Only these</button>
      <button type="button" onClick={() => { setParam('only', ''); selection.choose([], 'replace'); }}>Clear</button>
      <Actions selection={selection} />
      <Names names={names} />
    </section>
  );
}
