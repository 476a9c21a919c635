import { get, remove, resourcePath } from '../api.js';
import { count } from '../format.js';
import { may } from '../rights.js';
import { params, setParam } from '../router.js';
import { ask } from '../ui/dialog.jsx';
import { Yaml } from '../ui/diff.jsx';
import { Card, Loaded, Page, Table, Word } from '../ui/parts.jsx';
import { useLoaded } from '../ui/use.js';

const placementPath = (name) => resourcePath('fedlet.io', 'v1alpha1', 'placementpolicies', undefined, name);
const rolloutPolicyPath = (namespace, name) => resourcePath('fedlet.io', 'v1alpha1', 'rolloutpolicies', namespace, name);

function useList(path, resource) {
  return useLoaded((signal) => get(`${path}?limit=500`, { signal }), [path], [resource]);
}

const accepted = (policy) => {
  const bad = policy.status?.conditions?.find((one) => (one.type === 'Accepted' ? one.status !== 'True' : one.status === 'True' && one.type !== 'Accepted'));
  return bad ? { word: bad.reason || bad.type, message: bad.message } : { word: policy.status ? 'OK' : 'Pending' };
};

function askDelete(policy, path, text) {
  ask({
    title: `Delete ${policy.kind ?? 'policy'} ${policy.metadata.name}`,
    text,
    action: 'Delete',
    danger: true,
    typed: policy.metadata.name,
    run: () => remove(path),
  });
}

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
  const list = useList(placementPath(), 'placementpolicies.fedlet.io');
  const mayDelete = may('delete', 'fedlet.io', 'placementpolicies');
  return (
    <Loaded of={list} what="placement policies">
      {({ items }) => (
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
              cell: (one) => mayDelete && (
                <button type="button" class="danger" onClick={() => askDelete({ ...one, kind: 'PlacementPolicy' }, placementPath(one.metadata.name), 'What it forbade is allowed again, and what it alone allowed is allowed nowhere.')}>
                  Delete …
                </button>
              ),
            },
          ]}
        />
      )}
    </Loaded>
  );
}

function Rollout() {
  const namespace = params.value.get('ns') ?? '';
  const list = useList(rolloutPolicyPath(namespace), 'rolloutpolicies.fedlet.io');
  const mayDelete = may('delete', 'fedlet.io', 'rolloutpolicies', namespace);
  return (
    <>
      <label>Namespace <input value={namespace} placeholder="all" onChange={(event) => setParam('ns', event.target.value.trim())} /></label>
      <Loaded of={list} what="rollout policies">
        {({ items }) => (
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
                cell: (one) => mayDelete && (
                  <button
                    type="button"
                    class="danger"
                    onClick={() => askDelete({ ...one, kind: 'RolloutPolicy' }, rolloutPolicyPath(one.metadata.namespace, one.metadata.name), `Changes of the ${count(one.status?.objects)} objects that it governs go to all of their clusters at once from then on.`)}
                  >
                    Delete …
                  </button>
                ),
              },
            ]}
          />
        )}
      </Loaded>
    </>
  );
}

export default function Policies() {
  return (
    <Page title="Policies">
      {may('list', 'fedlet.io', 'rolloutpolicies') && <Card title="Rollout policies" note="how a change goes out"><Rollout /></Card>}
      {may('list', 'fedlet.io', 'placementpolicies') && <Card title="Placement policies" note="where objects may be"><Placement /></Card>}
    </Page>
  );
}
