import type { Attempt } from '../core/attempt.ts';
import { type Facts, type History, historyOf } from '../core/explain-history.ts';
import { judge } from '../core/outcome.ts';
import type { Registration } from '../core/registration.ts';
import type { DeliveryRow, Store } from '../store/port.ts';

type Looked = { readonly row: DeliveryRow; readonly attempts: readonly Attempt[] };

/** Deliveries of the registration that are looked at for what was before an attempt. */
const LOOKED_AT = 10;

/** What was known of the registration around each of these attempts; undefined where all went well. */
export async function historiesOf(
  store: Pick<Store, 'deliveries' | 'delivery'>,
  { row, attempts }: Looked,
  registration: Registration | undefined,
): Promise<readonly (History | undefined)[]> {
  const last = attempts.at(-1);
  if (last === undefined || attempts.every(({ outcome }) => judge(outcome) === 'delivered'))
    return attempts.map(() => undefined);
  const { tenant, registrationId } = row;
  const query = { tenant, registrationId, to: last.startedAt + 1, limit: LOOKED_AT };
  const rows = await store.deliveries(query);
  const found = await Promise.all(
    rows.filter(({ id }) => id !== row.id).map(({ id }) => store.delivery(tenant, id)),
  );
  const others = [...attempts, ...found.flatMap((one) => one?.attempts ?? [])];
  const facts = factsOf(registration, rows.length < LOOKED_AT);
  return attempts.map((attempt) => historyOf(attempt, others, facts));
}

function factsOf(registration: Registration | undefined, isWhole: boolean): Facts {
  if (registration === undefined)
    return { isWhole, secretChangedAt: null, registrationChangedAt: null };
  const { secretChangedAt, createdAt, updatedAt } = registration;
  return {
    isWhole,
    secretChangedAt,
    registrationChangedAt: updatedAt > createdAt ? updatedAt : null,
  };
}
