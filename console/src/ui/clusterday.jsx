// The bytes of one cluster over the day.
import { useEffect } from 'preact/hooks';
import { Day } from './day.jsx';
import { Card, Loaded } from './parts.jsx';
import { useGet } from './use.js';

const EVERY_MS = 60000;

export function ClusterDay({ name }) {
  const bandwidth = useGet(`/console/bandwidth?cluster=${encodeURIComponent(name)}`);
  useEffect(() => {
    const timer = setInterval(bandwidth.reload, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <Card title="Bandwidth" note="bytes in 15 minutes" wide>
      <Loaded of={bandwidth} what="bandwidth">{(data) => <Day bandwidth={data} />}</Loaded>
    </Card>
  );
}
