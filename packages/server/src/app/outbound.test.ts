import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, readConfig } from '../config/config.ts';
import { makeCertificates } from '../egress/testing/certificates.ts';
import { brief, post } from '../egress/testing/open-egress.ts';
import { answers, plain, rawServer } from '../egress/testing/raw-server.ts';
import { allowOf, openEgress } from './outbound.ts';

const alone = { isOwn: () => false, onBlocked: () => undefined };
const open = (flags: Parameters<typeof readConfig>[0]): ReturnType<typeof openEgress> =>
  openEgress(readConfig({ allowNetworks: '127.0.0.0/8', ...flags }, {}), alone);

test('receivers are trusted by the authorities of --ca-file, besides the well-known ones', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-ca-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { authority, good, selfSigned } = makeCertificates();
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, `Two authorities:\n${selfSigned.cert}\n${authority}`);
  const server = await rawServer(answers(plain(200)), good);
  const uri = `https://127.0.0.1:${server.port}/`;
  const [without, using] = [open({}), open({ caFile })];
  assert.equal(brief(await without.send(post(uri))), 'tls_error');
  assert.equal(brief(await using.send(post(uri))), '200');
  await Promise.all([without.close(), using.close(), server.close()]);
});

test('a --ca-file that cannot be used stops the start with a sentence', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-ca-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const refusal = (text: string | undefined): string => {
    const caFile = join(folder, 'ca.pem');
    if (text === undefined) rmSync(caFile, { force: true });
    else writeFileSync(caFile, text);
    try {
      open({ caFile });
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.message.replace(caFile, '');
    }
    return 'taken';
  };
  const expired = makeCertificates().expired.cert;
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  assert.match(refusal(undefined), /--ca-file \(SCHOOLBELL_CA_FILE\):  cannot be read: ENOENT/);
  assert.match(refusal(''), /holds no certificate in PEM/);
  assert.match(refusal(broken), /cannot be read/);
  assert.match(refusal(expired), /has expired/);
});

test('the place in --base-url is none for registrations, with the port of its scheme', () => {
  const own = (baseUrl: string): string | null => allowOf(readConfig({ baseUrl }, {})).own;
  assert.equal(own('https://Hooks.school.example/bell/'), 'hooks.school.example:443');
  assert.equal(own('http://hooks.school.example'), 'hooks.school.example:80');
  assert.equal(own('http://hooks.school.example:8365'), 'hooks.school.example:8365');
});
