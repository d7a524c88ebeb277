import { randomBytes } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import { randomHex32 } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import { changeSecret, MAX_OLD_SECRETS } from '../core/secrets.ts';
import { STANDARD_SECRET_PREFIX } from '../core/signature.ts';
import type { SecretRequest } from './library.ts';
import { judgeSecret } from './registration-rules.ts';

/** Long enough for people who change a receiver by hand, on a day after a weekend. */
const MAX_OVERLAP_MS = 30 * 86_400_000;

/** The registration with its new secret. Throws `bad_request` and `conflict` with sentences. */
export function withNewSecret(
  current: Registration,
  request: SecretRequest,
  now: number,
): Registration {
  const { overlapMs, switchAt } = request;
  const secret = request.secret ?? newSecretLike(current.secret);
  judgeSecret(secret);
  if (secret === current.secret)
    throw new AppError(
      'bad_request',
      'The secret is the one that there is. Send another, or none.',
    );
  judgeTimes(overlapMs, switchAt, now);
  const change = { secret, now, overlapMs, switchAt: switchAt ?? now };
  const secrets = changeSecret(current, change);
  if (secrets.oldSecrets.length > MAX_OLD_SECRETS) {
    throw new AppError(
      'conflict',
      `${MAX_OLD_SECRETS} old secrets sign besides the newest already. Wait until one lapses, or change it with an overlap of 0, which ends them all.`,
    );
  }
  return { ...current, ...secrets, updatedAt: now };
}

function judgeTimes(overlapMs: number, switchAt: number | null, now: number): void {
  if (overlapMs < 0 || overlapMs > MAX_OVERLAP_MS) {
    throw new AppError(
      'bad_request',
      `OverlapSeconds is a number from 0 to ${MAX_OVERLAP_MS / 1000}, which is 30 days.`,
    );
  }
  if (switchAt !== null && switchAt > now + overlapMs) {
    throw new AppError(
      'bad_request',
      'SwitchAt lies after the overlap, when the old secret signs nothing any more. Send a longer OverlapSeconds.',
    );
  }
}

/** Of the kind that the receiver reads: Standard Webhooks' where it had such a one. */
function newSecretLike(current: string): string {
  if (!current.startsWith(STANDARD_SECRET_PREFIX)) return randomHex32();
  return STANDARD_SECRET_PREFIX + randomBytes(32).toString('base64');
}
