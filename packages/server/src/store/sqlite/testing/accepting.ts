import { newId } from '../../../core/id.ts';
import { openSqliteStore } from '../store.ts';

/** Accepts events until it is killed, and tells each id once it is durable. */
const store = await openSqliteStore({ path: process.argv[2] ?? '' });

async function acceptForEver(): Promise<void> {
  for (;;) {
    const now = Date.now();
    const id = newId(now);
    const delivery = {
      id: newId(now),
      registrationId: 'r',
      state: 'pending',
      leased: true,
      picks: null,
      orderKeys: null,
    } as const;
    const event = {
      id,
      tenant: 't',
      acceptedAt: now,
      occurredAt: null,
      payload: '{}',
      actions: ['A'],
      deliveries: [delivery],
    };
    await store.accept([{ events: [event], idempotency: null }]);
    process.send?.(id);
  }
}

await Promise.all(Array.from({ length: 8 }, acceptForEver));
