import assert from 'node:assert/strict';
import { test } from 'node:test';
import { platform } from '../out/unit/devices.mjs';

test('phones and tablets are known by their names, an iPad by its fingers', () => {
  assert.equal(platform('Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15', 5), 'ios');
  assert.equal(platform('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15', 5), 'ios');
  assert.equal(platform('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15', 0), 'other');
  assert.equal(platform('Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile', 5), 'android');
  assert.equal(platform('Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 0), 'other');
});
