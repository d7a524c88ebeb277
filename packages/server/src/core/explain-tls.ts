import type { SentenceKey } from './explain-sentences.ts';
import { instant, plain, type Remark, remark } from './explain-text.ts';
import type { Outcome } from './outcome.ts';

type TlsError = Extract<Outcome, { kind: 'tls_error' }>;

const DAY_MS = 86_400_000;

const BY_CODE: readonly (readonly [code: RegExp, key: SentenceKey])[] = [
  [/CERT_HAS_EXPIRED/, 'tls.expired'],
  [/CERT_NOT_YET_VALID/, 'tls.not_yet_valid'],
  [/ALTNAME_INVALID|HOSTNAME_MISMATCH/, 'tls.wrong_name'],
  [/SELF_SIGNED|DEPTH_ZERO/, 'tls.self_signed'],
  [/UNABLE_TO|INVALID_CA|UNTRUSTED/, 'tls.unknown_authority'],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'tls.old_version'],
  [/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/, 'tls.refused'],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH/, 'tls.not_tls'],
];

/** `at`: when the attempt was made, from which on days are counted back. */
export function tlsRemark({ code, certificate }: TlsError, at?: number): Remark {
  const key = BY_CODE.find(([pattern]) => pattern.test(code))?.[1];
  if (key === undefined) return remark('tls.failed', { code: plain(code) });
  if (certificate === undefined || at === undefined) return remark(key);
  const { validFrom, validTo } = certificate;
  if (key === 'tls.expired' && validTo <= at) return expired(validTo, at);
  if (key === 'tls.not_yet_valid' && validFrom > at)
    return remark('tls.not_yet_valid.from', { at: instant(validFrom) });
  return remark(key);
}

function expired(validTo: number, now: number): Remark {
  const days = Math.floor((now - validTo) / DAY_MS);
  const at = instant(validTo);
  if (days === 0) return remark('tls.expired.today', { at });
  return days === 1 ? remark('tls.expired.day', { at }) : remark('tls.expired.days', { at, days });
}
