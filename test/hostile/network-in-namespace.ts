/**
 * Run by network.test.ts in a network namespace of its own, in which every address there is leads to
 * this process and the packet filter of deploy/ holds: sends to the corpus by an egress
 * that allows every address, and prints which were reached.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseAllow } from '../../packages/server/src/egress/allow.ts';
import { createEgress } from '../../packages/server/src/egress/client.ts';
import { makeCertificates } from '../../packages/server/src/egress/testing/certificates.ts';
import { post } from '../../packages/server/src/egress/testing/open-egress.ts';
import { namesOf, openCanaries } from './canaries.ts';
import { answersOf, type Entry, readCorpus } from './ssrf-corpus.ts';

const FILTER = fileURLToPath(new URL('../../deploy/egress.nft', import.meta.url));

const AT_ONCE = 16;

const corpus = readCorpus();
const certificates = makeCertificates(namesOf(corpus));
const canaries = await openCanaries(corpus, certificates.good);

async function send(entry: Entry): Promise<void> {
  const { A = [], AAAA = [] } = answersOf(entry).at(-1) ?? {};
  const egress = createEgress({
    allow: parseAllow(['0.0.0.0/0', '::/0'], true),
    requestTimeoutMs: 5000,
    connectTimeoutMs: 2000,
    extraCa: [certificates.authority],
    isOwn: () => false,
    resolve: () => Promise.resolve([...A, ...AAAA]),
  });
  await egress.send(post(entry.url));
  await egress.close();
}

/** Whatever the rules for addresses refuse, but for the names that a URI may not have at all. */
async function reachedWith(isFiltered: boolean): Promise<readonly string[]> {
  if (isFiltered) execFileSync('nft', ['-D', `user=${process.getuid?.() ?? 0}`, '-f', FILTER]);
  canaries.take();
  const left = [...corpus];
  const sendEach = async (): Promise<void> => {
    for (let entry = left.pop(); entry !== undefined; entry = left.pop()) await send(entry);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendEach));
  canaries.dropConnections();
  return [...new Set(canaries.take().map(({ address }) => address))];
}

const without = await reachedWith(false);
const filtered = await reachedWith(true);
canaries.close();
process.stdout.write(JSON.stringify({ without, filtered }));
