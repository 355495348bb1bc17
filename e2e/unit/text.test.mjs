import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Text, choose, languages, ownName } from '../out/unit/text.mjs';

const catalogues = {
  en: { 'hello': 'Hello {name}', 'left': { one: '{n} place left', other: '{n} places left' } },
  fr: { 'hello': 'Bonjour {name}', 'left': { one: '{n} place restante', other: '{n} places restantes' } },
  it: { 'hello': 'Buongiorno {name}', 'left': { one: '{n} posto libero', other: '{n} posti liberi' } },
};

test('the language is chosen in order: parameter, given, browser, default', () => {
  assert.equal(choose({ search: '?lang=it', given: 'fr', browser: ['en'] }), 'it');
  assert.equal(choose({ search: '?lang=xx', given: 'fr-CA', browser: ['en'] }), 'fr');
  assert.equal(choose({ browser: ['de-DE', 'it-IT', 'en'], fallback: 'fr' }), 'it');
  assert.equal(choose({ browser: ['de'], fallback: 'fr' }), 'fr');
  assert.equal(choose({ browser: [] }), 'en');
});

test('placeholders are filled, an unknown one stays visible', () => {
  const text = new Text(catalogues, 'en');
  assert.equal(text.t('hello', { name: 'Anna' }), 'Hello Anna');
  assert.equal(text.t('hello'), 'Hello {name}');
  assert.equal(text.t('hello', { name: '{name}' }), 'Hello {name}');
});

test('plurals follow the language: zero is one in French only', () => {
  const text = new Text(catalogues, 'en');
  assert.equal(text.t('left', { n: 1 }), '1 place left');
  assert.equal(text.t('left', { n: 0 }), '0 places left');
  text.use('fr');
  assert.equal(text.t('left', { n: 0 }), '0 place restante');
  assert.equal(text.t('left', { n: 1200 }).replace(/\s/gu, ' '), '1 200 places restantes');
});

test('a switch tells listeners once, and not after they left', () => {
  const text = new Text(catalogues, 'en');
  let calls = 0;
  const off = text.changed(() => calls++);
  text.use('it');
  text.use('it');
  text.use('xx');
  assert.equal(calls, 1);
  assert.equal(text.lang, 'it');
  off();
  text.use('fr');
  assert.equal(calls, 1);
});

test('lengths of time in words and on the clock', () => {
  const text = new Text(catalogues, 'en');
  assert.equal(text.length(252_000), '4 minutes 12 seconds');
  assert.equal(text.length(0), '0 seconds');
  assert.equal(text.length(60_000), '1 minute');
  assert.equal(text.clock(252_000), '04:12');
  assert.equal(text.clock(3_723_000), '1:02:03');
  text.use('it');
  assert.equal(text.length(61_000), '1 minuto 1 secondo');
});

test('each language names itself', () => {
  assert.deepEqual(languages.map(ownName), ['English', 'Français', 'Italiano']);
});
