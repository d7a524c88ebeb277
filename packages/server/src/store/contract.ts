import { acceptContract } from './testing/accept-contract.ts';
import { auditContract } from './testing/audit-contract.ts';
import { deliveryContract } from './testing/delivery-contract.ts';
import { eraseContract } from './testing/erase-contract.ts';
import { installationContract } from './testing/installation-contract.ts';
import { jobContract } from './testing/job-contract.ts';
import { logContract } from './testing/log-contract.ts';
import { orderContract } from './testing/order-contract.ts';
import { retentionContract } from './testing/retention-contract.ts';
import { searchContract } from './testing/search-contract.ts';
import { sequenceContract } from './testing/sequence-contract.ts';
import { statisticsContract } from './testing/statistics-contract.ts';
import { streaksContract } from './testing/streaks-contract.ts';
import { waitingContract } from './testing/waiting-contract.ts';
import type { OpenStore } from './testing/open-store.ts';

/** Everything a driver must do, as tests; `open` gives an empty store. */
export function storeContract(open: OpenStore): void {
  deliveryContract(open);
  acceptContract(open);
  orderContract(open);
  waitingContract(open);
  streaksContract(open);
  jobContract(open);
  sequenceContract(open);
  logContract(open);
  searchContract(open);
  statisticsContract(open);
  eraseContract(open);
  retentionContract(open);
  installationContract(open);
  auditContract(open);
}
