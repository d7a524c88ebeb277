import type { NotificationTypes } from './types.generated.ts';

export type { NotificationTypes };

/** The notification of one action. */
export type NotificationOf<A extends keyof NotificationTypes> = NotificationTypes[A];

/** One of the events of the built-in catalogue, told apart by its Action. */
export type KnownNotification = NotificationTypes[keyof NotificationTypes];

/** Any notification: an operator may have filters of its own. */
export type AnyNotification = { readonly Action: string; readonly [member: string]: unknown };
