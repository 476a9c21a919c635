// What the build rests on: nothing but the lock file, and no registry's address in it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

test('the lock file names no registry', () => {
  const lock = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
  assert.ok(!lock.includes('"resolved"'));
  assert.ok(!lock.includes('http://'));
});
