import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { ownIdempotencyKey } from '../core/publication.ts';
import { type Warning, notificationText } from '../core/warning.ts';
import type { Mailer } from '../egress/mail.ts';
import type { AcceptAnswer, AcceptRequest } from '../engine/acceptor.ts';

export type WarningsDeps = {
  readonly accept: (request: AcceptRequest) => Promise<AcceptAnswer>;
  /** Has what was accepted noted in the index. */
  readonly poke: () => void;
  readonly clock: Clock;
  /** The tenant whose registrations get the warnings of all tenants; null for none. */
  readonly operatorTenant: string | null;
  /** Null where no mail server is named. */
  readonly mailer: Pick<Mailer, 'send'> | null;
  /** Resolves after so long; rejects when it is aborted. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
};

/** Nothing is told of when `warn` is called: it never rejects. */
export type Warnings = {
  /** Publishes the warning as an event of its tenant and tells it by e-mail, once a day for each matter. */
  readonly warn: (warning: Warning) => void;
  /**
   * Mails that failed are tried no more. Resolves when all that was warned of is published and was
   * mailed once, or has failed.
   */
  readonly stop: () => Promise<void>;
};

const DAY_MS = 86_400_000;
/** Matters remembered in memory; what is forgotten is found by its idempotency key. */
const KNOWN_MATTERS = 10_000;
/** Before a mail that failed is tried again, and again: a mail server that is down is up in an hour. */
const MAIL_PAUSES_MS = [10_000, 60_000, 300_000, 1_200_000, 3_600_000];
/** Mails that may wait so: others are not tried again. */
const MAX_WAITING_MAILS = 100;

export function createWarnings(deps: WarningsDeps): Warnings {
  const told = new Map<string, number>();
  const running = new Set<Promise<void>>();
  const mail = patientMailer(deps);

  /** True for the first of the day in this process. */
  function isNews(matter: string, day: number): boolean {
    if (told.get(matter) === day) return false;
    if (told.size >= KNOWN_MATTERS) told.clear();
    told.set(matter, day);
    return true;
  }

  return {
    warn: (warning) => {
      const now = deps.clock.now();
      const day = Math.floor(now / DAY_MS);
      const matter = `${warning.name} ${warning.tenant} ${warning.about}`;
      if (!isNews(matter, day)) return;
      const telling = tell(deps, mail.send, warning, {
        key: ownIdempotencyKey(`${matter} ${day}`),
        now,
      })
        .catch((error: unknown) => {
          told.delete(matter);
          deps.onError(error);
        })
        .finally(() => running.delete(telling));
      running.add(telling);
    },
    stop: async () => {
      mail.stop();
      await Promise.all(running);
    },
  };
}

/** Tries a mail that failed a few times more, for as long as this process runs. */
function patientMailer({ mailer, onError, wait = pause }: WarningsDeps) {
  const abort = new AbortController();
  const { signal } = abort;
  let waiting = 0;

  async function sendAgain(send: () => Promise<void>): Promise<void> {
    if (waiting >= MAX_WAITING_MAILS) return;
    waiting += 1;
    try {
      for (const ms of MAIL_PAUSES_MS) {
        await wait(ms, signal);
        if (await isSent(send)) return;
      }
    } catch {
      // It was aborted.
    } finally {
      waiting -= 1;
    }
  }

  async function isSent(send: () => Promise<void>): Promise<boolean> {
    try {
      await send();
      return true;
    } catch (error) {
      onError(error);
      return false;
    }
  }

  return {
    /** Resolves when it was tried once. Never rejects. */
    send: async (warning: Warning): Promise<void> => {
      if (mailer === null) return;
      const send = (): Promise<void> => mailer.send(mailOf(warning));
      if (!(await isSent(send))) void sendAgain(send);
    },
    stop: () => abort.abort(),
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal, ref: false });
}

async function tell(
  deps: WarningsDeps,
  send: (warning: Warning) => Promise<void>,
  warning: Warning,
  { key, now }: { readonly key: string; readonly now: number },
): Promise<void> {
  const { accept, poke, operatorTenant } = deps;
  const { tenant, name, registration } = warning;
  const tenants = operatorTenant === null ? [tenant] : [...new Set([tenant, operatorTenant])];
  const notifications = [{ text: notificationText(warning, now), action: name }];
  const except = registration === null ? {} : { except: registration };
  // Another node may have noticed the same: the key makes it one event.
  const answer = await accept({
    events: [{ tenants, notifications, occurredAt: now, isExempt: true, ...except }],
    idempotency: { tenant, key, hash: key },
  });
  if (answer.kind !== 'accepted' || answer.isRepeated) return;
  poke();
  await send(warning);
}

function mailOf({ name, tenant, message, facts }: Warning): { subject: string; text: string } {
  const lines = Object.entries(facts).map(([member, value]) => `${member}: ${asText(value)}`);
  return {
    subject: `${name.replace('.', ': ')} (${tenant})`,
    text: [message, '', `Tenant: ${tenant}`, ...lines, ''].join('\n'),
  };
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
