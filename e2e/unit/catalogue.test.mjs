// Catalogues are complete: the same keys and placeholders in all languages,
// no sentence that nobody uses. (That a used key exists is the compiler's job.)
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, root), 'utf8'));
const code = (folder) =>
  readdirSync(new URL(folder, root), { recursive: true })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('vendor'))
    .map((name) => readFileSync(new URL(folder + name, root), 'utf8'))
    .join('\n');

// a family is what stands before en.json: the pages' own, and those of a page that brings its own
const families = ['web/src/', 'emulate/xcally/page/'].flatMap((folder) => {
  const names = readdirSync(new URL(`${folder}text/`, root)).filter((name) => /^(.+\.)?en\.json$/.test(name));
  return names.map((name) => ({ family: `${folder}text/${name.replace(/en\.json$/, '')}`, folder }));
});

const holes = (sentence) => [...new Set((typeof sentence === 'string' ? sentence : Object.values(sentence).join(' ')).match(/\{\w+\}/g) ?? [])].sort().join(' ');
const forms = (sentence) => (typeof sentence === 'string' ? [sentence] : Object.values(sentence));

for (const { family, folder } of families) {
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
    const source = code(folder);
    const templates = [...source.matchAll(/`([\w.]*\$\{[^`]*)`/g)]
      .map((m) => m[1].replace(/\$\{[^}]*\}/g, '\0'))
      .filter((shape) => /^\w[\w.]*[._]\0[\w.\0]*$/.test(shape))
      .map((shape) => new RegExp(`^${shape.replaceAll('.', '\\.').replaceAll('\0', '[\\w-]+(\\.[\\w-]+)*')}$`));
    const unused = Object.keys(en).filter((key) => !source.includes(`'${key}'`) && !templates.some((shape) => shape.test(key)));
    assert.deepEqual(unused, []);
  });
}
