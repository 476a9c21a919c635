// What the user may do, asked of the hub once: what is not allowed is not offered. The hub refuses it all the same.
import { signal } from '@preact/signals';
import { create, session } from './api.js';

const AGAIN_MS = 3000;
const known = new Map(); // question -> signal of true, false or undefined

session.subscribe(() => known.clear());

async function ask(question, answer) {
  const [verb, group, resource, namespace] = question.split('|');
  const attributes = verb === 'get' && resource.startsWith('/')
    ? { nonResourceAttributes: { verb, path: resource } }
    : { resourceAttributes: { verb, group, resource: resource.split('/')[0], subresource: resource.split('/')[1], namespace } };
  try {
    const review = await create('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: attributes,
    });
    answer.value = review.status.allowed === true;
  } catch (error) {
    if (known.get(question) !== answer) return;
    // No answer is no refusal: a page that took it for one would not even say that it does not know.
    if (error.status === 401 || error.status === 403) answer.value = false;
    else setTimeout(() => known.get(question) === answer && ask(question, answer), AGAIN_MS);
  }
}

/** true, false, or undefined while not known. Read inside a component it renders again with the answer. */
export function may(verb, group, resource, namespace = '') {
  const question = [verb, group, resource, namespace].join('|');
  if (!known.has(question)) {
    const answer = signal(undefined);
    known.set(question, answer);
    ask(question, answer);
  }
  return known.get(question).value;
}
