import type { Id } from './id.ts';
import { MANIFEST, type Manifest } from './manifest.ts';
import type { Registration } from './registration.ts';

/** What Schoolbell itself has to tell a tenant: an event under a name of its own. */
export type Warning = {
  readonly name: WarningName;
  readonly tenant: string;
  /** What it is about within the tenant; together with the name the matter it is told of once a day. */
  readonly about: string;
  /** For people: what happened, and what to do. */
  readonly message: string;
  /** Further members of the notification. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** The registration that it is about does not get it: it may be the very one that is in trouble. */
  readonly registration: Id | null;
};

export type WarningName =
  | 'Schoolbell.RegistrationFailing'
  | 'Schoolbell.RegistrationSwitchedOff'
  | 'Schoolbell.RegistrationGone'
  | 'Schoolbell.RegistrationRecovered'
  | 'Schoolbell.DeliveryExhausted'
  | 'Schoolbell.BacklogGrowing'
  | 'Schoolbell.CertificateEnding'
  | 'Schoolbell.KeyExpiring'
  | typeof MANIFEST;

const OWN_PREFIX = 'schoolbell.';

/** True for what only Schoolbell itself publishes, and only registrations that name it get. */
export function isOwnAction(action: string): boolean {
  return action.slice(0, OWN_PREFIX.length).toLowerCase() === OWN_PREFIX;
}

type Ref = Pick<Registration, 'id' | 'tenant' | 'description' | 'webHookUri'>;

export function failing(
  registration: Ref,
  streak: { readonly percent: number; readonly failures: number; readonly since: number },
): Warning {
  const { percent, failures, since } = streak;
  const facts = { Percent: percent, Failures: failures, Since: iso(since) };
  return ofRegistration('Schoolbell.RegistrationFailing', registration, {
    about: `${registration.id} ${percent}`,
    message: `The ${nameOf(registration)} has taken nothing since ${iso(since)} (${failures} attempts failed). That is ${percent} % of the way to being switched off: see its newest attempts for the reason.`,
    facts,
  });
}

export function switchedOff(registration: Ref, reason: string): Warning {
  return ofRegistration('Schoolbell.RegistrationSwitchedOff', registration, {
    message: `The ${nameOf(registration)} was switched off: ${reason}. Its deliveries are held until it is saved again or resumed.`,
    facts: { Reason: reason },
  });
}

export function gone(registration: Ref): Warning {
  return ofRegistration('Schoolbell.RegistrationGone', registration, {
    message: `The ${nameOf(registration)} answered 410 Gone and was switched off. Its deliveries are held: delete it, or point it at a receiver that is there.`,
    facts: {},
  });
}

export function recovered(registration: Ref, wasOff: boolean): Warning {
  return ofRegistration('Schoolbell.RegistrationRecovered', registration, {
    message: `The ${nameOf(registration)} takes deliveries again. What waited for it is on its way.`,
    facts: { WasSwitchedOff: wasOff },
  });
}

export function exhausted(
  registration: Ref,
  delivery: { readonly id: Id; readonly eventId: Id },
  sentence: string,
): Warning {
  return ofRegistration('Schoolbell.DeliveryExhausted', registration, {
    message: `A delivery to the ${nameOf(registration)} used up its retries: ${sentence} Mend the receiver, then retry it or replay what failed.`,
    facts: { DeliveryId: delivery.id, EventId: delivery.eventId },
  });
}

export function certificateEnding(registration: Ref, endsAt: number): Warning {
  return ofRegistration('Schoolbell.CertificateEnding', registration, {
    about: `${registration.id} ${endsAt}`,
    message: `The certificate of the receiver of the ${nameOf(registration)} ends at ${iso(endsAt)}. After that nothing can be delivered: renew it.`,
    facts: { EndsAt: iso(endsAt) },
  });
}

export function backlogGrowing(tenant: string, waiting: number, before: number): Warning {
  return {
    name: 'Schoolbell.BacklogGrowing',
    tenant,
    about: '',
    message: `${waiting} deliveries wait, ${before} did an hour ago: receivers take less than is published. See which registrations they wait for.`,
    facts: { Waiting: waiting, WaitingAnHourAgo: before },
    registration: null,
  };
}

export function keyExpiring(key: {
  readonly tenant: string;
  readonly id: Id;
  readonly name: string;
  readonly expiresAt: number;
}): Warning {
  return {
    name: 'Schoolbell.KeyExpiring',
    tenant: key.tenant,
    about: key.id,
    message: `The key '${key.name}' expires at ${iso(key.expiresAt)}. Make another one and put it where this one is used.`,
    facts: { Key: { Id: key.id, Name: key.name }, ExpiresAt: iso(key.expiresAt) },
    registration: null,
  };
}

/** No warning, but told in the same way: what the registration was sent on a day, for itself alone. */
export function manifestOf(registration: Ref, manifest: Manifest): Warning {
  const { day, count, first, last, digest } = manifest;
  const were = count === 1 ? '1 delivery' : `${count} deliveries`;
  return ofRegistration(MANIFEST, registration, {
    message: `${were} of the ${nameOf(registration)} on ${day}: the numbers ${first} to ${last}.`,
    facts: { Day: day, Count: count, First: first, Last: last, Digest: digest },
  });
}

function ofRegistration(
  name: WarningName,
  registration: Ref,
  told: Pick<Warning, 'message' | 'facts'> & { readonly about?: string },
): Warning {
  const { id, tenant, description } = registration;
  const facts = { Registration: { Id: id, Description: description }, ...told.facts };
  return { name, tenant, about: id, registration: id, ...told, facts };
}

const SHOWN_LENGTH = 100;

/** Never its URI: that may hold credentials. Its description is a stranger's text, kept to one line. */
function nameOf({ id, description }: Ref): string {
  const shown = (description ?? '').replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  if (shown === '') return `registration ${id}`;
  return `registration '${shown.slice(0, SHOWN_LENGTH).toWellFormed()}' (${id})`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

/** The text of its notification. */
export function notificationText(warning: Warning, at: number): string {
  const { name, tenant, message, facts } = warning;
  return JSON.stringify({
    Action: name,
    TimeStamp: iso(at),
    Tenant: tenant,
    Message: message,
    ...facts,
  });
}
