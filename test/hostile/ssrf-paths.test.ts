import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { runInNamespace, skip } from './namespace.ts';
import { answersOf, type Entry, readCorpus } from './ssrf-corpus.ts';
import { type Path, PATHS, type PathsReport } from './ssrf-paths-report.ts';

/** A proxy that the environment names and nobody asked for; a listener waits there. */
const PROXY = 'http://10.0.0.1:8080';
const PROXY_ENV = {
  HTTP_PROXY: PROXY,
  HTTPS_PROXY: PROXY,
  ALL_PROXY: PROXY,
  http_proxy: PROXY,
  https_proxy: PROXY,
  NODE_USE_ENV_PROXY: '1',
  NO_PROXY: '127.0.0.1',
  no_proxy: '127.0.0.1',
};

/** How an entry must end on each path: every end of it matches. */
type Expected = Readonly<Record<Path, RegExp>>;

const REFUSED: Expected = {
  create: /^400$/,
  update: /^400$/,
  echo: /^refused$/,
  test: /^policy_blocked$/,
  delivery: /^policy_blocked$/,
};
const UNKNOWN_NAME: Expected = { ...REFUSED, test: /^dns_error$/, delivery: /^dns_error$/ };
const CHANGING: Expected = {
  ...REFUSED,
  create: /^201$/,
  update: /^200$/,
  delivery: /^(http_2xx|policy_blocked)$/,
};
const REDIRECTED: Expected = { ...REFUSED, test: /^http_3xx$/, delivery: /^http_3xx$/ };
const TAKEN: Expected = {
  create: /^201$/,
  update: /^200$/,
  echo: /^verified$/,
  test: /^http_2xx$/,
  delivery: /^http_2xx$/,
};

function expectedOf({ expect, stage, dns }: Entry): Expected {
  if (expect === 'allow') return TAKEN;
  if (stage === 'follow') return REDIRECTED;
  if (dns?.seq !== undefined) return CHANGING;
  return dns?.rcode === undefined ? REFUSED : UNKNOWN_NAME;
}

describe('the whole server, where every address answers', { skip }, () => {
  const corpus = readCorpus();
  let report: PathsReport;

  before(async () => {
    report = await runInNamespace<PathsReport>('ssrf-paths-in-namespace.ts', PROXY_ENV);
  });

  for (const path of PATHS) {
    test(`${path}: each URI of the corpus ends as it must, and only vetted addresses are reached`, (t) => {
      const differing = corpus.filter((entry) => !endsAsExpected(report, path, entry));
      const count = (expect: string): number =>
        corpus.filter((entry) => entry.expect === expect && !differing.includes(entry)).length;
      const { length: connections } = report.reached[path];
      t.diagnostic(
        `${path}: ${corpus.length} run, ${count('block')} blocked, ${count('allow')} taken, ${differing.length} differing, ${connections} connections, ${strays(path).length} of them astray`,
      );
      assert.deepEqual(
        differing.map(({ id, url }) => [id, url, report[path].find((end) => end.id === id)]),
        [],
      );
      assert.deepEqual(strays(path), []);
      assert.ok(connections >= 40);
    });
  }

  test('the listeners would have seen a connection to any of these addresses', () => {
    assert.deepEqual(report.seen, report.tried);
  });

  test('a name that changes its mind is blocked from then on, also between two tries', () => {
    const changing = corpus.filter(({ dns }) => dns?.seq !== undefined);
    assert.ok(changing.length > 2);
    for (const { id, dns } of changing) {
      const ends = report.delivery.find((end) => end.id === id)?.ends ?? [];
      const good = ends.filter((end) => end === 'http_2xx').length;
      assert.equal(good, (dns?.seq?.length ?? 0) - 1, id);
      assert.ok(
        ends.slice(good).every((end) => end === 'policy_blocked'),
        id,
      );
      assert.ok(ends.length > good, id);
    }
  });

  test('nothing that a tenant is told names an address that a name led to', () => {
    const internal = /\b(10|127|169\.254|168\.63|192\.168|172\.1[6-9])\.\d|::1|fd00|fe80|metadata/;
    const named = corpus.filter(({ expect, stage }) => expect === 'block' && stage === 'connect');
    const telling = named.flatMap(({ id, url }) =>
      PATHS.map((path) => report[path].find((end) => end.id === id)?.told ?? '').filter((told) =>
        internal.test(told.replaceAll(hostOf(url), '')),
      ),
    );
    assert.deepEqual(telling, []);
  });

  /** Connections to an address that no good answer gave for the host that was asked for. */
  function strays(path: Path): unknown[] {
    return report.reached[path].filter(({ address, request }) => {
      const host = hostOf(`http://${request}`);
      const places = corpus.filter(({ url }) => hostOf(url) === host).flatMap(goodPlacesOf);
      return !places.includes(address);
    });
  }
});

function endsAsExpected(report: PathsReport, path: Path, entry: Entry): boolean {
  const ends = report[path].find(({ id }) => id === entry.id)?.ends ?? [];
  return ends.length > 0 && ends.every((end) => expectedOf(entry)[path].test(end));
}

/** Every public address that an entry may lead to. */
function goodPlacesOf(entry: Entry): readonly string[] {
  const { url, expect, dns, stage } = entry;
  if (expect === 'allow') {
    const answers = answersOf(entry);
    return [hostOf(url), ...answers.flatMap(({ A = [], AAAA = [] }) => [...A, ...AAAA])];
  }
  return stage === 'follow' || dns?.seq !== undefined ? ['93.184.216.34'] : [];
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$|\.$/g, '') : '';
}
