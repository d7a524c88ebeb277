import type { Store } from '../store/port.ts';
import type { EngineOptions } from './options.ts';
import type { Settler } from './settler.ts';

type SharedCalls = Pick<Store, 'queuesWrites' | 'accept' | 'earlier' | 'claim' | 'claimArrived'>;

/** The store; where it queues writes, what is handed over in one turn shares its commit with what was settled by then. */
export function sharingCommits(
  store: Store,
  { settler, configuration }: { readonly settler: Settler } & Pick<EngineOptions, 'configuration'>,
): SharedCalls {
  const withSettlements = <T>(written: Promise<T>): Promise<T> => {
    if (store.queuesWrites) settler.flush();
    return written;
  };
  return {
    queuesWrites: store.queuesWrites,
    accept: (batch) => withSettlements(store.accept(batch, configuration.version())),
    earlier: (key) => store.earlier(key),
    claim: (lanes, now) => withSettlements(store.claim(lanes, now)),
    claimArrived: (arrivals) => store.claimArrived(arrivals),
  };
}
