import { type Origin, SERVICE } from '../core/audit.ts';
import { AppError } from '../core/errors.ts';
import { newId } from '../core/id.ts';
import { type Registration, registrationKey, type RegistrationRef } from '../core/registration.ts';
import { withoutLapsed } from '../core/secrets.ts';
import type { RegistrationChange } from '../engine/options.ts';
import { exampleFor } from './filters.ts';
import type {
  RegisterOptions,
  RegistrationDraft,
  Registrations,
  SecretRequest,
  TestResult,
} from './library.ts';
import { KnownRegistrations } from './known-registrations.ts';
import { noteOf, type RegistrationsDeps } from './registration-changes.ts';
import { judgeRegistration } from './registration-rules.ts';
import { openRegistration, sealRegistration } from './sealing.ts';
import { withNewSecret } from './secret-change.ts';
import { Turns } from './turns.ts';

const TEST_EVERY_MS = 1000;

export type RegistrationsService = Registrations & {
  /** Removes the old secrets that sign nothing any more. */
  readonly forgetOldSecrets: () => Promise<void>;
  /** Switches a registration off, with the reason its holder is shown; its deliveries are held. False when it was off, or is gone. */
  readonly switchOff: (tenant: string, id: string, reason: string) => Promise<boolean>;
  /** Ends its pause, or its being switched off. */
  readonly activate: (tenant: string, id: string, by: Origin) => Promise<void>;
  /** Learns of a change that another node made; undefined where it is gone. What that is to the engine. */
  readonly learn: (
    ref: RegistrationRef,
    sealed: Registration | undefined,
  ) => RegistrationChange | undefined;
};

/** Subscribing, in ASP.NET WebHooks' order of checks and with its texts. Holds all registrations in memory. */
export async function createRegistrations(deps: RegistrationsDeps): Promise<RegistrationsService> {
  const known = new KnownRegistrations();
  for (const sealed of await deps.store.registrations())
    known.set(openRegistration(deps.sealer, sealed));
  const place = { deps, known, turns: new Turns() };
  const tested = new Map<string, number>();
  return {
    list: (tenant) => known.of(tenant),
    get: (tenant, id) => known.get(tenant, id),
    register: (tenant, draft, options) => register(place, tenant, draft, options),
    replace: (tenant, id, draft, options) => replace({ ...place, tenant, id }, draft, options),
    remove: (tenant, id, by = SERVICE) => remove({ ...place, tenant, id }, by),
    removeAll: (tenant, by = SERVICE) => removeEach(place, known.of(tenant), by),
    removeByUri: async (tenant, webHookUri, by = SERVICE) => {
      const same = known
        .of(tenant)
        .filter((registration) => registration.webHookUri === webHookUri);
      await removeEach(place, same, by);
      return same.length;
    },
    test: (tenant, id, filter, by = SERVICE) =>
      sendTest({ ...place, tenant, id }, { filter, by, tested }),
    changeSecret: (tenant, id, request, by = SERVICE) =>
      giveSecret({ ...place, tenant, id }, request, by),
    forgetOldSecrets: () => forgetOldSecrets(place),
    switchOff: (tenant, id, reason) => switchOff({ ...place, tenant, id }, reason),
    activate: (tenant, id, by) => activate({ ...place, tenant, id }, by),
    learn: (ref, sealed) => learn(place, ref, sealed),
  };
}

type Place = {
  readonly deps: RegistrationsDeps;
  readonly known: KnownRegistrations;
  /** What is known, stored and matched changes together, one change of a registration at a time. */
  readonly turns: Turns;
};
type One = Place & RegistrationRef;

function inTurn<T>({ turns, tenant, id }: One, work: () => Promise<T>): Promise<T> {
  return turns.take(registrationKey({ tenant, id: id.toLowerCase() }), work);
}

