import { useEffect } from 'preact/hooks';
import { bytes, count } from '../format.js';
import { link } from '../router.js';
import { Day } from '../ui/day.jsx';
import { Card, Loaded, Page, Table } from '../ui/parts.jsx';
import { useGet } from '../ui/use.js';

const EVERY_MS = 60000;

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
