// What the user may do, asked of the hub once: what is not allowed is not offered. The hub refuses it all the same.
import { signal } from '@preact/signals';
import { allows } from './access.js';
import { create, session } from './api.js';

const AGAIN_MS = 3000;
const known = new Map(); // question -> signal of true, false or undefined

const rulesOf = new Map(); // namespace -> signal of rules, undefined while not known

session.subscribe(() => {
  known.clear();
  rulesOf.clear();
});

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

async function askRules(namespace, answer) {
  try {
    const review = await create('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace },
    });
    answer.value = review.status.resourceRules ?? [];
  } catch (error) {
    if (rulesOf.get(namespace) !== answer) return;
    if (error.status === 401 || error.status === 403) answer.value = [];
    else setTimeout(() => rulesOf.get(namespace) === answer && askRules(namespace, answer), AGAIN_MS);
  }
}

function rulesIn(namespace) {
  if (!rulesOf.has(namespace)) {
    const answer = signal(undefined);
    rulesOf.set(namespace, answer);
    askRules(namespace, answer);
  }
  return rulesOf.get(namespace).value;
}

/**
 * Namespaces of their own where a user who may not do it everywhere may do it; the hub says where somebody is bound at all.
 * undefined while not known.
 */
export function namespacesWhere(verb, group, resource) {
  const rules = (session.value?.namespaces ?? []).map((name) => ({ name, rules: rulesIn(name) }));
  if (rules.some((one) => one.rules === undefined)) return undefined;
  return rules.filter((one) => allows(one.rules, verb, group, resource)).map(({ name }) => name);
}

/** In all namespaces, or in one at least. */
export function mayAnywhere(verb, group, resource) {
  const everywhere = may(verb, group, resource);
  if (everywhere !== false) return everywhere;
  return namespacesWhere(verb, group, resource)?.length > 0;
}
