// One rollout: its waves over time, what failed and why, and the means to steer it.
import { get, rolloutPath } from '../api.js';
import { ago, bytes, count, plural, unixOf } from '../format.js';
import { act, actionsOf, objectOf, ROLLOUTS } from '../rollouts.js';
import { may } from '../rights.js';
import { link, params, setParam } from '../router.js';
import { ask } from '../ui/dialog.jsx';
import { Diff } from '../ui/diff.jsx';
import { objectLink } from '../ui/palette.jsx';
import { Age, Card, Conditions, Empty, Facts, Loaded, Page, Table, Word } from '../ui/parts.jsx';
import { Timeline } from '../ui/timeline.jsx';
import { useGet, useLoaded } from '../ui/use.js';
import { partsText } from '../ui/wavebar.jsx';

const CLUSTERS_PAGE = 100;

/** What each action does, in numbers that the hub keeps of this rollout. */
function touches(rollout, action) {
  const { clusters = {}, estimate = {}, wave } = rollout.status;
  const bytesLeft = estimate.bytes ? `, est. ${bytes(estimate.bytes)}` : '';
  const touched = (clusters.updated ?? 0) + (clusters.failed ?? 0) + (clusters.updating ?? 0);
  return {
    approve: [`The wave behind ${wave} opens: ${plural(clusters.pending ?? 0, 'cluster')} wait for their turn${bytesLeft}`],
    pause: [`${plural(clusters.pending ?? 0, 'cluster')} get nothing new until it is resumed; ${count(clusters.updating ?? 0)} that began go on`],
    resume: [`${plural(clusters.pending ?? 0, 'cluster')} wait for their turn${bytesLeft}`, 'Failures so far count no more'],
    retry: [`${plural(clusters.failed ?? 0, 'cluster')} that failed get the new version again`, 'by the policy as it is now; failures count anew'],
    undo: [`At most ${plural(touched, 'cluster')} get back exactly what they had, 1 namespace${estimate.perCluster ? `, est. ${bytes(estimate.perCluster * touched)}` : ''}`],
    abort: [`${plural(clusters.updated ?? 0, 'cluster')} keep the new version, ${count(clusters.pending ?? 0)} the old one`, 'It ends here and cannot be resumed'],
  }[action];
}

function askAction(rollout, { action, text, danger }) {
  let wave; // the one that the dialog speaks of
  ask({
    title: `${text}: ${objectOf(rollout)}`,
    load: async () => {
      const fresh = await get(rolloutPath(rollout.metadata.namespace, rollout.metadata.name));
      // The hub says now whether it would do it; the sentence of its refusal is shown in the dialog.
      wave = action === 'approve' ? fresh.status.wave : undefined;
      await act(fresh, action, { wave, dryRun: true });
      return touches(fresh, action);
    },
    action: text,
    danger,
    typed: danger ? rollout.spec.object.name : undefined,
    reason: true,
    run: ({ reason }) => act(rollout, action, { wave, reason }),
  });
}

function Failures({ failures = [] }) {
  if (failures.length === 0) return <Empty>Nothing failed.</Empty>;
  return (
    <Table
      caption="Failures by cause"
      rows={failures}
      keyOf={(one) => one.reason + one.message}
      columns={[
        { head: 'Clusters', number: true, cell: (one) => count(one.count) },
        { head: 'Cause', cell: (one) => <Word word={one.reason} /> },
        { head: 'Message', cell: (one) => one.message },
        {
          head: 'Which',
          cell: (one) => (
            <span class="labels">
              {(one.clusters ?? []).map((name) => <a key={name} class="label" href={link('clusters', name)}>{name}</a>)}
              {one.count > (one.clusters ?? []).length && <span class="note">…</span>}
            </span>
          ),
        },
      ]}
    />
  );
}

function Waves({ waves = [] }) {
  return (
    <Table
      caption="Waves"
      rows={waves}
      keyOf={(wave) => wave.name}
      columns={[
        { head: 'Wave', cell: (wave) => wave.name },
        { head: 'Phase', cell: (wave) => <Word word={wave.phase} /> },
        { head: 'Clusters', cell: (wave) => partsText(wave) },
        { head: 'At once', number: true, cell: (wave) => wave.concurrency ?? 'all' },
        { head: 'May fail', number: true, cell: (wave) => wave.failuresAllowed ?? '–' },
        { head: 'Opened', cell: (wave) => (wave.startTime ? <Age unix={unixOf(wave.startTime)} /> : '') },
        { head: 'Approved by', cell: (wave) => wave.approvedBy },
      ]}
    />
  );
}

