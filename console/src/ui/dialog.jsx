// One dialog at a time, the browser's own: it keeps the focus inside and gives it back.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';

const PAUSE_MS = 400; // of typing, before the hub is asked

/**
 * What is asked, or undefined:
 *   title, action (the button's word), danger
 *   load(input) -> lines that say what it touches; undefined: the input is not complete yet
 *   input   a signal that body() writes to; with each change of it load is called again
 *   typed   a name that must be typed
 *   reason  whether a reason may be given
 *   run({ reason, input }), the input being the one whose effect was shown
 */
export const asked = signal(undefined);
export const ask = (question) => (asked.value = question);

function Touches({ load, input, onAsking, onKnown, onRefused }) {
  const [lines, setLines] = useState();
  const given = input?.value;
  useEffect(() => {
    let mine = true; // an answer to what was written before says nothing about what stands there now
    const answer = (said) => {
      setLines(said ?? []);
      if (said) onKnown(given);
    };
    onAsking();
    setLines(undefined);
    const timer = setTimeout(() => load(given).then((said) => mine && answer(said), (error) => {
      if (!mine) return;
      setLines(['Not known.']);
      onRefused(error);
    }), input ? PAUSE_MS : 0);
    return () => {
      mine = false;
      clearTimeout(timer);
    };
  }, [load, given]);
  if (lines?.length === 0) return null;
  return (
    <div role="status">
      <ul class="touches">
        {(lines ?? ['Asking the hub what this touches …']).map((line) => <li key={line}>{line}</li>)}
      </ul>
    </div>
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
  const [known, setKnown] = useState(question.load ? undefined : {});
  // What nobody could say the effect of is not done.
  const ready = !busy && known && known.given === question.input?.value && (!question.typed || typed === question.typed);
  const close = () => (asked.value = undefined);
  const onAsking = () => {
    setKnown(undefined);
    setError(undefined);
  };

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
      await question.run({ reason, input: known.given });
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
        {question.body?.()}
        {question.load && <Touches load={question.load} input={question.input} onAsking={onAsking} onKnown={(given) => setKnown({ given })} onRefused={setError} />}
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
