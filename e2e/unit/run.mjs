// Builds the parts of web/src/lib that the tests import (text.mjs, signal.mjs …
// in e2e/out/unit) and runs every *.test.mjs here.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const out = `${root}e2e/out/unit`;
rmSync(out, { recursive: true, force: true });
const parts = ['text', 'wire', 'signal', 'events', 'link', 'api', 'stats', 'theme', 'devices'];
execFileSync('go', ['tool', 'esbuild', '--bundle', '--format=esm', '--out-extension:.js=.mjs', '--log-level=warning', `--outdir=${out}`, ...parts.map((part) => `web/src/lib/${part}.ts`)], { cwd: root, stdio: 'inherit' });

const here = fileURLToPath(new URL('.', import.meta.url));
const tests = readdirSync(here).filter((name) => name.endsWith('.test.mjs')).map((name) => here + name);
const run = spawnSync(process.execPath, ['--test', '--test-reporter=dot', ...tests], { stdio: 'inherit', cwd: root });
process.exit(run.status ?? 1);
