// JSON as YAML, for people: enough of it that what is printed can be applied again. Pure.

const PLAIN = /^[A-Za-z/][A-Za-z0-9 _./@:+-]*[A-Za-z0-9_/.]$|^[A-Za-z]$/;
const WORD = /^(true|false|yes|no|on|off|null|y|n)$/i;

function scalar(value) {
  if (typeof value !== 'string') return JSON.stringify(value);
  if (PLAIN.test(value) && !WORD.test(value) && !/: | #/.test(value)) return value;
  return JSON.stringify(value);
}

const isEmpty = (value) => value === null || typeof value !== 'object' || Object.keys(value).length === 0;

function lines(value, indent) {
  const pad = ' '.repeat(indent);
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      if (isEmpty(item)) return [`${pad}- ${inline(item)}`];
      const [first, ...rest] = lines(item, indent + 2);
      return [`${pad}- ${first.slice(indent + 2)}`, ...rest];
    });
  }
  return Object.entries(value).flatMap(([key, item]) =>
    isEmpty(item) ? [`${pad}${scalar(key)}: ${inline(item)}`] : [`${pad}${scalar(key)}:`, ...lines(item, indent + 2)],
  );
}

function inline(value) {
  if (Array.isArray(value)) return '[]';
  if (value !== null && typeof value === 'object') return '{}';
  return scalar(value);
}

/** Lines of YAML. */
export const yamlLines = (value) => (isEmpty(value) ? [inline(value ?? null)] : lines(value, 0));
