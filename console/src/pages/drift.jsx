// What somebody changed in members, grouped by who.
import { useMemo, useState } from 'preact/hooks';
import { fleet, revision, select } from '../fleet.js';
import { count, plural } from '../format.js';
import { kindName, loadObjects } from '../kinds.js';
import { groupDrift } from '../driftgroups.js';
import { link } from '../router.js';
import { objectLink } from '../ui/palette.jsx';
import { FleetTable } from '../ui/fleettable.jsx';
import { Left } from '../ui/left.jsx';
import { Card, Loaded, Page, Table, Word } from '../ui/parts.jsx';
import { useLoaded } from '../ui/use.js';

async function loadDrift(signal, pages) {
  const found = [];
  let unseen = 0;
  for (const { type, items, left } of await loadObjects(signal, { pages })) {
    unseen += left;
    for (const object of items) {
      for (const at of object.status?.clusters ?? []) found.push({ type, resource: kindName(type), object, at });
    }
  }
  return { groups: groupDrift(found), unseen };
}

function Groups({ groups }) {
  return (
    <Table
      caption="Drift by kind and other manager"
      rows={groups}
      keyOf={(group) => group.kind + group.manager + group.state}
      empty="Nothing: members are as they are asked to be."
      columns={[
        { head: 'State', cell: (group) => <Word word={group.state} /> },
        { head: 'Kind', cell: (group) => group.kind },
        { head: 'Set by', cell: (group) => group.manager },
        { head: 'Clusters', number: true, cell: (group) => count(group.clusters.size) },
        {
          head: 'For example',
          cell: (group) => (
            <>
              <a href={objectLink(group.example)}>{[group.example.namespace, group.example.name].filter(Boolean).join('/')}</a>{' in '}
              <a href={link('clusters', group.example.cluster)}>{group.example.cluster}</a>
            </>
          ),
        },
        { head: 'What', cell: (group) => group.example.message },
      ]}
    />
  );
}

export default function Drift() {
  const of = fleet.value;
  const changes = revision.value;
  const indices = useMemo(
    () => select(of, (name, connectivity, delivery) => delivery === 3 || delivery === 4),
    [of, changes],
  );
  const [pages, setPages] = useState(1);
  const drift = useLoaded((signal) => loadDrift(signal, pages), [pages], ['*']);
  return (
    <Page title="Drift" lead="The agents put back what templates set. What is changed again and again is contested: somebody has to give in.">
      <Card title="Who changes what">
        <Loaded of={drift} what="objects">
          {({ groups, unseen }) => (
            <>
              <Left left={unseen} what="objects" onMore={() => setPages(2 * pages)} />
              <Groups groups={groups} />
            </>
          )}
        </Loaded>
      </Card>
      <Card title="Clusters" note={plural(indices.length, 'cluster')}>
        <FleetTable fleet={of} indices={indices} />
      </Card>
    </Page>
  );
}
