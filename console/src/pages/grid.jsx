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
import { bulkLabel } from './bulk.jsx';
import { may } from '../rights.js';

/** What the query has; a query that cannot be read has what the one before had, and says why. */
function useSelection(query, of, changes) {
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
  const group = groupKey();
  const table = params.value.get('view') === 'table';
  const [selected, setSelected] = useState(new Set());
  // A query about states has other clusters with each change; one about names has not.
  const { indices, error } = useSelection(query, of, /state:/i.test(query) ? revision.value : 0);
  const mayLabel = may('patch', 'core.kubefed.io', 'kubefedclusters', 'kube-federation-system');

  useEffect(() => {
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);

  function toggle(index) {
    const next = new Set(selected);
    if (!next.delete(of.names[index])) next.add(of.names[index]);
    setSelected(next);
  }
  const chosen = selected.size > 0 ? [...selected] : indices.map((at) => of.names[at]);

  return (
    <Page
      title="Fleet"
      actions={mayLabel && chosen.length > 0 && (
        <button type="button" onClick={() => bulkLabel(chosen)}>Label {count(chosen.length)} …</button>
      )}
    >
      <QueryBox label="Filter clusters" hint="gw-*  region=north  tier!=test  state:offline  zone in (a, b)" error={error} />
      <div class="controls">
        <GroupBy fleet={of} />
        <button type="button" aria-pressed={table} onClick={() => setParam('view', table ? '' : 'table')}>Table <kbd>T</kbd></button>
        <span class="note" role="status">{count(indices.length)} of {count(of.n)} clusters</span>
      </div>
      <Legend counts={of.counts} states={STATES} query={query} />
      {table
        ? <FleetTable fleet={of} indices={indices} selected={selected} onSelect={mayLabel ? toggle : undefined} />
        : (
          <Card>
            <Grid fleet={of} indices={indices} group={group} height={560} label="Fleet" selected={selected} onSelect={mayLabel ? toggle : undefined} />
          </Card>
        )}
    </Page>
  );
}
