import { readFileSync } from 'node:fs';

/** What a look-up of the entry's host answers. */
export type Answer = {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly rcode?: string;
  readonly CNAME?: string;
};

/** A URI that a sender must not reach, or must. */
export type Entry = {
  readonly id: string;
  readonly url: string;
  readonly expect: 'block' | 'allow';
  readonly why: string;
  /** Where it can be known: from the text, at the connection, or after a redirect. */
  readonly stage: 'register' | 'connect' | 'follow';
  /** One answer, or one after the other. */
  readonly dns?: Answer & { readonly seq?: readonly Answer[] };
  readonly respond?: { readonly status: number; readonly location: string };
};

export function readCorpus(): readonly Entry[] {
  const text = readFileSync(new URL('data/ssrf-corpus.json', import.meta.url), 'utf8');
  return JSON.parse(text) as readonly Entry[];
}

/** The answers that attempts one after the other get; a name without any is said to be public. */
export function answersOf({ dns }: Entry): readonly Answer[] {
  return dns?.seq ?? [dns ?? { A: ['93.184.216.34'] }];
}
