// The frame around every page: who is signed in, where one can go, and whether what is shown is up to date.
import { useEffect, useState } from 'preact/hooks';
import { session } from './api.js';
import { BASE, matchPath, navigate, place } from './router.js';
import { resumeSession } from './session.js';
import { Banner } from './ui/banner.jsx';
import { Dialog } from './ui/dialog.jsx';
import { Nav } from './ui/nav.jsx';
import { Palette } from './ui/palette.jsx';
import { Empty, Page } from './ui/parts.jsx';
import { SignIn } from './pages/signin.jsx';
import { Home } from './pages/home.jsx';
import { GridPage } from './pages/grid.jsx';
import { lazy } from './ui/lazy.jsx';

// What is not looked at first comes when it is asked for.
const PAGES = [
  ['/', Home],
  ['/grid', GridPage],
  ['/clusters/:name', lazy(() => import('./pages/cluster.jsx'))],
  ['/objects', lazy(() => import('./pages/objects.jsx'))],
  ['/objects/:resource/:namespace/:name', lazy(() => import('./pages/object.jsx'))],
  ['/objects/:resource/:name', lazy(() => import('./pages/object.jsx'))],
  ['/rollouts', lazy(() => import('./pages/rollouts.jsx'))],
  ['/rollouts/start', lazy(() => import('./pages/start.jsx'))],
  ['/rollouts/:namespace/:name', lazy(() => import('./pages/rollout.jsx'))],
  ['/drift', lazy(() => import('./pages/drift.jsx'))],
  ['/join', lazy(() => import('./pages/join.jsx'))],
  ['/bandwidth', lazy(() => import('./pages/bandwidth.jsx'))],
  ['/policies', lazy(() => import('./pages/policies.jsx'))],
  ['/audit', lazy(() => import('./pages/audit.jsx'))],
  ['/settings', lazy(() => import('./pages/settings.jsx'))],
];

function PageOfPath() {
  const path = place.value.path.slice(BASE.length) || '/';
  for (const [pattern, View] of PAGES) {
    const values = matchPath(pattern, path);
    if (values) return <View key={path} {...values} />;
  }
  return (
    <Page title="No such page">
      <Empty>Nothing is at {place.value.path}. <a href="/console/">Back to the overview.</a></Empty>
    </Page>
  );
}

function onKey(event) {
  const typing = event.target.closest?.('input, textarea, select, dialog');
  if (event.key === '/' && !typing) {
    document.querySelector('main input[type=search]')?.focus();
    event.preventDefault();
  }
}

export function App() {
  const [refused, setRefused] = useState();
  useEffect(() => {
    if (place.value.path === BASE) navigate(`${BASE}/`, true);
    // A link that is opened where the page is already changes nothing but what is behind #.
    const resume = () => resumeSession().then(setRefused);
    const onHash = () => location.hash.startsWith('#code=') && resume();
    resume();
    addEventListener('keydown', onKey);
    addEventListener('hashchange', onHash);
    return () => {
      removeEventListener('keydown', onKey);
      removeEventListener('hashchange', onHash);
    };
  }, []);

  if (session.value === undefined) return <p class="empty" role="status">Loading …</p>;
  if (session.value === null) return <SignIn refused={refused} />;
  return (
    <>
      <a class="skip" href="#main">To the content</a>
      <Nav />
      <main id="main" tabIndex={-1}>
        <Banner />
        <PageOfPath />
      </main>
      <Palette />
      <Dialog />
    </>
  );
}
