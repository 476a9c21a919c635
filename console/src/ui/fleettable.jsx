// The canvas' twin: the same clusters as rows, a page at a time.
import { labelsOf, shownOf, staleOf, revision } from '../fleet.js';
import { params, link, setParam } from '../router.js';
import { STATES, stateText } from '../states.js';
import { Age, Labels, State, Table } from './parts.jsx';

const PAGE = 50;

/** extra: { head, textOf(index) } of one more column. */
export function FleetTable({ fleet, indices, selected, onSelect, extra }) {
  revision.value; // the columns are changed in place
  const pages = Math.max(1, Math.ceil(indices.length / PAGE));
  const page = Math.min(pages, Math.max(1, Number(params.value.get('page')) || 1));
  const marked = new Set(selected);
  const rows = indices.slice((page - 1) * PAGE, page * PAGE);
  const columns = [
    { head: 'Cluster', cell: (at) => <a href={link('clusters', fleet.names[at])}>{fleet.names[at]}</a> },
    { head: 'State', cell: (at) => <State id={STATES[shownOf(fleet, at)].id} text={stateText(fleet.connectivity[at], fleet.delivery[at])} stale={staleOf(fleet, at)} /> },
    { head: 'Since', cell: (at) => <Age unix={fleet.since[at]} /> },
    { head: 'Drift', number: true, cell: (at) => fleet.drift[at] },
    { head: 'Failed', number: true, cell: (at) => fleet.failed[at] },
    { head: 'Labels', cell: (at) => <Labels labels={labelsOf(fleet, at)} /> },
  ];
  if (extra) columns.splice(2, 0, { head: extra.head, cell: extra.textOf });
  if (onSelect) {
    columns.unshift({
      head: <span class="hidden">Select</span>,
      cell: (at) => (
        <input type="checkbox" aria-label={`Select ${fleet.names[at]}`} checked={marked.has(fleet.names[at])} onChange={() => onSelect(at)} />
      ),
    });
  }
  return (
    <>
      <Table caption="Clusters" rows={rows} keyOf={(at) => fleet.names[at]} empty="No cluster is like that." columns={columns} />
      {pages > 1 && <Pager page={page} pages={pages} onPage={(to) => setParam('page', to === 1 ? '' : String(to))} />}
    </>
  );
}

function Pager({ page, pages, onPage }) {
  return (
    <nav class="pager" aria-label="Pages of the table">
      <button type="button" disabled={page === 1} onClick={() => onPage(page - 1)}>Before</button>
      <span>Page {page} of {pages}</span>
      <button type="button" disabled={page === pages} onClick={() => onPage(page + 1)}>Next</button>
    </nav>
  );
}
