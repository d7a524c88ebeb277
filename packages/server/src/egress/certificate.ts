import type { Socket } from 'node:net';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { Failure } from './failure.ts';

const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;
/** Of its whole life: what renews itself has done so long before, however short-lived it is. */
const LAST_PART = 5;

/** When the certificate of a socket's other end runs out, if that is soon; else undefined. */
export function endsSoonAt(socket: Socket, now: number): number | undefined {
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  return certificate === undefined ? undefined : soonEnd(certificate, now);
}

/** The end of a certificate's life, within its last fifth and the last two weeks. */
export function soonEnd(
  { validFromDate, validToDate }: { readonly validFromDate: Date; readonly validToDate: Date },
  now: number,
): number | undefined {
  const endsAt = validToDate.getTime();
  const lifeMs = endsAt - validFromDate.getTime();
  return endsAt - now < Math.min(SOON_MS, lifeMs / LAST_PART) ? endsAt : undefined;
}

/** Failures that the dates of a certificate explain. */
const DATED = /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/;

/** The failure of a handshake, with the dates of the certificate where these are what is wrong. */
export function withDates(error: unknown, certificate: PeerCertificate | undefined): unknown {
  if (!(error instanceof Failure) || error.outcome.kind !== 'tls_error') return error;
  if (certificate === undefined || !DATED.test(error.outcome.code)) return error;
  const validFrom = Date.parse(certificate.valid_from);
  const validTo = Date.parse(certificate.valid_to);
  if (Number.isNaN(validFrom) || Number.isNaN(validTo)) return error;
  return new Failure({ ...error.outcome, certificate: { validFrom, validTo } });
}
