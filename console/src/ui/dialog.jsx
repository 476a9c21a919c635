// One dialog at a time, the browser's own: it keeps the focus inside and gives it back.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';

/**
 * What is asked, or undefined:
 *   title, action (the button's word), danger, load() -> lines that say what it touches
 *   typed   a name that must be typed
 *   reason  whether a reason may be given
 *   run({ reason })
 */
export const asked = signal(undefined);
export const ask = (question) => (asked.value = question);

function Touches({ load, onKnown, onRefused }) {
  const [lines, setLines] = useState();
  useEffect(() => {
    load().then((said) => {
      setLines(said);
      onKnown();
    }, (error) => {
      setLines(['Not known.']);
      onRefused(error);
    });
  }, [load]);
  return (
    <ul class="touches" role="status">
      {(lines ?? ['Asking the hub what this touches …']).map((line) => <li key={line}>{line}</li>)}
    </ul>
  );
}

export function Dialog() {
  const question = asked.value;
  return question ? <Question question={question} /> : null;
}

function Question({ question }) {
  const dialog = useRef();
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const [error, setError] = useState();
  const [busy, setBusy] = useState(false);
  const [known, setKnown] = useState(!question.load);
  // What nobody could say the effect of is not done.
  const ready = !busy && known && (!question.typed || typed === question.typed);
  const close = () => (asked.value = undefined);

  useEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => element.open && element.close();
  }, []);

  async function submit(event) {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    try {
      await question.run({ reason });
      close();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  }

  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="question">
      <form onSubmit={submit}>
        <h2 id="question">{question.title}</h2>
        {question.text && <p>{question.text}</p>}
        {question.load && <Touches load={question.load} onKnown={() => setKnown(true)} onRefused={setError} />}
        {question.body?.()}
        {question.reason && (
          <label>
            Reason, for the audit log
            <input name="reason" maxLength={1024} value={reason} onInput={(event) => setReason(event.target.value)} />
          </label>
        )}
        {question.typed && (
          <label>
            <span>Type <strong>{question.typed}</strong> to go on</span>
            <input name="typed" autoComplete="off" spellcheck={false} value={typed} onInput={(event) => setTyped(event.target.value)} />
          </label>
        )}
        {error && <p class="alert" role="alert">{error.message}</p>}
        <div class="buttons">
          <button type="button" onClick={close}>Cancel</button>
          <button type="submit" class={question.danger ? 'danger' : 'primary'} disabled={!ready}>{question.action}</button>
        </div>
      </form>
    </dialog>
  );
}
