// Signing in and out. A one-time code comes in the address behind #, which no server sees and which goes at once.
import { create, get, remove, session } from './api.js';

function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code) history.replaceState(null, '', location.pathname + location.search);
  return code;
}

export async function signIn(proof) {
  session.value = await create('/console/session', proof);
}

export async function signOut(everywhere) {
  await remove(`/console/session${everywhere ? '?all=true' : ''}`);
  session.value = null;
}

/** Who is there already, by code, cookie or certificate. Returns what a refused code was refused with. */
export async function resumeSession() {
  const code = takeCode();
  let refused;
  try {
    if (code) {
      await signIn({ code });
      return undefined;
    }
  } catch (error) {
    refused = error;
  }
  try {
    session.value = await get('/console/session');
  } catch (error) {
    session.value = null;
    return refused ?? (error.status === 401 ? undefined : error);
  }
  return undefined;
}
