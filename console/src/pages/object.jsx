// One federated object: where it is, what each cluster says of it, which versions there are, and why it is where it is.
import { get, remove } from '../api.js';
import { fleet, labelsOf } from '../fleet.js';
import { explain } from '../explain.js';
import { count } from '../format.js';
import { kindName, kindPath, loadKinds } from '../kinds.js';
import { planOf, planRemoval, touchedText } from '../plan.js';
import { may } from '../rights.js';
import { BASE, link, navigate, params, setParam } from '../router.js';
import { rolloutLink, useRollouts } from '../rollouts.js';
import { ask } from '../ui/dialog.jsx';
import { Diff, Yaml } from '../ui/diff.jsx';
import { Left } from '../ui/left.jsx';
import { Card, Conditions, Empty, Facts, Labels, Loaded, Page, Table, Word } from '../ui/parts.jsx';
import { useLoaded } from '../ui/use.js';

const ROWS_MAX = 200;

async function load(resource, namespace, name, signal) {
  const type = (await loadKinds()).find((one) => kindName(one) === resource);
  if (!type) throw new Error(`${resource} is not federated by this hub`);
  const object = await get(kindPath(type, namespace, name), { signal });
  return { type, object, path: kindPath(type, namespace, name) };
}

function askDelete({ object, path }) {
  ask({
    title: `Delete ${object.kind} ${object.metadata.name}`,
    text: 'What clusters have of it is removed there, unless orphaning deletion is enabled for it.',
    load: async () => touchedText(await planRemoval(object)),
    action: 'Delete',
    danger: true,
    typed: object.metadata.name,
    run: async () => {
      await remove(path);
      navigate(`${BASE}/objects`);
    },
  });
}

/** Rows of the status with those of the plan beside them; what is only planned comes, too. */
function rowsOf(object, planned) {
  const rows = new Map((object.status?.clusters ?? []).map((one) => [one.name, { name: one.name, status: one }]));
  for (const row of planned?.clusters ?? []) rows.set(row.name, { ...(rows.get(row.name) ?? { name: row.name }), plan: row });
  return [...rows.values()];
}

/** What its status and its plan say of it, each sentence once: they have most of them in common. */
const why = ({ status, plan }) => [...new Set([status?.message, plan?.reason, plan?.message].filter(Boolean))].join(' · ');

const wordOf = ({ status, plan }) => {
  if (plan && ['refused', 'forbidden', 'removing'].includes(plan.action)) return plan.action;
  if (!status) return plan?.action === 'create' ? 'Pending' : plan?.action;
  if (status.status) return status.status;
  return status.health && status.health !== 'Healthy' ? status.health : 'OK';
};

function Clusters({ rows }) {
  const only = params.value.get('state') ?? '';
  const words = [...new Set(rows.map(wordOf))].sort();
  const shown = rows.filter((row) => !only || wordOf(row) === only);
  return (
    <Card
      title="By cluster"
      note={`${count(shown.length)} of ${count(rows.length)}`}
      wide
      actions={(
        <label>
          State{' '}
          <select value={only} onChange={(event) => setParam('state', event.target.value)}>
            <option value="">all</option>
            {words.map((word) => <option key={word}>{word}</option>)}
          </select>
        </label>
      )}
    >
      <Table
        caption="State by cluster"
        rows={shown.slice(0, ROWS_MAX)}
        keyOf={(row) => row.name}
        empty="It is in no cluster."
        columns={[
          { head: 'Cluster', cell: (row) => <a href={link('clusters', row.name)}>{row.name}</a> },
          { head: 'State', cell: (row) => <Word word={wordOf(row)} /> },
          { head: 'Version', cell: (row) => (row.plan?.variant === undefined ? '' : `v${row.plan.variant + 1}`) },
          { head: 'Why', cell: why },
        ]}
      />
      {shown.length > ROWS_MAX && <p class="note">The first {ROWS_MAX}; choose a state to see others.</p>}
    </Card>
  );
}

function Why({ object, planned }) {
  const of = fleet.value;
  const name = params.value.get('cluster') ?? '';
  const at = of.names.indexOf(name);
  const row = planned?.clusters?.find((one) => one.name === name);
  return (
    <Card title="Why here, why not there">
      <label>
        Cluster{' '}
        <input value={name} list="clusters" placeholder="its name" onChange={(event) => setParam('cluster', event.target.value.trim())} />
      </label>
      <datalist id="clusters">{of.names.slice(0, 200).map((one) => <option key={one} value={one} />)}</datalist>
      {name && <p role="status">{at < 0 ? `There is no cluster ${name}.` : explain(object, name, labelsOf(of, at), row, planned)}</p>}
      <h3>Placement</h3>
      <Yaml of={object.spec?.placement ?? {}} label="Placement" />
    </Card>
  );
}

