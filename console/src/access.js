// What rules of SelfSubjectRulesReview allow. Pure.

const has = (list, word) => Boolean(list?.includes('*') || list?.includes(word));

/**
 * Whether one of the rules lets its user do that to any object of the resource: a rule of some names alone does not.
 * Without a resource: of some resource of the group.
 */
export const allows = (rules, verb, group, resource) =>
  rules.some((rule) =>
    has(rule.verbs, verb) && has(rule.apiGroups, group) && (!resource || has(rule.resources, resource)) && !rule.resourceNames?.length);
