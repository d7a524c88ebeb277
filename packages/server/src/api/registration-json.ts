import { isPrivateFilter, type Registration } from '../core/registration.ts';
import type { OldSecret } from '../core/secrets.ts';
import { maskRegistration } from '../service/registration-rules.ts';

export type RegistrationView = {
  /**
   * Secret, header values and the values of the URI's query in clear: in the answer to its
   * registration, or where the operator chose so.
   */
  readonly showSecrets: boolean;
  /** A lower-case `id` beside `Id`, for tools that look for it. */
  readonly withLowerId?: boolean;
};

/** A registration in Microsoft's member order, compact, with its Properties as they were written. */
export function registrationJson(registration: Registration, view: RegistrationView): string {
  const { id, description, isPaused, filters, properties, conditions, switchedOff, ordering } =
    registration;
  const shown = view.showSecrets ? registration : maskRegistration(registration);
  const members = [
    `"Id":${JSON.stringify(id)}`,
    `"WebHookUri":${JSON.stringify(shown.webHookUri)}`,
    `"Secret":${JSON.stringify(shown.secret)}`,
    `"Description":${JSON.stringify(description)}`,
    `"IsPaused":${isPaused}`,
    `"Filters":${JSON.stringify(filters.filter((name) => !isPrivateFilter(name)))}`,
    `"Headers":${headersJson(shown.headers)}`,
    `"Properties":${properties}`,
  ];
  const { secretId, oldSecrets } = registration;
  if (oldSecrets.length > 0) {
    members.push(`"SecretId":${JSON.stringify(secretId)}`);
    members.push(`"OldSecrets":${JSON.stringify(oldSecrets.map(oldSecretJson))}`);
  }
  if (conditions !== null) members.push(`"Conditions":${conditions}`);
  if (ordering !== undefined) members.push(`"Ordering":${JSON.stringify(ordering)}`);
  if (switchedOff !== null) {
    const since = new Date(switchedOff.at).toISOString();
    members.push(`"SwitchedOff":${JSON.stringify({ At: since, Reason: switchedOff.reason })}`);
  }
  if (view.withLowerId === true) members.push(`"id":${JSON.stringify(id)}`);
  return `{${members.join(',')}}`;
}

/** Never with the secret: when it signs nothing any more, and until when `ms-signature`, if at all. */
export function oldSecretJson({ id, until, signsMsUntil }: OldSecret): object {
  const signsMs = signsMsUntil > 0 ? { SignsMsSignatureUntil: isoTime(signsMsUntil) } : {};
  return { Id: id, Until: isoTime(until), ...signsMs };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function headersJson(headers: Registration['headers']): string {
  const members = headers.map(
    ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  return `{${members.join(',')}}`;
}
