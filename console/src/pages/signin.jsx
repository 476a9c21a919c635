import { useState } from 'preact/hooks';
import { signIn } from '../session.js';
import { useTitle } from '../ui/use.js';

export function SignIn({ refused }) {
  const [token, setToken] = useState('');
  const [error, setError] = useState(refused);
  const [busy, setBusy] = useState(false);
  useTitle('Sign in');

  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await signIn({ token: token.trim() });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  }

  return (
    <main class="signin">
      <form class="card" onSubmit={submit}>
        <h1>fedlet</h1>
        <p>With a link: run <code>fedctl console</code> and open what it prints. It signs this browser in once, with your rights.</p>
        <label>
          Or with a bearer token
          <input
            type="password"
            autoComplete="off"
            required
            value={token}
            aria-invalid={error ? 'true' : undefined}
            onInput={(event) => setToken(event.target.value)}
          />
        </label>
        {(error ?? refused) && <p class="alert" role="alert">{(error ?? refused).message}</p>}
        <button type="submit" class="primary" disabled={busy}>Sign in</button>
        <p class="note">The token goes to this hub only, and is exchanged for a cookie that ends by itself.</p>
      </form>
    </main>
  );
}
