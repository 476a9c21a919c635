import { session } from '../api.js';
import { bytes, clock, count, duration } from '../format.js';
import { signOut } from '../session.js';
import { Age, Card, Facts, Loaded, Page, Table } from '../ui/parts.jsx';
import { theme } from '../ui/theme.js';
import { useGet } from '../ui/use.js';

function Hub({ about }) {
  return (
    <Facts facts={[
      ['Version', about.version],
      ['Epoch', about.epoch],
      ['Up for', duration(about.uptime_s)],
      ['Clusters', count(about.clusters)],
      ['Federated objects', count(about.objects)],
      ['Works', count(about.pairs)],
      ['Agents connected', count(about.sessions)],
      ['Store', bytes(about.store_bytes)],
      ['Revision', about.revision],
      ['CA ends', <Age unix={about.ca_until_unix_s} />],
      ["Hub's certificate ends", <Age unix={about.server_certificate_until_unix_s} />],
      ['Browsers', about.browsers && `${about.browsers.sessions} sessions, ${about.browsers.streams} streams`],
    ]}
    />
  );
}

function You() {
  const who = session.value;
  return (
    <>
      <Facts facts={[
        ['User', who.user],
        ['Groups', (who.groups ?? []).join(', ')],
        ['Signed in by', who.method],
        ['Until', who.expires_unix_s && `${clock(who.expires_unix_s)} UTC`],
      ]}
      />
      <div class="controls">
        <label>
          Theme{' '}
          <select value={theme.value} onChange={(event) => (theme.value = event.target.value)}>
            {['system', 'light', 'dark'].map((one) => <option key={one}>{one}</option>)}
          </select>
        </label>
        {who.method === 'session' && <button type="button" onClick={() => signOut(false)}>Sign out</button>}
        {who.method === 'session' && <button type="button" onClick={() => signOut(true)}>Sign out everywhere</button>}
      </div>
    </>
  );
}

export default function Settings() {
  const about = useGet('/console/about');
  return (
    <Page title="Settings">
      <Card title="You"><You /></Card>
      <Loaded of={about} what="the hub's facts">
        {(data) => (
          <>
            <Card title="This hub"><Hub about={data} /></Card>
            <Card title="Its settings" note="changed where the hub is started: fedhub serve">
              <Table
                caption="Settings"
                rows={Object.entries(data.settings ?? {})}
                keyOf={([name]) => name}
                columns={[
                  { head: 'Setting', cell: ([name]) => <code>{name}</code> },
                  { head: 'Value', cell: ([, value]) => (typeof value === 'object' ? JSON.stringify(value) : String(value)) },
                ]}
              />
            </Card>
          </>
        )}
      </Loaded>
    </Page>
  );
}
