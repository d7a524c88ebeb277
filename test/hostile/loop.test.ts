import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { caller, TestReceiver, TestServer, until } from '../e2e/harness.ts';

const QUOTA = 60;
/** Deliveries of one event, and events that a receiver publishes for each delivery: four for one. */
const RECEIVERS = 2;
const COPIES = 2;
/** The loop has shown what it does when so many calls were refused; it never makes more than so many. */
const ENOUGH_REFUSALS = 100;
const MAX_CALLS = 5000;

const server = new TestServer();
const receivers = Array.from({ length: RECEIVERS }, () => new TestReceiver());
const calm = new TestReceiver();
before(() => server.start());
after(() => Promise.all([server.end(), calm.close(), ...receivers.map((each) => each.close())]));

const EVENT = { Action: 'CourseCompleted', Course: { Id: '17' } };

async function tenantWithKey(Id: string) {
  const admin = caller(server, () => server.running.adminKey);
  const settings = { Id, MaxPending: QUOTA };
  assert.equal((await admin('POST', '/admin/tenants', settings)).status, 201);
  const keyOf = async (Level: string): Promise<string> =>
    (await admin('POST', `/admin/tenants/${Id}/keys`, { Level })).json.Key;
  const [full, publish] = [await keyOf('Full control'), await keyOf('Publish')];
  return { manage: caller(server, () => full), publish: caller(server, () => publish) };
}

/** What republishers did and were told. */
class Loop {
  accepted = 0;
  refused = 0;
  readonly others: number[] = [];
  #calls = 0;
  #isOver = false;
  readonly #publish: () => Promise<{ status: number; headers: Headers }>;
  readonly #under: Promise<void>[] = [];

  constructor(publish: () => Promise<{ status: number; headers: Headers }>) {
    this.#publish = publish;
  }

  get isSpent(): boolean {
    return this.#calls >= MAX_CALLS;
  }

  readonly republish = (): void => {
    for (let copy = 0; copy < COPIES && !this.isSpent && !this.#isOver; copy += 1) {
      this.#calls += 1;
      this.#under.push(this.#one());
    }
  };

  /** Resolves when the last call that is under way was answered. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#under);
  }

  async #one(): Promise<void> {
    const { status, headers } = await this.#publish();
    if (status === 202) this.accepted += 1;
    else if (status === 429 && headers.has('retry-after')) this.refused += 1;
    else this.others.push(status);
  }
}

test('receivers that publish each delivery twice again are held by the quota, and cost nobody else', async () => {
  const [looping, other] = [await tenantWithKey('looping'), await tenantWithKey('calm')];
  const publish = () => looping.publish('POST', '/webhooks/events', EVENT);
  const loop = new Loop(publish);
  for (const receiver of receivers) {
    receiver.answer = (response) => {
      response.writeHead(200).end();
      loop.republish();
    };
    const WebHookUri = await receiver.listen();
    assert.equal(
      (await looping.manage('POST', '/webhooks/registrations', { WebHookUri })).status,
      201,
    );
  }
  const WebHookUri = await calm.listen();
  await other.manage('POST', '/webhooks/registrations', { WebHookUri });
  const waiting = async (): Promise<number> =>
    (await looping.manage('GET', '/webhooks/deliveries?state=pending&count=true&limit=1')).json
      .Count;

  assert.equal((await publish()).status, 202);
  let most = 0;
  await until(
    async () => {
      most = Math.max(most, await waiting());
      return loop.refused >= ENOUGH_REFUSALS || loop.isSpent;
    },
    (isEnough) => isEnough,
  );
  assert.ok(loop.refused >= ENOUGH_REFUSALS, `${loop.refused} calls were refused`);

  for (let n = 1; n <= 10; n += 1) {
    assert.equal((await other.publish('POST', '/webhooks/events', EVENT)).status, 202);
    await calm.expect('/', n);
    most = Math.max(most, await waiting());
  }
  const ready = await fetch(`${server.running.url}/health/ready`);
  assert.equal(ready.status, 200);

  await loop.end();
  assert.deepEqual(loop.others, []);
  assert.ok(most <= QUOTA * 1.5, `${most} waited of ${QUOTA}`);
  await until(waiting, (count) => count === 0);
  const delivered = receivers.reduce((sum, { received }) => sum + received.length, 0);
  assert.equal(delivered, RECEIVERS * (1 + loop.accepted));
  assert.equal((await publish()).status, 202);
});
