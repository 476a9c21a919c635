import { useMemo } from 'preact/hooks';
import { fleet, select } from '../fleet.js';
import { STATES } from '../states.js';
import { plural } from '../format.js';
import { Grid } from '../ui/grid.jsx';
import { GroupBy, groupKey } from '../ui/groupby.jsx';
import { Legend } from '../ui/legend.jsx';
import { Card, Empty, Page } from '../ui/parts.jsx';
import { NeedsYou } from '../ui/needs.jsx';
import { ActiveRollouts } from '../ui/activerollouts.jsx';
import { Sparkline } from '../ui/sparkline.jsx';
import { useGet } from '../ui/use.js';
import { may } from '../rights.js';

const EVERYTHING = () => true;

export function Overview() {
  const of = fleet.value;
  const group = groupKey();
  const indices = useMemo(() => select(of, EVERYTHING), [of]);
  const bandwidth = useGet('/console/bandwidth');
  const mayRollouts = may('list', 'fedlet.io', 'rollouts');

  return (
    <Page title="Overview" lead={of.version ? plural(of.n, 'cluster') : undefined}>
      <Legend counts={of.counts} states={STATES} />
      <div class="columns">
        <Card title="Fleet" wide actions={<GroupBy fleet={of} />}>
          {of.n > 0 || !of.version
            ? <Grid fleet={of} indices={indices} group={group} height={300} label="Fleet" />
            : <Empty>No cluster has joined yet. <a href="/console/join">Make a token</a> and join the first one.</Empty>}
        </Card>
        <Card title="Needs you"><NeedsYou /></Card>
        {mayRollouts && <Card title="Rollouts under way"><ActiveRollouts /></Card>}
        <Card title="Bandwidth" note="24 h" actions={<a href="/console/bandwidth">More</a>}>
          <Sparkline of={bandwidth.data} />
        </Card>
      </div>
    </Page>
  );
}
