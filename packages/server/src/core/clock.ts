/** Where every rule gets the time from, in milliseconds since 1970, so that tests can set it. */
export type Clock = { readonly now: () => number };

/** The machine's own clock. */
export const systemClock: Clock = { now: () => Date.now() };
