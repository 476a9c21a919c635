import { useState } from 'preact/hooks';
import { session } from '../api.js';
import { connection } from '../live.js';
import { may, namespacesWhere } from '../rights.js';
import { BASE, place } from '../router.js';
import { signOut } from '../session.js';
import { openPalette } from './palette.jsx';
import { theme } from './theme.js';

const FEDLET = 'fedlet.io';
const CORE = 'core.kubefed.io';

// right: what one must be allowed to list to see anything there; apart: or this, in a namespace of one's own.
export const LINKS = [
  { text: 'Overview', href: '/', right: [CORE, 'kubefedclusters'] },
  { text: 'Fleet', href: '/grid', right: [CORE, 'kubefedclusters'] },
  { text: 'Objects', href: '/objects', right: [CORE, 'federatedtypeconfigs'], apart: ['types.kubefed.io'] },
  { text: 'Rollouts', href: '/rollouts', right: [FEDLET, 'rollouts'], apart: [FEDLET, 'rollouts'] },
  { text: 'Drift', href: '/drift', right: [CORE, 'kubefedclusters'] },
  { text: 'Join', href: '/join', right: [FEDLET, 'joinrequests'] },
  { text: 'Bandwidth', href: '/bandwidth', right: [CORE, 'kubefedclusters'] },
  { text: 'Policies', href: '/policies', right: [FEDLET, 'placementpolicies'], apart: [FEDLET, 'rolloutpolicies'] },
  { text: 'Audit', href: '/audit', right: ['', '/console/audit'] },
  { text: 'Settings', href: '/settings', right: [CORE, 'kubefedclusters'] },
];

function mayVisit({ right: [group, resource], apart }) {
  const right = may(resource.startsWith('/') ? 'get' : 'list', group, resource);
  return right === false && apart ? namespacesWhere('list', ...apart)?.length > 0 : right;
}

export const visibleLinks = () => LINKS.filter(mayVisit);

function isHere(href) {
  const path = place.value.path.slice(BASE.length);
  if (href === '/') return path === '/' || path === '';
  return path === href || path.startsWith(`${href}/`) || (href === '/grid' && path.startsWith('/clusters/'));
}

const NEXT = { system: 'dark', dark: 'light', light: 'system' };

export function Nav() {
  const [open, setOpen] = useState(false);
  const live = connection.value.state === 'live';
  return (
    <header class="bar">
      <a class="brand" href="/console/">fedlet</a>
      <button type="button" class="menu" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>Menu</button>
      <nav id="nav" aria-label="Pages" class={open ? 'open' : undefined} onClick={() => setOpen(false)}>
        {visibleLinks().map(({ text, href }) => (
          <a key={href} href={BASE + href} aria-current={isHere(href) ? 'page' : undefined}>{text}</a>
        ))}
      </nav>
      <div class="tools">
        <span class={`pill ${live ? 'live' : ''}`} title="Whether changes arrive as they happen">
          <span aria-hidden="true">{live ? '●' : '○'}</span> {connection.value.state}
        </span>
        <button type="button" onClick={openPalette} aria-keyshortcuts="Control+K">Go to <kbd>Ctrl K</kbd></button>
        <button type="button" onClick={() => (theme.value = NEXT[theme.value])} aria-label={`Theme: ${theme.value}`} title={`Theme: ${theme.value}`}>◐</button>
        <details class="user">
          <summary>{session.value.user}</summary>
          <div>
            <p class="note">by {session.value.method}</p>
            {session.value.method === 'session' && <button type="button" onClick={() => signOut(false)}>Sign out</button>}
            {session.value.method === 'session' && <button type="button" onClick={() => signOut(true)}>Sign out everywhere</button>}
          </div>
        </details>
      </div>
    </header>
  );
}
