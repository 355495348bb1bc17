import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keep, kept, takeSecret } from '../out/unit/link.mjs';

const secret = 'abcdefghijKLMNOP_-1234';

function tab(url) {
  const tab = {
    location: new URL(url),
    history: {
      state: null,
      replaceState(state, _title, to) {
        this.state = state;
        tab.location = new URL(to, tab.location);
      },
    },
  };
  return tab;
}

test('the secret leaves the address bar and comes back after a reload', () => {
  const t = tab(`https://calls.example/m/inv_1?lang=fr#${secret}`);
  assert.equal(takeSecret(t), secret);
  assert.equal(t.location.href, 'https://calls.example/m/inv_1?lang=fr');
  assert.equal(takeSecret(t), secret, 'the same history entry');
  assert.equal(takeSecret(tab('https://calls.example/m/inv_1')), undefined, 'another tab');
});

test('a fragment that is no secret is cleared and ignored', () => {
  const t = tab('https://calls.example/m/inv_1#<script>');
  assert.equal(takeSecret(t), undefined);
  assert.equal(t.location.hash, '');
});

test('other values of the entry stay beside the secret', () => {
  const t = tab(`https://calls.example/m/inv_1#${secret}`);
  takeSecret(t);
  keep('name', 'Marie', t);
  assert.equal(kept('name', t), 'Marie');
  assert.equal(takeSecret(t), secret);
});
