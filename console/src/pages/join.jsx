// Letting clusters in: tokens, and who waits.
import { useState } from 'preact/hooks';
import { create, joinRequestPath, joinTokenPath, merge, remove, SYSTEM } from '../api.js';
import { count, fingerprint, unixOf } from '../format.js';
import { may } from '../rights.js';
import { link } from '../router.js';
import { Copy } from '../ui/copy.jsx';
import { ask } from '../ui/dialog.jsx';
import { Age, Card, Labels, Loaded, Notice, Page, Table, Word } from '../ui/parts.jsx';
import { Qr } from '../ui/qr.jsx';
import { useGet } from '../ui/use.js';

const REQUESTS = 'joinrequests.fedlet.io';
const TOKENS = 'jointokens.fedlet.io';

function askApprove(request) {
  ask({
    title: `Let ${request.spec.clusterName} in`,
    text: 'Compare the fingerprint with the one that `fedlet join` printed on the gateway.',
    body: () => (
      <>
        <p class="print">{fingerprint(request.status.publicKeyFingerprint)}</p>
        <p>Labels: <Labels labels={request.spec.labels} /></p>
      </>
    ),
    action: 'Approve',
    // What was compared is what is let in: not what came in its place since.
    run: () => merge(joinRequestPath(request.metadata.name), {
      metadata: { resourceVersion: request.metadata.resourceVersion },
      spec: { approved: true },
    }),
  });
}

function askClone(request) {
  ask({
    title: `Two machines came as ${request.spec.clusterName}`,
    text: 'The next machine that comes under this name is the one that counts; the other is refused from then on.',
    action: 'Accept the next one',
    danger: true,
    typed: request.spec.clusterName,
    run: () => merge(joinRequestPath(request.metadata.name), { spec: { cloneAcceptedAt: new Date().toISOString().replace(/\.\d+/, '') } }),
  });
}

function askDeny(request) {
  ask({
    title: `Deny ${request.spec.clusterName}`,
    text: 'The request is deleted. The machine may ask again while its token is good: revoke the token, too.',
    action: 'Deny',
    danger: true,
    typed: request.spec.clusterName,
    run: () => remove(joinRequestPath(request.metadata.name)),
  });
}

const isPending = (request) => request.status?.state === 'Pending' && !request.spec.approved;

function RequestActions({ request }) {
  const mayPatch = may('patch', 'fedlet.io', 'joinrequests', SYSTEM);
  const mayDelete = may('delete', 'fedlet.io', 'joinrequests', SYSTEM);
  return (
    <span class="row">
      {mayPatch && isPending(request) && <button type="button" class="primary" onClick={() => askApprove(request)}>Approve {request.spec.clusterName} …</button>}
      {mayPatch && /machine|clone/i.test(request.status?.message ?? '') && !isPending(request) && (
        <button type="button" class="danger" onClick={() => askClone(request)}>Accept the next …</button>
      )}
      {mayDelete && isPending(request) && <button type="button" class="danger" onClick={() => askDeny(request)}>Deny …</button>}
    </span>
  );
}

function Requests({ caption, rows, empty }) {
  return (
    <Table
      caption={caption}
      rows={rows}
      keyOf={(one) => one.metadata.uid}
      empty={empty}
      columns={[
        { head: 'Cluster', cell: (one) => (isPending(one) ? one.spec.clusterName : <a href={link('clusters', one.spec.clusterName)}>{one.spec.clusterName}</a>) },
        { head: 'State', cell: (one) => <Word word={one.status?.state ?? 'Pending'} /> },
        { head: 'Fingerprint of its key', cell: (one) => <span class="print">{fingerprint(one.status?.publicKeyFingerprint)}</span> },
        { head: 'Labels', cell: (one) => <Labels labels={one.spec.labels} /> },
        { head: 'Token', cell: (one) => one.spec.token },
        { head: 'Asked', cell: (one) => <Age unix={unixOf(one.status?.requestedAt)} /> },
        { head: 'Says', cell: (one) => one.status?.message },
        { head: <span class="hidden">Actions</span>, cell: (one) => <RequestActions request={one} /> },
      ]}
    />
  );
}

