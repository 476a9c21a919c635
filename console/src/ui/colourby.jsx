// What the fleet is coloured by: parts of the address, colour= and, for a rollout or an object, of=. Its figures are loaded
// when they are asked for.
import { useEffect, useMemo } from 'preact/hooks';
import { get, rolloutPath } from '../api.js';
import { revision } from '../fleet.js';
import { count } from '../format.js';
import { stateLook } from '../looks.js';
import { countClasses, metricLook, metricOf, METRICS } from '../metrics.js';
import { objectOf, ROLLOUTS, useRollouts } from '../rollouts.js';
import { params, setParam } from '../router.js';
import { ChooseObject, loadObject } from './chooseobject.jsx';
import { Left } from './left.jsx';
import { Loaded } from './parts.jsx';
import { useLoaded } from './use.js';

const AGAIN_MS = 15000;
const PAGE = 5000;

async function clustersOfRollout(of, signal) {
  const path = `${rolloutPath(...of.split('/'))}/clusters?limit=${PAGE}`;
  const rows = [];
  let next = '';
  do {
    const page = await get(next ? `${path}&continue=${encodeURIComponent(next)}` : path, { signal });
    rows.push(...(page.clusters ?? []));
    next = page.continue;
  } while (next);
  return rows;
}

async function fetchOf(metric, of, signal) {
  if (metric.column) return get(`/console/column?of=${metric.column}`, { signal });
  if (metric.of === 'rollout' && of.split('/').length === 2) return clustersOfRollout(of, signal);
  if (metric.of === 'object') return (await loadObject(of, signal))?.object.status?.clusters ?? null;
  return null;
}

/** With what it was asked for: what was loaded for another choice is on the page until the new one is there. */
const load = async (metric, of, signal) => ({ metric, of, value: await fetchOf(metric, of, signal) });

/** { metric, of, look, shows (whether the look is the metric's), error, empty }: the states' look while a metric's own data is not there. */
export function useLook(fleet) {
  const metric = metricOf(params.value.get('colour') ?? '');
  const of = params.value.get('of') ?? '';
  const asks = Boolean(metric.column || metric.of);
  const data = useLoaded((signal) => load(metric, of, signal), [metric, of, fleet.begun], metric.of === 'rollout' ? [ROLLOUTS] : []);
  useEffect(() => {
    if (!asks || metric.of === 'rollout') return undefined;
    const timer = setInterval(data.reload, AGAIN_MS);
    return () => clearInterval(timer);
  }, [metric, of]);
  const own = data.data?.metric === metric && data.data.of === of ? data.data.value : undefined;
  const look = useMemo(
    () => (metric.id === '' || (asks && !own) ? stateLook(fleet) : metricLook(metric, fleet, own)),
    [metric, fleet, own],
  );
  return { metric, of, look, error: data.error, empty: metric.of === 'rollout' && own?.length === 0, shows: metric.id !== '' && !(asks && !own) };
}

function ChooseRollout({ of }) {
  const rollouts = useRollouts();
  return (
    <Loaded of={rollouts} what="rollouts">
      {(all) => (
        <>
          <label>
            Rollout{' '}
            <select value={of} onChange={(event) => setParam('of', event.target.value)}>
              <option value="">choose one</option>
              {all.map((one) => {
                const name = `${one.metadata.namespace}/${one.metadata.name}`;
                return <option key={one.metadata.uid} value={name}>{name}: {objectOf(one)}, {one.status?.phase}</option>;
              })}
            </select>
          </label>
          <Left left={rollouts.left} what="rollouts" onMore={rollouts.onMore} />
        </>
      )}
    </Loaded>
  );
}

export function ColourBy({ colours: { metric, of, error, empty } }) {
  function choose(id) {
    if (metricOf(id).of !== metric.of) setParam('of', '');
    setParam('colour', id);
  }
  return (
    <>
      <label>
        Colour by{' '}
        <select value={metric.id} onChange={(event) => choose(event.target.value)}>
          {METRICS.map((one) => <option key={one.id} value={one.id}>{one.text}</option>)}
        </select>
      </label>
      {metric.of === 'rollout' && <ChooseRollout of={of} />}
      {metric.of === 'object' && <ChooseObject of={of} />}
      {empty && <span class="note">Of a rollout that is over the hub keeps nothing by cluster.</span>}
      {error && <span class="alert" role="alert">{error.message}</span>}
    </>
  );
}

/** The classes of a look, each with how many it has among the indices; choosing one selects them. */
export function LookLegend({ look, indices, onChoose }) {
  revision.value; // some looks change with the fleet
  const counts = countClasses(look, indices);
  const choose = (wanted) => onChoose(indices.filter((index) => look.classOf(index) === wanted), 'replace');
  return (
    <ul class="legend" aria-label="Clusters by colour">
      {look.classes.map((one, at) => (
        <li key={one.text} class={counts[at] === 0 ? 'zero' : undefined}>
          <button type="button" disabled={counts[at] === 0} onClick={() => choose(at)} title="Select them">
            <strong>{count(counts[at])}</strong>
            <span class={`state ${one.id}`}><span class="glyph" aria-hidden="true">{one.glyph}</span>{one.text}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
