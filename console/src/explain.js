// Why an object is in a cluster, or is not. Pure.

function missingOf({ key, operator, values = [] }, labels) {
  const has = key in labels;
  const inside = has && values.includes(labels[key]);
  const holds = { In: inside, NotIn: !inside, Exists: has, DoesNotExist: !has }[operator];
  return holds ? undefined : `${key} ${operator} ${values.length ? `(${values.join(', ')})` : ''}`.trim();
}

/** The requirements of a label selector that do not hold. */
export function missing(selector, labels) {
  const equal = Object.entries(selector.matchLabels ?? {})
    .filter(([key, value]) => labels[key] !== value)
    .map(([key, value]) => `${key}=${value}${key in labels ? ` (it has ${key}=${labels[key]})` : ' (it has no such label)'}`);
  return [...equal, ...(selector.matchExpressions ?? []).map((one) => missingOf(one, labels)).filter(Boolean)];
}

function asked(placement, name, labels) {
  if (placement.clusters !== undefined) {
    const named = placement.clusters.some((one) => one.name === name);
    return { is: named, why: named ? 'spec.placement.clusters names it' : 'spec.placement.clusters does not name it' };
  }
  if (placement.clusterSelector === undefined) return { is: false, why: 'spec.placement names no clusters and no selector' };
  const lacks = missing(placement.clusterSelector, labels);
  if (lacks.length > 0) return { is: false, why: `spec.placement.clusterSelector wants ${lacks.join(', ')}` };
  return { is: true, why: 'its labels match spec.placement.clusterSelector' };
}

/** A sentence about one cluster. row: of the hub's plan, which has the last word. */
export function explain(object, name, labels, row, planned) {
  const { is, why } = asked(object.spec?.placement ?? {}, name, labels);
  const said = [row?.reason, row?.message].filter(Boolean).join(': ');
  if (row && ['refused', 'forbidden'].includes(row.action)) return `Not placed, although ${why}: ${said || row.action}.`;
  if (row && ['remove', 'removing'].includes(row.action)) return `Leaves the cluster, because ${why}${said ? `: ${said}` : ''}.`;
  if (row) return is ? `Placed: ${why}.` : `Placed although ${why}: the hub's plan has it there${said ? `, ${said}` : ''}.`;
  if (!is) return `Not placed: ${why}.`;
  const reason = [planned?.reason, planned?.message].filter(Boolean).join(': ');
  return `Not placed although ${why}${reason ? `: ${reason}` : ': its namespace is not placed there, or the cluster is not in the plan'}.`;
}