function NewToken({ onMade }) {
  const [spec, setSpec] = useState({ ttl: '24h', uses: 1, approve: 'manual', clusterName: '' });
  const [notice, setNotice] = useState();
  const set = (name, value) => setSpec({ ...spec, [name]: value });
  async function submit(event) {
    event.preventDefault();
    try {
      const body = { ...spec, uses: Number(spec.uses), clusterName: spec.clusterName || undefined };
      onMade(await create(joinTokenPath(), {
        apiVersion: 'fedlet.io/v1alpha1',
        kind: 'JoinToken',
        metadata: { generateName: 'join', namespace: SYSTEM },
        spec: body,
      }));
      setNotice(undefined);
    } catch (error) {
      setNotice({ error });
    }
  }
  return (
    <form onSubmit={submit}>
      <div class="row">
        <label>Good for <select value={spec.ttl} onChange={(event) => set('ttl', event.target.value)}>{['1h', '24h', '168h'].map((one) => <option key={one}>{one}</option>)}</select></label>
        <label>Uses <input type="number" min="1" max="10000" required value={spec.uses} onInput={(event) => set('uses', event.target.value)} /></label>
        <label>Only for cluster <input value={spec.clusterName} placeholder="any" onInput={(event) => set('clusterName', event.target.value.trim())} /></label>
        <label>
          Approval{' '}
          <select value={spec.approve} onChange={(event) => set('approve', event.target.value)}>
            <option value="manual">by a person</option>
            <option value="auto">at once</option>
          </select>
        </label>
        <button type="submit" class="primary">Make a token</button>
      </div>
      <Notice notice={notice} />
    </form>
  );
}

function Made({ token }) {
  const line = `fedlet join ${token.status.token}`;
  return (
    <div class="token" role="status">
      <Qr text={line} label={`QR code of the join line of token ${token.metadata.name}`} />
      <div class="stack">
        <p>On the gateway, or by its QR code. It is shown this once.</p>
        <Copy text={line} />
      </div>
    </div>
  );
}

function askRevoke(token) {
  ask({
    title: `Revoke token ${token.metadata.name}`,
    text: `Nobody joins with it any more; ${count(token.status?.usesLeft)} uses were left. Clusters that joined with it stay.`,
    action: 'Revoke',
    danger: true,
    typed: token.metadata.name,
    run: () => remove(joinTokenPath(token.metadata.name)),
  });
}

function Tokens({ list }) {
  const mayRevoke = may('delete', 'fedlet.io', 'jointokens', SYSTEM);
  return (
    <Table
      caption="Tokens"
      rows={list.items}
      keyOf={(one) => one.metadata.uid}
      empty="No tokens."
      columns={[
        { head: 'Token', cell: (one) => one.metadata.name },
        { head: 'State', cell: (one) => <Word word={one.status?.revoked ? 'Revoked' : unixOf(one.status?.expiresAt) * 1000 < Date.now() ? 'Offline' : one.status?.usesLeft > 0 ? 'OK' : 'Complete'} /> },
        { head: 'Uses left', number: true, cell: (one) => `${count(one.status?.usesLeft)} of ${count(one.spec.uses)}` },
        { head: 'Only for', cell: (one) => one.spec.clusterName ?? 'any' },
        { head: 'Approval', cell: (one) => (one.spec.approve === 'manual' ? 'by a person' : 'at once') },
        { head: 'Ends', cell: (one) => <Age unix={unixOf(one.status?.expiresAt)} /> },
        { head: <span class="hidden">Actions</span>, cell: (one) => mayRevoke && <button type="button" class="danger" onClick={() => askRevoke(one)}>Revoke …</button> },
      ]}
    />
  );
}

export default function Join() {
  const requests = useGet(joinRequestPath(), [REQUESTS]);
  const mayTokens = may('list', 'fedlet.io', 'jointokens', SYSTEM);
  const mayMake = may('create', 'fedlet.io', 'jointokens', SYSTEM);
  const tokens = useGet(mayTokens ? joinTokenPath() : undefined, [TOKENS]);
  const [made, setMade] = useState();
  return (
    <Page title="Join">
      <Card title="Waiting to be let in">
        <Loaded of={requests} what="requests">
          {({ items }) => <Requests caption="Pending join requests" rows={items.filter(isPending)} empty="Nobody waits." />}
        </Loaded>
      </Card>
      {mayMake && <Card title="New token"><NewToken onMade={setMade} />{made && <Made token={made} />}</Card>}
      {mayTokens && <Card title="Tokens"><Loaded of={tokens} what="tokens">{(list) => <Tokens list={list} />}</Loaded></Card>}
      <Card title="Let in">
        <Loaded of={requests} what="requests">
          {({ items }) => <Requests caption="Join requests" rows={items.filter((one) => !isPending(one)).slice(0, 200)} empty="None yet." />}
        </Loaded>
      </Card>
    </Page>
  );
}
