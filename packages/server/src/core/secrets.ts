import type { Registration } from './registration.ts';

/** A secret that was changed, and still signs for a while. */
export type OldSecret = {
  readonly id: string;
  readonly secret: string;
  /** Signs the Standard Webhooks header before this time. */
  readonly until: number;
  /** Signs `ms-signature`, in place of the newer ones, before this time; 0 for never. */
  readonly signsMsUntil: number;
};

type Secrets = Pick<Registration, 'secret' | 'secretId' | 'oldSecrets'>;
type Named = { readonly id: string; readonly secret: string };

/** What signs an attempt: one secret for `ms-signature`, each of a list for the Standard Webhooks header. */
export type Signing = { readonly ms: Named; readonly standard: readonly Named[] };

/** Old secrets of one registration that may sign at one time: each is a signature in a header. */
export const MAX_OLD_SECRETS = 4;

/** What signs at a time: the newest secret first. */
export function signingAt({ secret, secretId, oldSecrets }: Secrets, now: number): Signing {
  const newest = { id: secretId, secret };
  if (oldSecrets.length === 0) return { ms: newest, standard: [newest] };
  const ms = oldSecrets.find(({ signsMsUntil }) => signsMsUntil > now) ?? newest;
  return { ms, standard: [newest, ...oldSecrets.filter(({ until }) => until > now)] };
}

export type SecretChange = {
  readonly secret: string;
  readonly now: number;
  /** How long the secrets before it go on signing; 0 for not at all. */
  readonly overlapMs: number;
  /** When `ms-signature`, which has room for one secret, goes over to it; within the overlap. */
  readonly switchAt: number;
};

/**
 * The secrets after a change. What signs `ms-signature` now goes on until `switchAt`; a secret that
 * comes back is old no more.
 */
export function changeSecret(
  current: Secrets,
  change: SecretChange,
): Pick<Secrets, 'secret' | 'oldSecrets'> {
  const { secret, now, overlapMs, switchAt } = change;
  const signing = signingAt(current, now);
  const before = [
    { id: current.secretId, secret: current.secret, until: now + overlapMs },
    ...current.oldSecrets.filter(({ until }) => until > now),
  ];
  const kept = before
    .filter((old) => overlapMs > 0 && old.secret !== secret)
    .map((old): OldSecret => {
      const signsMs = old.secret === signing.ms.secret && switchAt > now;
      const until = signsMs ? Math.max(old.until, switchAt) : old.until;
      return { ...old, until, signsMsUntil: signsMs ? switchAt : 0 };
    });
  return { secret, oldSecrets: kept };
}

/** Without the old secrets that sign nothing any more. */
export function withoutLapsed(oldSecrets: readonly OldSecret[], now: number): readonly OldSecret[] {
  return oldSecrets.filter(({ until }) => until > now);
}
