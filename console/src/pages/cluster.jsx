import { useState } from 'preact/hooks';
import { clusterPath, joinRequestPath, SYSTEM } from '../api.js';
import { fleet, revision } from '../fleet.js';
import { bytes, count, fingerprint, plural, unixOf } from '../format.js';
import { kindName, loadObjects } from '../kinds.js';
import { may } from '../rights.js';
import { shownState, STATES, stateText, isStale } from '../states.js';
import { ClusterDay } from '../ui/clusterday.jsx';
import { Left } from '../ui/left.jsx';
import { objectLink } from '../ui/palette.jsx';
import { Age, Card, Conditions, Facts, Labels, Loaded, Page, State, Table, Word } from '../ui/parts.jsx';
import { useGet, useLoaded } from '../ui/use.js';
import { ClusterActions } from './clusteractions.jsx';

const CLUSTERS = 'kubefedclusters.core.kubefed.io';
const EVENTS = 50;

/** What the fleet says of it: as it is now, the object may be older. */
function Now({ name }) {
  revision.value; // the columns are changed in place
  const of = fleet.value;
  const at = of.names.indexOf(name);
  if (at < 0) return <State id="never" text="not in the fleet" />;
  const [connectivity, delivery] = [of.connectivity[at], of.delivery[at]];
  return (
    <>
      <State id={STATES[shownState(connectivity, delivery)].id} text={stateText(connectivity, delivery)} stale={isStale(connectivity)} />
      {of.since[at] > 0 && <span class="note"> since <Age unix={of.since[at]} /></span>}
    </>
  );
}

function LinkFacts({ status }) {
  const { link = {} } = status;
  return (
    <Facts facts={[
      ['Agent', status.agentVersion],
      ['Kubernetes', status.kubernetesVersion],
      ['Nodes', status.nodes],
      ['Allocatable', status.allocatable && `${status.allocatable.cpu ?? '?'} cpu, ${status.allocatable.memory ?? '?'}`],
      ['Region', status.region],
      ['Binding', link.binding ?? 'not connected'],
      ['Address', link.address],
      ['Connected', link.connectedSince && <Age unix={unixOf(link.connectedSince)} />],
      ['This month', link.bytes && `${bytes(link.bytes.fromCluster)} from it, ${bytes(link.bytes.toCluster)} to it`],
      ['Last month', link.lastMonth && bytes(link.lastMonth.total)],
      ['Budget', link.budget && `${link.budget.percent} % of ${bytes(link.budget.bytes)}`],
      ['Held', link.held && [plural(link.held.changes, 'change'), link.held.reason, link.held.until && `until ${link.held.until}`].filter(Boolean).join(', ')],
      ['Unschedulable pods', status.unschedulablePods],
    ]}
    />
  );
}

function Identity({ name }) {
  const request = useGet(may('get', 'fedlet.io', 'joinrequests', SYSTEM) ? joinRequestPath(name) : undefined, ['joinrequests.fedlet.io']);
  const status = request.data?.status;
  if (!status) return <p class="empty">No join request of this name.</p>;
  return (
    <Facts facts={[
      ['State', <Word word={status.state} />],
      ['Key', <span class="print">{fingerprint(status.publicKeyFingerprint)}</span>],
      ['Certificate ends', status.certificateNotAfter && <Age unix={unixOf(status.certificateNotAfter)} />],
      ['Renewed', status.renewedAt && <Age unix={unixOf(status.renewedAt)} />],
      ['Says', status.message],
    ]}
    />
  );
}

async function objectsIn(name, signal, pages) {
  const rows = [];
  let unseen = 0;
  for (const { type, items, left } of await loadObjects(signal, { pages })) {
    unseen += left;
    for (const object of items) {
      const at = object.status?.clusters?.find((one) => one.name === name);
      if (at) rows.push({ resource: kindName(type), kind: type.target, namespace: object.metadata.namespace, name: object.metadata.name, at });
    }
  }
  const bad = ({ at }) => Boolean(at.status) || at.health === 'Unhealthy';
  return { rows: rows.sort((a, b) => bad(b) - bad(a)), unseen };
}

function Objects({ name }) {
  const [pages, setPages] = useState(1);
  const loaded = useLoaded((signal) => objectsIn(name, signal, pages), [name, pages], [CLUSTERS]);
  return (
    <Loaded of={loaded} what="its objects">
      {({ rows, unseen }) => (
        <>
          <Left left={unseen} what="objects" onMore={() => setPages(2 * pages)} />
          <Table
            caption="Objects in the cluster"
            rows={rows.slice(0, 100)}
            keyOf={(row) => `${row.resource}/${row.namespace}/${row.name}`}
            empty="Nothing is placed here."
            columns={[
              { head: 'Object', cell: (row) => <a href={objectLink(row)}>{[row.namespace, row.name].filter(Boolean).join('/')}</a> },
              { head: 'Kind', cell: (row) => row.kind },
              { head: 'State', cell: (row) => <Word word={row.at.status || row.at.health || 'OK'} /> },
              { head: 'Why', cell: (row) => row.at.message },
            ]}
          />
          {rows.length > 100 && <p class="note">The first 100 of {count(rows.length)}, those with trouble before the others.</p>}
        </>
      )}
    </Loaded>
  );
}

function Events({ name }) {
  const path = `/api/v1/namespaces/${SYSTEM}/events?limit=${EVENTS}&fieldSelector=${encodeURIComponent(`involvedObject.name=${name}`)}`;
  const list = useGet(path, [CLUSTERS]);
  return (
    <Loaded of={list} what="events">
      {({ items }) => (
        <Table
          caption="Events"
          rows={[...items].sort((a, b) => unixOf(b.lastTimestamp) - unixOf(a.lastTimestamp))}
          keyOf={(row) => row.metadata.uid}
          empty="No events."
          columns={[
            { head: 'When', cell: (row) => <Age unix={unixOf(row.lastTimestamp)} /> },
            { head: 'What', cell: (row) => row.reason },
            { head: 'Message', cell: (row) => `${row.message}${row.count > 1 ? ` (${row.count} times)` : ''}` },
          ]}
        />
      )}
    </Loaded>
  );
}

export default function Cluster({ name }) {
  const cluster = useGet(clusterPath(name), [CLUSTERS]);
  return (
    <Page
      title={name}
      actions={cluster.data && <ClusterActions name={name} cluster={cluster.data} />}
    >
      <p><Now name={name} /></p>
      <Loaded of={cluster} what="the cluster">
        {(data) => (
          <div class="columns">
            <Card title="Agent and link"><LinkFacts status={data.status ?? {}} /></Card>
            <Card title="Identity"><Identity name={name} /><h3>Labels</h3><Labels labels={data.metadata.labels} /></Card>
            <Card title="Objects here" wide><Objects name={name} /></Card>
            <ClusterDay name={name} />
            <Card title="Conditions" wide><Conditions conditions={data.status?.conditions} /></Card>
            <Card title="Events" note={`the last ${EVENTS}`} wide><Events name={name} /></Card>
          </div>
        )}
      </Loaded>
    </Page>
  );
}