function ByCluster({ path, version, states }) {
  const state = params.value.get('state') ?? '';
  const next = params.value.get('continue') ?? '';
  const query = new URLSearchParams({ limit: CLUSTERS_PAGE, ...(state && { state }), ...(next && { continue: next }) });
  const list = useGet(`${path}/clusters?${query}`, version ? [ROLLOUTS] : []);
  return (
    <>
      <label>
        State{' '}
        <select value={state} onChange={(event) => { setParam('continue', ''); setParam('state', event.target.value); }}>
          <option value="">all</option>
          {states.map((one) => <option key={one}>{one}</option>)}
        </select>
      </label>
      <Loaded of={list} what="clusters">
        {(data) => (
          <>
            <Table
              caption="Clusters of the rollout"
              rows={data.clusters ?? []}
              keyOf={(one) => one.name}
              empty="No cluster is like that."
              columns={[
                { head: 'Cluster', cell: (one) => <a href={link('clusters', one.name)}>{one.name}</a> },
                { head: 'Wave', cell: (one) => one.wave },
                { head: 'State', cell: (one) => <Word word={one.state} /> },
                { head: 'Since', cell: (one) => <Age unix={unixOf(one.since)} /> },
                { head: 'Why', cell: (one) => [one.reason, one.message, one.heldUntil && `held until ${one.heldUntil}`].filter(Boolean).join(': ') },
              ]}
            />
            {data.continue && <button type="button" onClick={() => setParam('continue', data.continue)}>Next page</button>}
          </>
        )}
      </Loaded>
    </>
  );
}

function Versions({ path }) {
  const versions = useLoaded((signal) => get(`${path}/versions`, { signal }), [path]);
  return (
    <Loaded of={versions} what="the two versions">
      {({ from, to }) => (to ? <Diff from={from} to={to} label="What changes" /> : <Empty>The hub keeps neither version any more.</Empty>)}
    </Loaded>
  );
}

function Actions({ actions = [] }) {
  return (
    <Table
      caption="Who did what"
      rows={[...actions].reverse()}
      keyOf={(one) => one.number}
      empty="Nobody did anything yet."
      columns={[
        { head: 'When', cell: (one) => <Age unix={unixOf(one.time)} /> },
        { head: 'Who', cell: (one) => one.user },
        { head: 'What', cell: (one) => one.action },
        { head: 'Wave', cell: (one) => one.wave },
        { head: 'Why', cell: (one) => one.reason },
      ]}
    />
  );
}

function Next({ next }) {
  if (!next) return null;
  const when = next.when ? ` ${ago(unixOf(next.when))}` : '';
  return <p class="notice" role="status">Next: {next.what}{when}{next.waitsFor ? `; it waits for ${next.waitsFor}` : ''}</p>;
}

const STATES_OF_CLUSTERS = ['Pending', 'Held', 'Updating', 'Healthy', 'Failed', 'Deferred', 'Returning', 'Returned', 'Stuck'];

export default function RolloutPage({ namespace, name }) {
  const path = rolloutPath(namespace, name);
  const rollout = useGet(path, [ROLLOUTS]);
  const maySteer = may('patch', 'fedlet.io', 'rollouts', namespace);
  const data = rollout.data;
  return (
    <Page
      title={`${namespace}/${name}`}
      actions={data && maySteer && actionsOf(data).map((one) => (
        <button
          key={one.action}
          type="button"
          class={one.danger ? 'danger' : one.action === 'approve' ? 'primary' : undefined}
          onClick={() => askAction(data, one)}
        >
          {one.text} …
        </button>
      ))}
    >
      <Loaded of={rollout} what="the rollout">
        {({ spec, status = {}, metadata }) => (
          <>
            <p>
              <Word word={status.phase} /> {partsText(status.clusters)} · <a href={objectLink({ resource: `${spec.object.resource}.${spec.object.apiVersion.split('/')[0]}`, namespace, name: spec.object.name })}>{spec.object.kind} {spec.object.name}</a> · <a href={`/console/grid?colour=rollout&of=${namespace}/${name}`}>In the fleet</a>
            </p>
            <Next next={status.next} />
            <div class="columns">
              <Card title="Waves" wide>{(status.waves ?? []).length > 0 && <Timeline rollout={data} />}<Waves waves={status.waves} /></Card>
              <Card title="Failures" note={status.failures?.length ? plural(status.failures.length, 'cause') : undefined} wide><Failures failures={status.failures} /></Card>
              <Card title="What changes" wide><Versions path={path} /></Card>
              <Card title="Clusters" wide><ByCluster path={path} version={metadata.resourceVersion} states={STATES_OF_CLUSTERS} /></Card>
              <Card title="Who did what" wide><Actions actions={status.actions} /></Card>
              <Card title="About">
                <Facts facts={[
                  ['Policy', <a href={`/console/policies?ns=${namespace}`}>{spec.policy}</a>],
                  ['Changed by', spec.changedBy],
                  ['Number', spec.number],
                  ['From generation', spec.from?.generation],
                  ['To generation', spec.to?.generation],
                  ['Began', <Age unix={unixOf(status.startTime)} />],
                  ['Ended', status.endTime && <Age unix={unixOf(status.endTime)} />],
                  ['Still to send', status.estimate && bytes(status.estimate.bytes)],
                ]}
                />
              </Card>
              <Card title="Conditions"><Conditions conditions={status.conditions} /></Card>
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}
