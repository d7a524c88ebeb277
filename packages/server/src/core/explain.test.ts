import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from './explain.ts';
import type { Outcome } from './outcome.ts';

const answer = (status: number): Outcome => ({
  kind: 'response',
  status,
  response: { headers: [], body: '', truncated: false },
});

test('every status that can be answered has a class and a whole sentence', () => {
  for (let status = 100; status <= 999; status += 1) {
    const explained = explain(answer(status));
    assert.match(explained.class, /^(http_([2345]xx|other)|gone)$/, `${status}`);
    assert.match(
      explained.sentence,
      new RegExp(String.raw`^The receiver answered ${status}\b.*\.$`),
    );
  }
});

test('certificates are explained by what is wrong with them', () => {
  const cases: [code: string, sentence: RegExp][] = [
    ['CERT_HAS_EXPIRED', /has expired/],
    ['CERT_NOT_YET_VALID', /not valid yet/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /another name/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /known authority/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /intermediate certificate/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /unknown authority/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', /older than 1\.2/],
    ['ERR_SSL_UNSUPPORTED_PROTOCOL', /older than 1\.2/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /client certificate/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
    ['EPROTO', /failed \(EPROTO\)/],
  ];
  for (const [code, sentence] of cases) {
    assert.match(explain({ kind: 'tls_error', code }).sentence, sentence, code);
  }
});

test('a name that does not exist is told from name servers that do not answer', () => {
  const sentence = (code: string): string =>
    explain({ kind: 'dns_error', host: 'lms.example', code }).sentence;
  assert.match(sentence('ENOTFOUND'), /lms\.example has no address/);
  assert.match(sentence('ETIMEOUT'), /lms\.example could not be looked up \(ETIMEOUT\)/);
});

test('a time-out of unknown length names no length', () => {
  const { sentence } = explain({ kind: 'timeout', phase: 'connect', afterMs: 0 });
  assert.match(sentence, /came about in time\./);
});

test('a refused address is never named', () => {
  const { sentence } = explain({ kind: 'blocked', rule: '10.0.0.0/8' });
  assert.doesNotMatch(sentence, /\d/);
});
