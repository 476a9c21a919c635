import { unixOf } from '../format.js';
import { isOver, rolloutLink, useRollouts, waitsForPerson } from '../rollouts.js';
import { mayAnywhere } from '../rights.js';
import { params, setParam } from '../router.js';
import { Left } from '../ui/left.jsx';
import { Age, Loaded, Page, Table, Word } from '../ui/parts.jsx';
import { partsText, WaveBar } from '../ui/wavebar.jsx';

const PAGE = 50;
const SHOWS = {
  all: () => true,
  'under way': (one) => !isOver(one),
  'waiting for a person': waitsForPerson,
  ended: isOver,
};

export default function Rollouts() {
  const rollouts = useRollouts();
  const show = params.value.get('show') ?? 'all';
  const text = (params.value.get('q') ?? '').toLowerCase();
  const has = (one) => `${one.metadata.namespace}/${one.metadata.name} ${one.spec.object.kind} ${one.spec.policy}`.toLowerCase().includes(text);
  return (
    <Page
      title="Rollouts"
      lead="A rollout begins by itself when an object changes that a RolloutPolicy governs."
      actions={mayAnywhere('update', 'types.kubefed.io', '*') && <a class="button" href="/console/rollouts/start">Start a rollout …</a>}
    >
      <div class="controls">
        <label>
          Show{' '}
          <select value={show} onChange={(event) => setParam('show', event.target.value)}>
            {Object.keys(SHOWS).map((one) => <option key={one}>{one}</option>)}
          </select>
        </label>
        <label>
          Name, kind or policy{' '}
          <input type="search" value={params.value.get('q') ?? ''} onInput={(event) => setParam('q', event.target.value)} />
        </label>
      </div>
      <Loaded of={rollouts} what="rollouts">
        {(all) => {
          const rows = all.filter(SHOWS[show] ?? SHOWS.all).filter(has);
          return (
            <>
              <Table
                caption="Rollouts"
                rows={rows.slice(0, PAGE)}
                keyOf={(one) => one.metadata.uid}
                empty="No rollout is like that."
                columns={[
                  { head: 'Rollout', cell: (one) => <a href={rolloutLink(one)}>{one.metadata.namespace}/{one.metadata.name}</a> },
                  { head: 'Object', cell: (one) => `${one.spec.object.kind} ${one.spec.object.name}` },
                  { head: 'Phase', cell: (one) => <Word word={one.status?.phase} /> },
                  { head: 'Wave', cell: (one) => one.status?.wave },
                  { head: 'Clusters', cell: (one) => <><WaveBar status={one.status} /><span class="note">{partsText(one.status?.clusters)}</span></> },
                  { head: 'Next', cell: (one) => one.status?.next?.what },
                  { head: 'Began', cell: (one) => <Age unix={unixOf(one.status?.startTime)} /> },
                ]}
              />
              {rows.length > PAGE && <p class="note">The youngest {PAGE} of {rows.length}; narrow them down to see others.</p>}
              <Left left={rollouts.left} what="rollouts" onMore={rollouts.onMore} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
