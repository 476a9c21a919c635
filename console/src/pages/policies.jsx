import { useState } from 'preact/hooks';
import { resourcePath } from '../api.js';
import { count } from '../format.js';
import { listPages } from '../list.js';
import { may, mayAnywhere, namespacesWhere } from '../rights.js';
import { params, setParam } from '../router.js';
import { Yaml } from '../ui/diff.jsx';
import { Left } from '../ui/left.jsx';
import { Card, Loaded, Page, Table, Word } from '../ui/parts.jsx';
import { useLoaded } from '../ui/use.js';
import { askChangePlacement, askChangeRollout, askDeletePlacement, askDeleteRollout } from './policydialogs.jsx';

const placementPath = (name) => resourcePath('fedlet.io', 'v1alpha1', 'placementpolicies', undefined, name);
const rolloutPolicyPath = (namespace, name) => resourcePath('fedlet.io', 'v1alpha1', 'rolloutpolicies', namespace, name);

/** { data: { items, left }, error, more() } */
function useList(paths, resource) {
  const [pages, setPages] = useState(1);
  const list = useLoaded(async (signal) => {
    const lists = await Promise.all(paths.map((path) => listPages(path, signal, pages)));
    return { items: lists.flatMap(({ items }) => items), left: lists.reduce((sum, { left }) => sum + left, 0) };
  }, [paths.join(), pages], [resource]);
  return { ...list, more: () => setPages(2 * pages) };
}

function Actions({ policy, path, change, del, mayChange, mayDelete }) {
  return (
    <span class="actions">
      {mayChange && <button type="button" onClick={() => change(policy, path)}>Change …</button>}
      {mayDelete && <button type="button" class="danger" onClick={() => del(policy, path)}>Delete …</button>}
    </span>
  );
}

const accepted = (policy) => {
  const bad = policy.status?.conditions?.find((one) => (one.type === 'Accepted' ? one.status !== 'True' : one.status === 'True' && one.type !== 'Accepted'));
  return bad ? { word: bad.reason || bad.type, message: bad.message } : { word: policy.status ? 'OK' : 'Pending' };
};

function Show({ policy }) {
  return (
    <details>
      <summary>Rules</summary>
      <Yaml of={policy.spec} label={`Rules of ${policy.metadata.name}`} />
    </details>
  );
}

const state = { head: 'State', cell: (one) => { const { word, message } = accepted(one); return <><Word word={word} /> {message && <span class="note">{message}</span>}</>; } };

function Placement() {
  const list = useList([placementPath()], 'placementpolicies.fedlet.io');
  const mayDelete = may('delete', 'fedlet.io', 'placementpolicies');
  const mayChange = may('update', 'fedlet.io', 'placementpolicies');
  return (
    <Loaded of={list} what="placement policies">
      {({ items, left }) => (
        <>
          <Left left={left} what="policies" onMore={list.more} />
          <Table
            caption="Placement policies"
            rows={items}
            keyOf={(one) => one.metadata.uid}
            empty="None: every object may be in every cluster."
            columns={[
              { head: 'Policy', cell: (one) => one.metadata.name },
              { head: 'Effect', cell: (one) => one.spec.effect },
              state,
              { head: 'Waiting removals', number: true, cell: (one) => count(one.status?.pendingRemovals) },
              { head: 'Rules', cell: (one) => <Show policy={one} /> },
              {
                head: <span class="hidden">Actions</span>,
                cell: (one) => (
                  <Actions policy={one} path={placementPath(one.metadata.name)} change={askChangePlacement} del={askDeletePlacement} mayChange={mayChange} mayDelete={mayDelete} />
                ),
              },
            ]}
          />
        </>
      )}
    </Loaded>
  );
}

function Rollout() {
  const namespace = params.value.get('ns') ?? '';
  const own = may('list', 'fedlet.io', 'rolloutpolicies') === false ? (namespacesWhere('list', 'fedlet.io', 'rolloutpolicies') ?? []) : [''];
  const list = useList((namespace ? [namespace] : own).map((one) => rolloutPolicyPath(one)), 'rolloutpolicies.fedlet.io');
  const mayIn = (verb, one) => may(verb, 'fedlet.io', 'rolloutpolicies') || namespacesWhere(verb, 'fedlet.io', 'rolloutpolicies')?.includes(one.metadata.namespace);
  return (
    <>
      <label>Namespace <input value={namespace} placeholder="all" onChange={(event) => setParam('ns', event.target.value.trim())} /></label>
      <Loaded of={list} what="rollout policies">
        {({ items, left }) => (
          <>
            <Left left={left} what="policies" onMore={list.more} />
            <Table
              caption="Rollout policies"
              rows={items}
              keyOf={(one) => one.metadata.uid}
              empty="None: a change goes to all clusters of its object at once."
              columns={[
                { head: 'Policy', cell: (one) => `${one.metadata.namespace}/${one.metadata.name}` },
                { head: 'Waves', cell: (one) => one.status?.waves || (one.spec.waves ?? []).map((wave) => wave.name).join(', ') },
                { head: 'Objects', number: true, cell: (one) => count(one.status?.objects) },
                { head: 'On failure', cell: (one) => one.spec.onFailure ?? 'Pause' },
                state,
                { head: 'Rules', cell: (one) => <Show policy={one} /> },
                {
                  head: <span class="hidden">Actions</span>,
                  cell: (one) => (
                    <Actions policy={one} path={rolloutPolicyPath(one.metadata.namespace, one.metadata.name)} change={askChangeRollout} del={askDeleteRollout} mayChange={mayIn('update', one)} mayDelete={mayIn('delete', one)} />
                  ),
                },
              ]}
            />
          </>
        )}
      </Loaded>
    </>
  );
}

export default function Policies() {
  return (
    <Page title="Policies">
      {mayAnywhere('list', 'fedlet.io', 'rolloutpolicies') && <Card title="Rollout policies" note="how a change goes out"><Rollout /></Card>}
      {may('list', 'fedlet.io', 'placementpolicies') && <Card title="Placement policies" note="where objects may be"><Placement /></Card>}
    </Page>
  );
}