function variantUse(planned, at) {
  const using = planned.clusters.filter((row) => row.variant === at).map((row) => row.name);
  return `v${at + 1}: ${count(using.length)} clusters (${using.slice(0, 3).join(', ')}${using.length > 3 ? ', …' : ''})`;
}

function Versions({ planned }) {
  const variants = planned?.variants ?? [];
  if (variants.length === 0) return null;
  const pick = (name, otherwise) => Math.min(variants.length - 1, Math.max(0, Number(params.value.get(name) ?? otherwise)));
  const from = pick('from', 0);
  const to = pick('to', variants.length - 1);
  const choose = (name, value, text) => (
    <label>
      {text}{' '}
      <select value={value} onChange={(event) => setParam(name, event.target.value)}>
        {variants.map((_, at) => <option key={at} value={at}>{variantUse(planned, at)}</option>)}
      </select>
    </label>
  );
  return (
    <Card title="Versions in clusters" note={variants.length === 1 ? 'the same everywhere' : `${variants.length} by overrides`} wide>
      {variants.length > 1 && <div class="controls">{choose('from', from, 'From')}{choose('to', to, 'to')}</div>}
      {variants.length > 1
        ? <Diff from={variants[from]} to={variants[to]} label="Difference of the versions" />
        : <Yaml of={variants[0]} label="Content" />}
      {planned.variantsCut && <p class="note">There are more versions than are shown.</p>}
    </Card>
  );
}

function ObjectRollouts({ object }) {
  const rollouts = useRollouts(object.metadata.namespace);
  const own = (rollouts.data ?? []).filter((one) => one.spec.object.uid === object.metadata.uid);
  if (own.length === 0 && rollouts.left) return <Left left={rollouts.left} what="rollouts" onMore={rollouts.onMore} />;
  if (own.length === 0) return <Empty>None: changes go to all of its clusters at once, unless a RolloutPolicy governs it.</Empty>;
  return (
    <ul class="rollouts">
      {own.slice(0, 8).map((one) => <li key={one.metadata.uid}><a href={rolloutLink(one)}>{one.metadata.name}</a> <Word word={one.status?.phase} /></li>)}
    </ul>
  );
}

export default function ObjectPage({ resource, namespace, name }) {
  const loaded = useLoaded((signal) => load(resource, namespace, name, signal), [resource, namespace, name], [resource]);
  const object = loaded.data?.object;
  const plan = useLoaded(() => (object ? planOf(object) : Promise.resolve(undefined)), [object?.metadata.resourceVersion]);
  const [plural, ...group] = resource.split('.');
  const mayDelete = may('delete', group.join('.'), plural, namespace ?? '');
  const mayUpdate = may('update', group.join('.'), plural, namespace ?? '');
  const planned = plan.data?.objects?.[0];
  return (
    <Page
      title={[namespace, name].filter(Boolean).join('/')}
      lead={object?.kind}
      actions={object && (
        <>
          {namespace && <a class="button" href={`/console/grid?colour=object&of=${[resource, namespace, name].map(encodeURIComponent).join('/')}`}>In the fleet</a>}
          {mayUpdate && namespace && <a class="button" href={`/console/rollouts/start?of=${[resource, namespace, name].map(encodeURIComponent).join('/')}`}>Start a rollout …</a>}
          {mayDelete && <button type="button" class="danger" onClick={() => askDelete(loaded.data)}>Delete …</button>}
        </>
      )}
    >
      <Loaded of={loaded} what="the object">
        {() => (
          <div class="columns">
            <Card title="About">
              <Facts facts={[
                ['Labels', <Labels labels={object.metadata.labels} />],
                ['Generation', `${object.metadata.generation}, seen ${object.status?.observedGeneration ?? 'not yet'}`],
                ['Made', object.metadata.creationTimestamp],
                ['The plan', planned?.message && <Word word={planned.reason} />],
                ['', planned?.message],
              ]}
              />
              <Conditions conditions={object.status?.conditions} />
            </Card>
            <Why object={object} planned={planned} />
            {namespace && <Card title="Rollouts"><ObjectRollouts object={object} /></Card>}
            {plan.error && <p class="alert" role="alert">The hub made no plan: {plan.error.message}</p>}
            <Clusters rows={rowsOf(object, planned)} />
            <Versions planned={planned} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
