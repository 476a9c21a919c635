// A day of bytes as a chart and in sums: of all clusters by binding, or of one.
import { useMemo } from 'preact/hooks';
import { bytes, clock } from '../format.js';
import { lazy } from './lazy.jsx';
import { Facts } from './parts.jsx';
import { sums } from './sparkline.jsx';

const Chart = lazy(() => import('./chart.jsx'));
const sum = (values) => values.reduce((a, b) => a + b, 0);

/** uPlot's form: times, then a line for each binding, or the cluster, and direction. */
function linesOf(bandwidth) {
  const n = bandwidth.series[0]?.from.length ?? 0;
  const times = Array.from({ length: n }, (_, at) => bandwidth.until_unix_s - (n - 1 - at) * bandwidth.step_s);
  return {
    data: [times, ...bandwidth.series.flatMap((one) => [one.from, one.to])],
    names: bandwidth.series.flatMap((one) => (one.binding ? [`${one.binding}, from clusters`, `${one.binding}, to clusters`] : ['from it', 'to it'])),
  };
}

export function Day({ bandwidth }) {
  const { data, names } = useMemo(() => linesOf(bandwidth), [bandwidth]);
  const all = sums(bandwidth);
  const minutes = bandwidth.step_s / 60;
  const text = `${bytes(sum(all))} since ${clock(bandwidth.until_unix_s - (all.length - 1) * bandwidth.step_s)} UTC`;
  return (
    <>
      {all.length > 1
        ? <Chart data={data} names={names} label={`Bytes in steps of ${minutes} minutes: ${text}`} />
        : <p class="empty">The first {minutes} minutes are not over yet.</p>}
      <Facts facts={[
        ['In sum', text],
        ...bandwidth.series.map((one) => [
          one.binding ?? 'Directions',
          `${bytes(sum(one.from))} from ${one.binding ? 'clusters' : 'it'}, ${bytes(sum(one.to))} to ${one.binding ? 'them' : 'it'}`,
        ]),
        ['Counted since', `${clock(bandwidth.since_unix_s)} UTC, when the hub started`],
      ]}
      />
    </>
  );
}
