// Starts a rollout from a selection of clusters: a form that makes a policy and changes an object, with the hub's plan of it.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { create, get, remove, replace, resourcePath, rolloutPath } from '../api.js';
import { fleet, revision } from '../fleet.js';
import { count, plural } from '../format.js';
import { kindName } from '../kinds.js';
import { planObjects, touchedText } from '../plan.js';
import { withSpec } from '../replaced.js';
import { may } from '../rights.js';
import { BASE, navigate, params } from '../router.js';
import { rolloutLink } from '../rollouts.js';
import { changedObject, NAMES_MAX, policyOf, readValue, selectorOf, wavesOf } from '../start.js';
import { ChooseObject, loadObject } from '../ui/chooseobject.jsx';
import { ask } from '../ui/dialog.jsx';
import { Diff } from '../ui/diff.jsx';
import { Card, Empty, Loaded, Page } from '../ui/parts.jsx';
import { useGet, useLoaded } from '../ui/use.js';
import { useSelection } from '../ui/useselection.js';
import { useQueried } from './grid.jsx';
import { AS_IS, ChangeFields, firstChange, OWN, RuleFields } from './startrules.jsx';

const TYPED_MS = 400;
const LIST_MAX = 500;
const LOOKS = 10; // for the rollout that the hub makes
const LOOK_MS = 300;

const policyPath = (namespace, name) => resourcePath('fedlet.io', 'v1alpha1', 'rolloutpolicies', namespace, name);

/* ---- what is asked for ---- */

/** { object, policy } as they would be stored, and the policy only when it is one of our own; or { problem }. */
function wishOf(object, form, whom) {
  try {
    const own = form.rules === OWN;
    if (own && whom.names.length === 0) throw new Error('Nothing is selected: the first wave of a new policy would be empty.');
    if (!form.everywhere && whom.names.length === 0) throw new Error('Nothing is selected.');
    if (!whom.selector && whom.names.length > NAMES_MAX) throw new Error(`A wave has at most ${count(NAMES_MAX)} clusters by name; select by a query of labels.`);
    const policy = own ? policyOf(object.metadata.namespace, form, whom) : undefined;
    const name = own ? form.name : form.rules === AS_IS ? undefined : form.rules.slice('policy/'.length);
    const change = { path: form.path, value: readValue(form.text, form.asJson), everywhere: form.everywhere };
    return { policy, object: changedObject(object, change, whom, name) };
  } catch (error) {
    return { problem: error.message };
  }
}

const orNone = (error) => {
  if (error.status === 404) return undefined;
  throw error;
};

/** Stores the policy, or only asks whether it could be: { before: the one whose place it took, stored }. */
async function storePolicy(policy, dryRun = '') {
  const { namespace, name } = policy.metadata;
  const before = await get(policyPath(namespace, name)).catch(orNone);
  const stored = before
    ? await replace(policyPath(namespace, name) + dryRun, withSpec(before, policy))
    : await create(policyPath(namespace) + dryRun, policy);
  return { before, stored };
}

/** As it was before: a policy that governs nothing is not left behind, and one that was replaced has its rules again. */
async function takeBack({ before, stored }) {
  const path = policyPath(stored.metadata.namespace, stored.metadata.name);
  const now = await get(path);
  // What somebody else wrote meanwhile stays.
  if (now.metadata.generation !== stored.metadata.generation) throw new Error('it was changed meanwhile');
  if (before) await replace(path, withSpec(now, before));
  else await remove(path);
}

/** As it is to be stored: over what was shown, and not over what somebody else wrote meanwhile. Status alone changes no generation. */
async function storeObject(object, path, dryRun = '') {
  const { metadata } = await get(path);
  if (metadata.generation !== object.metadata.generation) throw new Error('The object was changed meanwhile; load the page again to see it.');
  return replace(path + dryRun, { ...object, metadata: { ...object.metadata, resourceVersion: metadata.resourceVersion } });
}

/** What the hub says of a wish: whether it would take both objects, and its plan. */
async function preview({ policy, object }, path, whom) {
  const replaces = policy && Boolean((await storePolicy(policy, '?dryRun=All')).before);
  await storeObject(object, path, '?dryRun=All');
  const status = await planObjects([object]);
  const planned = status.objects.find((one) => one.asked !== false);
  return { status, planned, replaces, waves: policy && wavesOf(policy, planned.clusters ?? [], whom) };
}

function linesOf({ status, planned, replaces, waves }) {
  const lines = touchedText(status);
  if (replaces) lines.push('A policy of that name is there: these rules take the place of its own, for all that it governs');
  for (const wave of waves ?? []) lines.push(`wave ${wave.name}: ${plural(wave.changing, 'cluster')} that change, of ${count(wave.of)}`);
  if (!waves && planned.rollout) lines.push(planned.rollout.message ?? `a rollout by ${planned.rollout.policy}`);
  if (!waves && !planned.rollout) lines.push('No policy governs it: all clusters at once, and no rollout.');
  if (planned.message) lines.push(planned.message);
  return lines;
}

