// The overview is of the fleet: whoever may not see that begins with the first page that is theirs.
import { useEffect } from 'preact/hooks';
import { may } from '../rights.js';
import { BASE, navigate } from '../router.js';
import { visibleLinks } from '../ui/nav.jsx';
import { Empty, Page } from '../ui/parts.jsx';
import { Overview } from './overview.jsx';

export function Home() {
  const apart = may('list', 'core.kubefed.io', 'kubefedclusters') === false;
  const first = apart ? visibleLinks()[0]?.href : undefined;
  useEffect(() => {
    if (first) navigate(BASE + first, true);
  }, [first]);
  if (!apart) return <Overview />;
  return (
    <Page title="Overview">
      <Empty>Nothing here is yours to see. Ask for a role in a namespace, or for fedlet:viewer.</Empty>
    </Page>
  );
}