async function register(
  place: Place,
  tenant: string,
  draft: RegistrationDraft,
  options: RegisterOptions,
): Promise<Registration> {
  const { deps } = place;
  const now = deps.clock.now();
  const judged = await judgeRegistration(
    deps,
    { tenant, id: newId(now), draft, previous: undefined },
    options,
  );
  const id = deps.idValidator(draft.id) ?? judged.id;
  return inTurn({ ...place, tenant, id }, () =>
    insert(place, { ...judged, id, createdAt: now, updatedAt: now }, options.by ?? SERVICE),
  );
}

async function insert(
  { deps, known }: Place,
  added: Registration,
  by: Origin,
): Promise<Registration> {
  const { tenant, id } = added;
  const registration = { ...added, secretId: secretName(deps, added, added.secret) };
  if (known.get(tenant, id) !== undefined)
    throw new AppError('conflict', `There is a registration '${id}' already.`, { emptyBody: true });
  refuseRemovedTenant(deps, tenant);
  const note = noteOf(deps, by, { what: 'registration added', after: registration });
  await deps.store.insertRegistration(sealRegistration(deps.sealer, registration), note);
  // A tenant that was removed meanwhile took the stored row with it.
  refuseRemovedTenant(deps, tenant);
  known.set(registration);
  deps.onChange({ kind: 'added', registration });
  return registration;
}

function refuseRemovedTenant({ hasTenant }: RegistrationsDeps, tenant: string): void {
  if (!hasTenant(tenant)) throw new AppError('not_found', `There is no tenant '${tenant}'.`);
}

async function replace(
  one: One,
  draft: RegistrationDraft,
  options: RegisterOptions,
): Promise<void> {
  const { known, tenant, id } = one;
  if (draft.id?.toLowerCase() !== id.toLowerCase()) {
    throw new AppError('bad_request', 'The Id in the body is not the one in the path.', {
      emptyBody: true,
    });
  }
  const previous = known.get(tenant, id);
  const judged = await judgeRegistration(
    one.deps,
    { tenant, id: previous?.id ?? id, draft, previous },
    options,
  );
  const keepsSecret = judged.secret === previous?.secret;
  await inTurn(one, () =>
    update(one, { what: 'registration replaced', by: options.by ?? SERVICE }, (current) => ({
      ...judged,
      // It may have been changed while the echo was waited for.
      ...(keepsSecret ? secretsOf(current) : {}),
      id: current.id,
      createdAt: current.createdAt,
      updatedAt: one.deps.clock.now(),
    })),
  );
}

function secretsOf({
  secret,
  secretId,
  secretChangedAt,
  oldSecrets,
}: Registration): Partial<Registration> {
  return { secret, secretId, secretChangedAt, oldSecrets };
}

function secretName(
  { sealer }: RegistrationsDeps,
  { tenant, id }: RegistrationRef,
  secret: string,
) {
  return sealer.nameOf(secret, { tenant, owner: id, field: 'Secret' });
}

async function giveSecret(
  one: One,
  request: SecretRequest,
  by: Origin,
): Promise<Registration | undefined> {
  const { deps, known, tenant, id } = one;
  return inTurn(one, async () => {
    if (known.get(tenant, id) === undefined) return undefined;
    return update(one, { what: 'registration secret changed', by }, (current) =>
      withNewSecret(current, request, deps.clock.now()),
    );
  });
}

async function forgetOldSecrets(place: Place): Promise<void> {
  const now = place.deps.clock.now();
  const isLapsed = ({ oldSecrets }: Registration): boolean =>
    withoutLapsed(oldSecrets, now).length < oldSecrets.length;
  for (const { tenant, id } of place.known.all().filter(isLapsed)) {
    const one = { ...place, tenant, id };
    await inTurn(one, async () => {
      if (place.known.get(tenant, id) === undefined) return;
      await update(one, { what: 'old secret forgotten', by: SERVICE }, (current) => ({
        ...current,
        oldSecrets: withoutLapsed(current.oldSecrets, now),
      }));
    });
  }
}

