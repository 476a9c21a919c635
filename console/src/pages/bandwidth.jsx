import { useEffect, useMemo } from 'preact/hooks';
import { bytes, clock, count } from '../format.js';
import { link } from '../router.js';
import { Card, Facts, Loaded, Page, Table } from '../ui/parts.jsx';
import { lazy } from '../ui/lazy.jsx';
import { sums } from '../ui/sparkline.jsx';
import { useGet } from '../ui/use.js';

const Chart = lazy(() => import('../ui/chart.jsx'));
const EVERY_MS = 60000;

/** uPlot's form: times, then a line for each binding and direction. */
function linesOf(bandwidth) {
  const n = bandwidth.series[0]?.from.length ?? 0;
  const times = Array.from({ length: n }, (_, at) => bandwidth.until_unix_s - (n - 1 - at) * bandwidth.step_s);
  return {
    data: [times, ...bandwidth.series.flatMap((one) => [one.from, one.to])],
    names: bandwidth.series.flatMap((one) => [`${one.binding}, from clusters`, `${one.binding}, to clusters`]),
  };
}

function Day({ bandwidth }) {
  const { data, names } = useMemo(() => linesOf(bandwidth), [bandwidth]);
  const all = sums(bandwidth);
  const total = all.reduce((sum, value) => sum + value, 0);
  const text = `${bytes(total)} since ${clock(bandwidth.until_unix_s - (all.length - 1) * bandwidth.step_s)} UTC`;
  return (
    <>
      {all.length > 1 ? <Chart data={data} names={names} label={`Bytes in steps of five minutes: ${text}`} /> : <p class="empty">The first five minutes are not over yet.</p>}
      <Facts facts={[
        ['In sum', text],
        ...bandwidth.series.map((one) => [one.binding, `${bytes(one.from.reduce((a, b) => a + b, 0))} from clusters, ${bytes(one.to.reduce((a, b) => a + b, 0))} to them`]),
        ['Counted since', `${clock(bandwidth.since_unix_s)} UTC, when the hub started`],
      ]}
      />
    </>
  );
}

export default function Bandwidth() {
  const bandwidth = useGet('/console/bandwidth');
  useEffect(() => {
    const timer = setInterval(bandwidth.reload, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <Page title="Bandwidth">
      <Loaded of={bandwidth} what="bandwidth">
        {(data) => (
          <>
            <Card title="Today" note="bytes in five minutes"><Day bandwidth={data} /></Card>
            <Card title="Top talkers" note="this month">
              <Table
                caption="Top talkers of the month"
                rows={data.top}
                keyOf={(one) => one.name}
                empty="No cluster said anything this month."
                columns={[
                  { head: 'Cluster', cell: (one) => <a href={link('clusters', one.name)}>{one.name}</a> },
                  { head: 'From it', number: true, cell: (one) => bytes(one.from_bytes) },
                  { head: 'To it', number: true, cell: (one) => bytes(one.to_bytes) },
                  { head: 'Datagrams', number: true, cell: (one) => count(one.from_datagrams + one.to_datagrams) },
                ]}
              />
            </Card>
          </>
        )}
      </Loaded>
    </Page>
  );
}
