import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { makeCertificates } from '../../packages/server/src/egress/testing/certificates.ts';
import { caller, type Json, TestReceiver, TestServer, until } from './harness.ts';

/** A receiver with a certificate, which remembers whose completions came. */
class RecordsOffice {
  readonly learners: string[] = [];
  readonly #server: Server;

  constructor(certificate: { readonly key: string; readonly cert: string }) {
    this.#server = createServer(certificate, (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      request.on('end', () => {
        for (const { Users } of JSON.parse(body).Notifications) this.learners.push(Users[0].Id);
        response.writeHead(200).end();
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/completions?noecho`;
  }

  /** What clients see from now on. */
  use(certificate: { readonly key: string; readonly cert: string }): void {
    this.#server.setSecureContext(certificate);
    this.#server.closeAllConnections();
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

const certificates = makeCertificates();
const office = new RecordsOffice(certificates.good);
const staff = new TestReceiver();
const server = new TestServer({
  schedule: parseSchedule(`0ms,${'150ms,'.repeat(20)}1h`),
  switchOffAfterMs: 1200,
  switchOffFailures: 4,
});
const call = caller(server, () => server.running.adminKey);

before(async () => {
  const caFile = join(server.folder, 'authority.pem');
  writeFileSync(caFile, certificates.authority);
  await server.start({ caFile });
});
after(() => Promise.all([server.end(), office.close(), staff.close()]));

const completion = (id: string, name: string) => ({
  Action: 'CourseCompleted',
  Course: { Id: '17', Title: 'First Aid at School' },
  Users: [{ Id: id, Title: name, Email: `${id}@northfield.example` }],
});

async function told(action: string): Promise<Json> {
  const find = () =>
    staff.received
      .flatMap(({ body }) => JSON.parse(body).Notifications)
      .find(({ Action }) => Action === action);
  return until(
    () => Promise.resolve(find()),
    (found) => found !== undefined,
  );
}

test('the story of one bad day: a certificate expires, people are warned, the endpoint is switched off, mended and resumed, and every completion arrives', async () => {
  const registered = await call('POST', '/webhooks/registrations', {
    WebHookUri: await office.listen(),
    Description: 'Student records',
    Filters: ['CourseCompleted'],
  });
  assert.equal(registered.status, 201, registered.text);
  const { Id } = registered.json;
  await call('POST', '/webhooks/registrations', {
    WebHookUri: `${await staff.listen()}/staff`,
    Filters: [
      'Schoolbell.RegistrationFailing',
      'Schoolbell.RegistrationSwitchedOff',
      'Schoolbell.RegistrationRecovered',
    ],
  });

  // Morning: all is well.
  assert.equal((await call('POST', '/webhooks/events', completion('4820', 'Bo'))).status, 202);
  await until(
    () => Promise.resolve(office.learners),
    (learners) => learners.length === 1,
  );

  // The certificate of the records office expires, and Ana completes her course.
  office.use(certificates.expired);
  assert.equal((await call('POST', '/webhooks/events', completion('4821', 'Ana'))).status, 202);

  const failing = await told('Schoolbell.RegistrationFailing');
  assert.equal(failing.Registration.Description, 'Student records');
  const off = await told('Schoolbell.RegistrationSwitchedOff');
  assert.match(off.Message, /'Student records' .* was switched off/);

  // What comes after that waits.
  assert.equal((await call('POST', '/webhooks/events', completion('4822', 'Chi'))).status, 202);

  // A teacher asks where Ana's completion is: one search.
  const search = await until(
    () =>
      call('GET', '/webhooks/deliveries?subject=4821@northfield.example&action=CourseCompleted'),
    ({ json }) => json.Items[0]?.State === 'held',
  );
  assert.equal(search.json.Items.length, 1);
  const [ana] = search.json.Items;
  assert.match(ana.Reason, /^endpoint failed \d+ times in a row/);
  const story = await call('GET', `/webhooks/deliveries/${ana.Id}`);
  const last = story.json.History.at(-1);
  assert.match(last.Sentence, /certificate.* expired/);
  const shown = await call('GET', `/webhooks/registrations/${Id}`);
  assert.match(shown.json.SwitchedOff.Reason, /^endpoint failed/);

  // The office renews its certificate, and the administrator switches the registration on again.
  office.use(certificates.good);
  const { SwitchedOff: _, ...registration } = shown.json;
  assert.equal((await call('PUT', `/webhooks/registrations/${Id}`, registration)).status, 200);

  await until(
    () => Promise.resolve(office.learners),
    (learners) => learners.length >= 3,
  );
  assert.deepEqual(new Set(office.learners), new Set(['4820', '4821', '4822']));
  assert.equal((await told('Schoolbell.RegistrationRecovered')).WasSwitchedOff, true);
  const ended = await until(
    () => call('GET', `/webhooks/deliveries?registrationId=${Id}`),
    ({ json }) => json.Items.every(({ State }: Json) => State === 'delivered'),
  );
  assert.equal(ended.json.Items.length, 3);
  assert.equal(office.learners.length, 3);
});
