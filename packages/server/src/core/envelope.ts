/** What one attempt says. */
export type Envelope = {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Compact JSON text of an object. */
  readonly properties: string;
  /** Raw JSON texts, spliced in as they are. */
  readonly notifications: readonly string[];
};

/**
 * The body of a delivery in ASP.NET WebHooks' shape and member order, without indentation. The
 * notifications are the publisher's characters: they are never parsed and written again.
 */
export function buildBody({ id, attempt, properties, notifications }: Envelope): Buffer {
  const list = notifications.length === 1 ? (notifications[0] ?? '') : notifications.join(',');
  return Buffer.from(
    `{"Id":"${id}","Attempt":${attempt},"Properties":${properties},"Notifications":[${list}]}`,
  );
}
