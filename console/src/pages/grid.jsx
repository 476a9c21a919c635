import { useEffect, useMemo, useState } from 'preact/hooks';
import { fleet, revision, select } from '../fleet.js';
import { readQuery } from '../query.js';
import { params, setParam } from '../router.js';
import { STATES } from '../states.js';
import { count } from '../format.js';
import { Grid } from '../ui/grid.jsx';
import { GroupBy, groupKey } from '../ui/groupby.jsx';
import { lazy } from '../ui/lazy.jsx';
import { placesOf } from '../geo.js';
import { ColourBy, LookLegend, useLook } from '../ui/colourby.jsx';
import { FleetTable } from '../ui/fleettable.jsx';
import { Legend } from '../ui/legend.jsx';
import { Card, Page } from '../ui/parts.jsx';
import { QueryBox } from '../ui/querybox.jsx';
import { SelectionBar } from '../ui/selectionbar.jsx';
import { useSelection } from '../ui/useselection.js';

const FleetMap = lazy(() => import('../ui/map.jsx'));
const VIEWS = { t: 'table', m: 'map' };

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

const toggle = (view) => setParam('view', params.value.get('view') === view ? '' : view);

function onKey(event) {
  const view = VIEWS[event.key.toLowerCase()];
  if (!view || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.('input, select, textarea, dialog')) return;
  toggle(view);
}

export function GridPage() {
  const of = fleet.value;
  const query = params.value.get('q') ?? '';
  const view = params.value.get('view') ?? '';
  const table = view === 'table';
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

  const colours = useLook(of);
  const mapped = useMemo(() => placesOf(of).here > 0, [of]);

  useEffect(() => {
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);

  const picture = { fleet: of, indices: shown, label: 'Fleet', chosen: selection.indices, onChoose: selection.choose, touch, look: colours.look };
  return (
    <Page title="Fleet">
      <QueryBox label="Filter clusters" hint="gw-*  region=north  tier!=test  state:offline  zone in (a, b)" error={error} />
      <div class="controls">
        <GroupBy fleet={of} />
        <ColourBy colours={colours} />
        {(mapped || view === 'map') && <button type="button" aria-pressed={view === 'map'} onClick={() => toggle('map')}>Map <kbd>M</kbd></button>}
        <button type="button" aria-pressed={table} onClick={() => toggle('table')}>Table <kbd>T</kbd></button>
        {!table && <button type="button" class="finger" aria-pressed={touch} onClick={() => setTouch(!touch)}>Select by finger</button>}
        <button type="button" disabled={indices.length === 0} onClick={selection.chooseAll}>Select all {count(indices.length)}</button>
        <span class="note" role="status">{count(indices.length)} of {count(of.n)} clusters</span>
      </div>
      {colours.shows
        ? <LookLegend look={colours.look} indices={shown} onChoose={selection.choose} />
        : <Legend counts={of.counts} states={STATES} query={query} />}
      {table
        ? <FleetTable fleet={of} indices={shown} extra={colours.shows && { head: colours.metric.text, textOf: colours.look.textOf }} selected={selection.names} onSelect={(at) => selection.choose([at], 'toggle')} />
        : <Card>{view === 'map' ? <FleetMap {...picture} height={560} /> : <Grid {...picture} group={groupKey()} height={560} />}</Card>}
      <SelectionBar selection={selection} hidden={hidden} />
    </Page>
  );
}
