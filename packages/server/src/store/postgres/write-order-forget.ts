import type { Id } from '../../core/id.ts';
import type { EventDelivery } from '../erasing.ts';
import type { Row } from '../rows.ts';
import type { Query, Statement } from './database.ts';
import { moveUp, storedKey } from './write-order.ts';

const CHANGE_WAITING: Statement = {
  name: 'change order of waiting',
  text: `
update deliveries
   set order_keys = $3::text,
       behind = behind and $3::text is not null
 where tenant = $1
   and id = $2`,
};

const CHANGE_ENDED: Statement = {
  name: 'change order of ended',
  text: 'update ended_deliveries set order_keys = $3::text where tenant = $1 and id = $2',
};

const TAKE: Statement = {
  name: 'take keys of order',
  text: `
delete from order_keys
 where tenant = $1
   and delivery_id = $2
   and key = any($3)`,
};

/** Takes keys from a delivery: what waited for it because of them moves up, and so may itself. The order is locked. */
export async function forgetOrder(
  query: Query,
  tenant: string,
  { id, registrationId, orderKeys }: EventDelivery,
  keys: readonly string[],
): Promise<void> {
  const gone = orderKeys?.filter((key) => keys.includes(key)) ?? [];
  if (orderKeys === null || gone.length === 0) return;
  const left = orderKeys.filter((key) => !keys.includes(key));
  const change: [string, Id, string | null] = [
    tenant,
    id,
    left.length === 0 ? null : JSON.stringify(left),
  ];
  await query(CHANGE_WAITING, change);
  await query(CHANGE_ENDED, change);
  await query(TAKE, [tenant, id, gone.map(storedKey)]);
  const toRow = (key: string): Row => ({
    tenant,
    registration_id: registrationId,
    key: storedKey(key),
  });
  await moveUp(query, orderKeys.map(toRow));
}
