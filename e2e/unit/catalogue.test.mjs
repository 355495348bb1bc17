// Catalogues are complete: the same keys and placeholders in all languages,
// no sentence that nobody uses. (That a used key exists is the compiler's job.)
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const src = new URL('../../web/src/', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(`text/${name}`, src), 'utf8'));
const files = readdirSync(new URL('text/', src)).filter((name) => name.endsWith('.json'));
const families = [...new Set(files.map((name) => name.replace(/(en|fr|it)\.json$/, '')))];
const code = readdirSync(src, { recursive: true })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('vendor'))
  .map((name) => readFileSync(new URL(name, src), 'utf8'))
  .join('\n');

const holes = (sentence) => [...new Set((typeof sentence === 'string' ? sentence : Object.values(sentence).join(' ')).match(/\{\w+\}/g) ?? [])].sort().join(' ');
const forms = (sentence) => (typeof sentence === 'string' ? [sentence] : Object.values(sentence));

for (const family of families) {
  const en = read(`${family}en.json`);
  for (const lang of ['fr', 'it']) {
    const other = read(`${family}${lang}.json`);
    test(`${family}${lang} has the keys of ${family}en`, () => {
      assert.deepEqual(Object.keys(other).sort(), Object.keys(en).sort());
    });
    test(`${family}${lang} has the placeholders and plurals of ${family}en`, () => {
      for (const key of Object.keys(en)) {
        assert.equal(holes(other[key] ?? ''), holes(en[key]), `${lang}: ${key}`);
        assert.equal(typeof other[key], typeof en[key], `${lang}: ${key}`);
      }
    });
  }
  for (const lang of ['en', 'fr', 'it']) {
    test(`${family}${lang} has no empty or untidy sentence, and every plural form its language needs`, () => {
      const needed = new Intl.PluralRules(lang).resolvedOptions().pluralCategories.filter((form) => form !== 'many');
      for (const [key, sentence] of Object.entries(read(`${family}${lang}.json`))) {
        if (typeof sentence === 'object') assert.deepEqual(needed.filter((form) => !(form in sentence)), [], `${lang}: ${key} lacks a form`);
        for (const form of forms(sentence)) assert.ok(form.trim() === form && form !== '', `${lang}: ${key}: "${form}"`);
      }
    });
  }
  test(`every key of ${family}en is used`, () => {
    // a key is used when it stands in quotes, or when a template like `problem.${…}.title` fits it
    const templates = [...code.matchAll(/`([\w.]*\$\{[^`]*)`/g)]
      .map((m) => m[1].replace(/\$\{[^}]*\}/g, '\0'))
      .filter((shape) => /^[\w.]+\.[\w.]*\0[\w.\0]*$/.test(shape))
      .map((shape) => new RegExp(`^${shape.replaceAll('.', '\\.').replaceAll('\0', '[\\w-]+(\\.[\\w-]+)*')}$`));
    const unused = Object.keys(en).filter((key) => !code.includes(`'${key}'`) && !templates.some((shape) => shape.test(key)));
    assert.deepEqual(unused, []);
  });
}
