import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { explain } from '../core/explain.ts';
import { soonEnd } from './certificate.ts';
import { makeCertificates } from './testing/certificates.ts';
import { openEgress, post } from './testing/open-egress.ts';
import { answers, plain, rawServer } from './testing/raw-server.ts';

const DAY_MS = 86_400_000;

test('a certificate ends soon in its last two weeks, or the last fifth of a short life', () => {
  const isSoon = (lifeDays: number, leftDays: number): boolean => {
    const life = { validFromDate: new Date(0), validToDate: new Date(lifeDays * DAY_MS) };
    return soonEnd(life, (lifeDays - leftDays) * DAY_MS) !== undefined;
  };
  assert.deepEqual([isSoon(365, 15), isSoon(365, 13)], [false, true]);
  assert.deepEqual([isSoon(90, 30), isSoon(90, 13)], [false, true]);
  assert.deepEqual([isSoon(6, 3), isSoon(6, 1)], [false, true]);
});

for (const [kind, answer] of [
  ['any other', plain(200)],
  ['one that sends 100 unasked', `HTTP/1.1 100 Continue\r\n\r\n${plain(200)}`],
] as const) {
  test(`an attempt at a receiver (${kind}) tells that its certificate ends soon, and only then`, async (t) => {
    const { authority, good } = makeCertificates();
    const endsAt = new X509Certificate(good.cert).validToDate.getTime();
    const server = await rawServer(answers(answer), good);
    const egress = openEgress({ extraCa: [authority] });
    const uri = `https://127.0.0.1:${server.port}/`;
    const early = await egress.send(post(uri, { pool: 'early' }));
    t.mock.timers.enable({ apis: ['Date'], now: endsAt - 3_600_000 });
    const late = await egress.send(post(uri, { pool: 'late' }));
    assert.ok(early.kind === 'response' && !('certificateEndsAt' in early));
    assert.ok(late.kind === 'response');
    assert.equal(late.certificateEndsAt, endsAt);
    const day = new Date(endsAt).toISOString().slice(0, 10);
    assert.equal(
      explain(late).sentence,
      `The receiver answered 200: delivered. The certificate of the receiver ends on ${day}: it must be renewed by then.`,
    );
    await Promise.all([egress.close(), server.close()]);
  });
}