/** The rollout that the hub made of a change: its number is the highest. */
async function madeOf(object) {
  const { namespace, name } = object.metadata;
  const path = `${rolloutPath(namespace)}?labelSelector=${encodeURIComponent(`fedlet.io/object-name=${name}`)}`;
  for (let look = 0; look < LOOKS; look++) {
    const { items } = await get(path);
    const made = items.find((one) => one.spec.object.kind === object.kind && one.spec.to?.generation === object.metadata.generation);
    if (made) return made;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return undefined;
}

async function start({ policy, object }, path) {
  const made = policy && (await storePolicy(policy));
  try {
    const stored = await storeObject(object, path);
    const rollout = await madeOf(stored);
    navigate(rollout ? rolloutLink(rollout) : `${BASE}/rollouts`);
  } catch (error) {
    const kept = made && (await takeBack(made).then(() => undefined, (why) => why));
    throw kept ? new Error(`${error.message} The policy ${policy.metadata.name} stays as it was stored: ${kept.message}`) : error;
  }
}

function askStart(wish, path, whom) {
  const { kind, metadata } = wish.object;
  ask({
    title: `Start a rollout of ${kind} ${metadata.namespace}/${metadata.name}`,
    text: wish.policy && `The policy ${wish.policy.metadata.name} stays, and governs later changes of the object as well.`,
    load: async () => linesOf(await preview(wish, path, whom)),
    action: 'Start',
    danger: true,
    typed: metadata.name,
    run: () => start(wish, path),
  });
}

/* ---- the form ---- */

function Plan({ wish, path, whom, before }) {
  const [settled, setSettled] = useState(wish);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(wish), TYPED_MS);
    return () => clearTimeout(timer);
  }, [wish]);
  const plan = useLoaded(() => (settled.problem ? Promise.resolve(null) : preview(settled, path, whom)), [settled]);
  if (wish.problem) return <p class="alert" role="alert">{wish.problem}</p>;
  return (
    <>
      <Loaded of={plan} what="the plan">
        {(data) => data && (
          <div role="status"><ul class="touches">{linesOf(data).map((line) => <li key={line}>{line}</li>)}</ul></div>
        )}
      </Loaded>
      <h3>What is stored</h3>
      <Diff from={before.spec} to={wish.object.spec} label="What is stored" />
      {wish.policy && <Diff to={wish.policy} label="The policy" />}
    </>
  );
}

function Form({ object, path, whom }) {
  const { namespace, name } = object.metadata;
  const mayMake = may('create', 'fedlet.io', 'rolloutpolicies', namespace);
  const policies = useGet(may('list', 'fedlet.io', 'rolloutpolicies', namespace) ? `${policyPath(namespace)}?limit=${LIST_MAX}` : undefined, ['rolloutpolicies.fedlet.io']);
  const [form, setForm] = useState(() => ({
    ...firstChange(object), name: `${name}-selected`, canary: '', atOnce: '', soak: '', maxFailures: '', onFailure: 'Pause', approval: false,
  }));
  const present = { ...form, rules: form.rules ?? (mayMake && whom.names.length > 0 ? OWN : AS_IS) };
  const onForm = (change) => setForm((before) => ({ ...before, ...change }));
  const wish = useMemo(() => wishOf(object, present, whom), [object, form, present.rules, whom]);
  const submit = (event) => {
    event.preventDefault();
    if (!wish.problem) askStart(wish, path, whom);
  };
  return (
    <form class="start" onSubmit={submit}>
      <ChangeFields object={object} form={present} onForm={onForm} selected={whom.names.length} />
      <RuleFields policies={(policies.data?.items ?? []).map((one) => one.metadata.name)} mayMake={mayMake} form={present} onForm={onForm} selected={whom.names.length} />
      <Card title="What would happen" note="the hub's plan"><Plan wish={wish} path={path} whom={whom} before={object} /></Card>
      <button type="submit" class="primary" disabled={Boolean(wish.problem)}>Start …</button>
    </form>
  );
}

/* ---- which object ---- */

function Chosen({ of, whom }) {
  const loaded = useLoaded((signal) => loadObject(of, signal), [of]);
  const { type, object, path } = loaded.data ?? {};
  const allowed = type && may('update', type.group, type.resource, object.metadata.namespace);
  return (
    <Loaded of={loaded} what="the object">
      {() => object && (allowed === false
        ? <p class="alert" role="alert">You may not change it: that takes the right to update {kindName(type)} in {object.metadata.namespace}.</p>
        : allowed && <Form key={object.metadata.uid} object={object} path={path} whom={whom} />)}
    </Loaded>
  );
}

export default function Start() {
  const of = params.value.get('of') ?? '';
  const query = params.value.get('q') ?? '';
  const { indices } = useQueried(query, fleet.value, /state:/i.test(query) ? revision.value : 0);
  const { names, all } = useSelection(fleet.value, indices);
  const whom = useMemo(() => ({ names, selector: all ? selectorOf(query) : undefined }), [names, all, query]);
  return (
    <Page title="Start a rollout" lead="An object is changed, and the change goes out in waves: the hub makes a Rollout of it.">
      <Card title="Which clusters first">
        {names.length > 0
          ? <p><a href={`/console/grid?${new URLSearchParams({ ...(query && { q: query }), sel: params.value.get('sel') })}`}>{plural(names.length, 'cluster')}</a>{whom.selector && `, and whichever has ${query} by then`}</p>
          : <Empty>None is selected. <a href="/console/grid">Select some in the fleet</a>, or go on by a policy that is there.</Empty>}
      </Card>
      <Card title="Which object">
        <ChooseObject of={of} />
      </Card>
      <Chosen of={of} whom={whom} />
    </Page>
  );
}
