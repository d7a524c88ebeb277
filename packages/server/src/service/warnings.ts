import type { Clock } from '../core/clock.ts';
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
  readonly onError: (error: unknown) => void;
};

/** Nothing is told of when `warn` is called: it never rejects. */
export type Warnings = {
  /** Publishes the warning as an event of its tenant and tells it by e-mail, once a day for each matter. */
  readonly warn: (warning: Warning) => void;
  /** Resolves when all that was warned of is published and mailed, or has failed. */
  readonly idle: () => Promise<void>;
};

const DAY_MS = 86_400_000;
/** Matters remembered in memory; what is forgotten is found by its idempotency key. */
const KNOWN_MATTERS = 10_000;

export function createWarnings(deps: WarningsDeps): Warnings {
  const told = new Map<string, number>();
  const running = new Set<Promise<void>>();

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
      const telling = tell(deps, warning, { key: `${matter} ${day}`, now })
        .catch((error: unknown) => {
          told.delete(matter);
          deps.onError(error);
        })
        .finally(() => running.delete(telling));
      running.add(telling);
    },
    idle: async () => {
      await Promise.all(running);
    },
  };
}

async function tell(
  deps: WarningsDeps,
  warning: Warning,
  { key, now }: { readonly key: string; readonly now: number },
): Promise<void> {
  const { accept, poke, operatorTenant, mailer } = deps;
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
  await mailer?.send(mailOf(warning));
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