async function switchOff(one: One, reason: string): Promise<boolean> {
  const { deps, known, tenant, id } = one;
  return inTurn(one, async () => {
    if (known.get(tenant, id)?.switchedOff !== null) return false;
    const switchedOff = { at: deps.clock.now(), reason };
    const change = { what: 'registration switched off', by: SERVICE };
    await update(one, change, (current) => ({ ...current, switchedOff }));
    return true;
  });
}

async function activate(one: One, by: Origin): Promise<void> {
  const change = { what: 'registration resumed', by };
  const updatedAt = one.deps.clock.now();
  await inTurn(one, () =>
    update(one, change, (current) => ({
      ...current,
      isPaused: false,
      switchedOff: null,
      updatedAt,
    })),
  );
}

/** Throws `not_found` when there is none to change. */
async function update(
  { deps, known, tenant, id }: One,
  { what, by }: { readonly what: string; readonly by: Origin },
  change: (current: Registration) => Registration,
): Promise<Registration> {
  const current = known.get(tenant, id);
  if (current === undefined) throw notFound();
  const now = deps.clock.now();
  const changed = change(current);
  const registration =
    changed.secret === current.secret
      ? changed
      : {
          ...changed,
          secretId: secretName(deps, current, changed.secret),
          secretChangedAt: now,
        };
  const note = noteOf(deps, by, { what, before: current, after: registration });
  if (!(await deps.store.updateRegistration(sealRegistration(deps.sealer, registration), note)))
    throw notFound();
  known.set(registration);
  deps.onChange({ kind: 'changed', registration });
  return registration;
}

function learn(
  { deps, known }: Place,
  { tenant, id }: RegistrationRef,
  sealed: Registration | undefined,
): RegistrationChange | undefined {
  const before = known.get(tenant, id);
  if (sealed === undefined) {
    known.delete(tenant, id);
    return before === undefined ? undefined : { kind: 'removed', registration: before };
  }
  const registration = openRegistration(deps.sealer, sealed);
  known.set(registration);
  return { kind: before === undefined ? 'added' : 'changed', registration };
}

function remove(one: One, by: Origin): Promise<boolean> {
  const { deps, known, tenant, id } = one;
  return inTurn(one, async () => {
    const registration = known.get(tenant, id);
    if (registration === undefined) return false;
    known.delete(tenant, id);
    deps.onChange({ kind: 'removed', registration });
    try {
      const note = noteOf(deps, by, { what: 'registration deleted', before: registration });
      await deps.store.deleteRegistration(tenant, registration.id, note);
    } catch (error) {
      known.set(registration);
      deps.onChange({ kind: 'added', registration });
      throw error;
    }
    deps.onRemoved(registration);
    return true;
  });
}

async function removeEach(
  place: Place,
  registrations: readonly Registration[],
  by: Origin,
): Promise<void> {
  await Promise.all(registrations.map(({ tenant, id }) => remove({ ...place, tenant, id }, by)));
}

type TestCall = {
  readonly filter: string | null;
  readonly by: Origin;
  /** When each registration was tested last. */
  readonly tested: Map<string, number>;
};

async function sendTest(
  one: One,
  { filter, by, tested }: TestCall,
): Promise<TestResult | undefined> {
  const { deps, known, tenant, id } = one;
  const registration = known.get(tenant, id);
  if (registration === undefined) return undefined;
  const now = deps.clock.now();
  if (now - (tested.get(registrationKey(registration)) ?? 0) < TEST_EVERY_MS) {
    throw new AppError('too_many_requests', 'A registration can be tested once a second.', {
      retryAfterSeconds: 1,
    });
  }
  if (tested.size > 10_000) tested.clear();
  tested.set(registrationKey(registration), now);
  const example = exampleFor(deps.filters, registration, filter);
  await deps.store.note(noteOf(deps, by, { what: 'registration tested', about: registration }));
  return deps.sendTest(registration, JSON.stringify(example));
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such registration.', { emptyBody: true });
}
