/**
 * Run by ssrf.test.ts in a network namespace of its own, in which every address there is leads to
 * this process: sends to each URI of the corpus by the real egress, and prints which addresses were
 * reached.
 */
import { ALLOW_NOTHING } from '../../packages/server/src/egress/allow.ts';
import { createEgress } from '../../packages/server/src/egress/client.ts';
import { makeCertificates } from '../../packages/server/src/egress/testing/certificates.ts';
import { brief, post } from '../../packages/server/src/egress/testing/open-egress.ts';
import { namesOf, openCanaries } from './canaries.ts';
import { type Answer, answersOf, type Entry, readCorpus } from './ssrf-corpus.ts';
import type { NamespaceReport } from './ssrf-report.ts';

const REBINDING_ROUNDS = 1000;

const corpus = readCorpus();
const certificates = makeCertificates(namesOf(corpus));
const canaries = await openCanaries(corpus, certificates.good);
const takeAddresses = (): string[] => canaries.take().map(({ address }) => address);

function addresses(answer: Answer | undefined): Promise<readonly string[]> {
  if (answer?.rcode !== undefined)
    return Promise.reject(Object.assign(new Error(answer.rcode), { code: answer.rcode }));
  return Promise.resolve([...(answer?.A ?? []), ...(answer?.AAAA ?? [])]);
}

/** As many attempts as there are answers, and one more; what came of them and what was reached. */
async function attempt(entry: Entry): Promise<NamespaceReport['entries'][number]> {
  const answers = answersOf(entry);
  let lookups = 0;
  const egress = createEgress({
    allow: ALLOW_NOTHING,
    requestTimeoutMs: 2000,
    connectTimeoutMs: 1000,
    extraCa: [certificates.authority],
    isOwn: () => false,
    resolve: () => addresses(answers[Math.min(lookups++, answers.length - 1)]),
  });
  canaries.take();
  const outcomes: string[] = [];
  for (let count = 0; count <= answers.length; count += 1) {
    outcomes.push(brief(await egress.send(post(entry.url, { pool: `${count}` }))));
  }
  await egress.close();
  canaries.dropConnections();
  return { id: entry.id, outcomes, reached: takeAddresses(), lookups };
}

/** Good and bad answers by turns, a new connection each time. */
async function rebind(): Promise<NamespaceReport['rebinding']> {
  const bad = ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::1', '192.168.1.1'];
  let lookups = 0;
  const egress = createEgress({
    allow: ALLOW_NOTHING,
    requestTimeoutMs: 2000,
    connectTimeoutMs: 1000,
    extraCa: [],
    isOwn: () => false,
    resolve: () => {
      lookups += 1;
      const address = lookups % 2 === 0 ? (bad[lookups % bad.length] ?? '') : '93.184.216.34';
      return Promise.resolve([address]);
    },
  });
  canaries.take();
  const outcomes: Record<string, number> = {};
  for (let round = 0; round < REBINDING_ROUNDS; round += 1) {
    const outcome = brief(await egress.send(post('http://rebind.attacker.example/')));
    egress.forget('a');
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  await egress.close();
  return { rounds: REBINDING_ROUNDS, outcomes, reached: [...new Set(takeAddresses())], lookups };
}

const entries: NamespaceReport['entries'][number][] = [];
for (const entry of corpus) entries.push(await attempt(entry));
const rebinding = await rebind();
canaries.close();
const report: NamespaceReport = { entries, rebinding, ports: canaries.ports };
process.stdout.write(JSON.stringify(report));
