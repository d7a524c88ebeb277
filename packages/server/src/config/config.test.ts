import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { configurationPage } from '../cli/config-docs.ts';
import { ConfigError, readConfig } from './config.ts';
import { parseDuration } from '../core/duration.ts';

test('nothing set gives a working configuration', () => {
  const config = readConfig({}, {});
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.port, 8365);
  assert.equal(config.adminKey, null);
  assert.equal(config.requestTimeoutMs, 15_000);
  assert.deepEqual(config.allowNetworks, []);
});

test('a flag wins over a variable and a variable over the default', () => {
  const env = { SCHOOLBELL_PORT: '1', SCHOOLBELL_HOST: '0.0.0.0' };
  const config = readConfig({ port: '2' }, env);
  assert.equal(config.port, 2);
  assert.equal(config.host, '0.0.0.0');
});

test('endpoints that fail are switched off after a time, or never', () => {
  const after = (switchOffAfter: string) => readConfig({ switchOffAfter }, {}).switchOffAfterMs;
  assert.equal(readConfig({}, {}).switchOffAfterMs, 5 * 86_400_000);
  assert.equal(after('36h'), 36 * 3_600_000);
  assert.deepEqual([after('never'), after('Never'), after('0')], [null, null, null]);
});

test('a thread sends where a core is left for it, or as many as are asked for', () => {
  const threads = (flags: Parameters<typeof readConfig>[0]): number =>
    readConfig(flags, {}).sendingThreads;
  const cores = availableParallelism();
  // The embedded store has a thread of its own that writes.
  assert.equal(threads({}), cores > 2 ? 1 : 0);
  assert.equal(threads({ databaseUrl: 'postgres://localhost/schoolbell' }), cores > 1 ? 1 : 0);
  assert.deepEqual([threads({ sendingThreads: '0' }), threads({ sendingThreads: '16' })], [0, 16]);
});

test('a list is split at commas and trimmed', () => {
  const config = readConfig({ allowNetworks: ' 10.0.0.0/8, intranet.example:8443 ,' }, {});
  assert.deepEqual(config.allowNetworks, ['10.0.0.0/8', 'intranet.example:8443']);
});

test('a setting that cannot be used is refused with its name and what it takes', () => {
  const refused: [Parameters<typeof readConfig>[0], RegExp][] = [
    [{ sendingThreads: 'many' }, /takes `auto` or a whole number from 0 to 16\. It is 'many'/],
    [
      { port: '70000' },
      /--port \(SCHOOLBELL_PORT\) takes a whole number from 0 to 65535\. It is '70000'/,
    ],
    [{ port: 'http' }, /--port/],
    [{ requestTimeout: '15' }, /--request-timeout .* takes a time such as/],
    [{ retrySchedule: 'often' }, /--retry-schedule .* takes 'standard'/],
    [{ logLevel: 'loud' }, /--log-level/],
    [{ baseUrl: 'example.org' }, /--base-url .* absolute http or https URL/],
    [{ allowPorts: '443,https' }, /--allow-ports .* takes port numbers/],
    [{ allowPorts: '0' }, /--allow-ports/],
    [{ trustedProxies: '10.0.0.0/33' }, /--trusted-proxies .* takes addresses and networks/],
    [{ trustedProxies: 'proxy.example' }, /--trusted-proxies/],
    [{ trustedProxies: '::1/64/2' }, /--trusted-proxies/],
    [{ switchOffAfter: '5' }, /--switch-off-after .* takes a time such as/],
    [{ switchOffAfter: '1s' }, /--switch-off-after .* from 60000 to/],
    [{ switchOffFailures: '0' }, /--switch-off-failures/],
    [{ showSecrets: 'maybe' }, /--show-secrets .* takes true or false/],
  ];
  for (const [flags, message] of refused) {
    assert.throws(
      () => readConfig(flags, {}),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  }
});

test('a refused secret is not repeated in the message', () => {
  assert.throws(
    () => readConfig({ adminKey: 'too short a key' }, {}),
    (error) => error instanceof ConfigError && !error.message.includes('too short'),
  );
});

test('durations are a number and a unit', () => {
  assert.equal(parseDuration('500ms'), 500);
  assert.equal(parseDuration('2h'), 7_200_000);
  assert.equal(parseDuration('30d'), 2_592_000_000);
  for (const text of ['', '5', 's', '-5s', '5 s', '1.5s', '5w'])
    assert.equal(parseDuration(text), undefined);
});

test('the configuration page in docs is the one the options give', () => {
  const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');
  assert.equal(page, configurationPage());
});
