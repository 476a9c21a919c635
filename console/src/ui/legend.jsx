// Counts by state; each one is the link to its clusters.
import { revision } from '../fleet.js';
import { count } from '../format.js';
import { State } from './parts.jsx';

/** The query of a state: the grid's language knows both axes. */
const queryOf = (id) => (id === 'in-sync' ? 'state:online state:in-sync' : `state:${id}`);

export function Legend({ counts, states, query = '' }) {
  revision.value; // counts are changed in place
  return (
    <ul class="legend" aria-label="Clusters by state">
      {states.map((state, at) => (
        <li key={state.id} class={counts[at] === 0 ? 'zero' : undefined}>
          <a href={`/console/grid?q=${encodeURIComponent(queryOf(state.id))}`} aria-current={query === queryOf(state.id) ? 'true' : undefined}>
            <strong>{count(counts[at])}</strong>
            <State id={state.id} />
          </a>
        </li>
      ))}
    </ul>
  );
}
