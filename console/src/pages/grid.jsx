import { useEffect, useMemo, useState } from 'preact/hooks';
import { fleet, revision, select } from '../fleet.js';
import { readQuery } from '../query.js';
import { params, setParam } from '../router.js';
import { STATES } from '../states.js';
import { count } from '../format.js';
import { Grid } from '../ui/grid.jsx';
import { GroupBy, groupKey } from '../ui/groupby.jsx';
import { FleetTable } from '../ui/fleettable.jsx';
import { Legend } from '../ui/legend.jsx';
import { Card, Page } from '../ui/parts.jsx';
import { QueryBox } from '../ui/querybox.jsx';
import { SelectionBar } from '../ui/selectionbar.jsx';
import { useSelection } from '../ui/useselection.js';

/** What the query has; a query that cannot be read has all, and says why. */
export function useQueried(query, of, changes) {
  return useMemo(() => {
    try {
      return { indices: select(of, readQuery(query)) };
    } catch (error) {
      return { indices: select(of, () => true), error: error.message };
    }
  }, [query, of, changes]);
}

function onKey(event) {
  if (event.key.toLowerCase() !== 't' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.('input, select, textarea, dialog')) return;
  setParam('view', params.value.get('view') === 'table' ? '' : 'table');
}

export function GridPage() {
  const of = fleet.value;
  const query = params.value.get('q') ?? '';
  const table = params.value.get('view') === 'table';
  const only = params.value.get('only') === '1';
  const [touch, setTouch] = useState(false);
  // A query about states has other clusters with each change; one about names has not.
  const { indices, error } = useQueried(query, of, /state:/i.test(query) ? revision.value : 0);
  const selection = useSelection(of, indices);
  const shown = only && selection.indices.length > 0 ? selection.indices : indices;
  const hidden = useMemo(() => {
    const have = new Set(indices);
    return selection.indices.filter((at) => !have.has(at)).length;
  }, [indices, selection.indices]);

  useEffect(() => {
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);

  const picture = { fleet: of, indices: shown, label: 'Fleet', chosen: selection.indices, onChoose: selection.choose, touch };
  return (
    <Page title="Fleet">
      <QueryBox label="Filter clusters" hint="gw-*  region=north  tier!=test  state:offline  zone in (a, b)" error={error} />
      <div class="controls">
        <GroupBy fleet={of} />
        <button type="button" aria-pressed={table} onClick={() => setParam('view', table ? '' : 'table')}>Table <kbd>T</kbd></button>
        {!table && <button type="button" class="finger" aria-pressed={touch} onClick={() => setTouch(!touch)}>Select by finger</button>}
        <button type="button" disabled={indices.length === 0} onClick={selection.chooseAll}>Select all {count(indices.length)}</button>
        <span class="note" role="status">{count(indices.length)} of {count(of.n)} clusters</span>
      </div>
      <Legend counts={of.counts} states={STATES} query={query} />
      {table
        ? <FleetTable fleet={of} indices={shown} selected={selection.names} onSelect={(at) => selection.choose([at], 'toggle')} />
        : <Card><Grid {...picture} group={groupKey()} height={560} /></Card>}
      <SelectionBar selection={selection} hidden={hidden} />
    </Page>
  );
}
