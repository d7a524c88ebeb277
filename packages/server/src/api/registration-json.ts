import { isPrivateFilter, type Registration } from '../core/registration.ts';
import { maskSecret } from '../service/registration-rules.ts';

export type RegistrationView = {
  /** The secret in clear: in the answer to its registration, or where the operator chose so. */
  readonly showSecret: boolean;
  /** A lower-case `id` beside `Id`, for tools that look for it. */
  readonly withLowerId?: boolean;
};

/** A registration in Microsoft's member order, compact, with its Properties as they were written. */
export function registrationJson(registration: Registration, view: RegistrationView): string {
  const {
    id,
    webHookUri,
    secret,
    description,
    isPaused,
    filters,
    headers,
    properties,
    switchedOff,
  } = registration;
  const members = [
    `"Id":${JSON.stringify(id)}`,
    `"WebHookUri":${JSON.stringify(webHookUri)}`,
    `"Secret":${JSON.stringify(view.showSecret ? secret : maskSecret(secret))}`,
    `"Description":${JSON.stringify(description)}`,
    `"IsPaused":${isPaused}`,
    `"Filters":${JSON.stringify(filters.filter((name) => !isPrivateFilter(name)))}`,
    `"Headers":${headersJson(headers)}`,
    `"Properties":${properties}`,
  ];
  if (switchedOff !== null) {
    const since = new Date(switchedOff.at).toISOString();
    members.push(`"SwitchedOff":${JSON.stringify({ At: since, Reason: switchedOff.reason })}`);
  }
  if (view.withLowerId === true) members.push(`"id":${JSON.stringify(id)}`);
  return `{${members.join(',')}}`;
}

function headersJson(headers: Registration['headers']): string {
  const members = headers.map(
    ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  return `{${members.join(',')}}`;
}
