import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../packages/server/src/config/config.ts';
import { OPTIONS, variableOf } from '../../packages/server/src/config/options.ts';
import { type Json, TestServer } from '../e2e/harness.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const server = new TestServer();
before(() => server.start());
after(() => server.end());

function read(file: string): string {
  return readFileSync(join(DEPLOY, file), 'utf8');
}

function documents(file: string): Json[] {
  return parseAllDocuments(read(file), { merge: true }).map((document) => {
    assert.deepEqual(document.errors, [], file);
    return document.toJS();
  });
}

function ofKind(kind: string): Json {
  const found = documents('kubernetes/schoolbell.yaml').filter((each) => each.kind === kind);
  assert.equal(found.length, 1, kind);
  return found[0];
}

test('files to deploy with name no variable that is none of an option', () => {
  const known = Object.values(OPTIONS).map(variableOf);
  const files = readdirSync(DEPLOY, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(yaml|service)$|Containerfile$/.test(name),
  );
  assert.ok(files.length >= 5, String(files));
  const named = files.flatMap((file) =>
    [...read(file).matchAll(/SCHOOLBELL_[A-Z_]+/g)].map(String),
  );
  assert.ok(named.length > 10);
  assert.deepEqual(
    named.filter((name) => !known.includes(name)),
    [],
  );
});

test('containers of the compose file run without rights, on a root that is not written, within limits', () => {
  const [{ services }] = documents('compose.yaml');
  assert.deepEqual(Object.keys(services), ['schoolbell-1', 'schoolbell-2', 'postgres']);
  for (const [name, service] of Object.entries<Json>(services)) {
    assert.match(service.user, /^[1-9]\d*:[1-9]\d*$/, name);
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    assert.ok(service.mem_limit && service.cpus, name);
  }
  assert.ok(services.postgres.healthcheck.test.includes('pg_isready'));
  assert.match(read('Containerfile'), /HEALTHCHECK[^]+\/health\/ready/);
  for (const name of ['schoolbell-1', 'schoolbell-2'])
    assert.deepEqual(services[name].depends_on.postgres, { condition: 'service_healthy' });
});

test('pods are probed where the server answers, and run without rights within limits', async () => {
  const { spec } = ofKind('Deployment').spec.template;
  const [container] = spec.containers;
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    const { path, port } = container[probe].httpGet;
    assert.equal(port, container.ports[0].name);
    assert.equal((await fetch(server.running.url + path)).status, 200, path);
  }
  assert.equal(container.readinessProbe.httpGet.path, '/health/ready');
  assert.equal(container.livenessProbe.httpGet.path, '/health/live');
  assert.equal(container.ports[0].containerPort, Number(OPTIONS.port.default));
  assert.equal(spec.securityContext.runAsNonRoot, true);
  assert.equal(container.securityContext.readOnlyRootFilesystem, true);
  assert.equal(container.securityContext.allowPrivilegeEscalation, false);
  assert.ok(container.resources.limits.memory && container.resources.limits.cpu);
  assert.ok(spec.terminationGracePeriodSeconds > 30 + container.lifecycle.preStop.sleep.seconds);
  const labels = ofKind('Deployment').spec.selector.matchLabels;
  assert.deepEqual(ofKind('Service').spec.selector, labels);
  assert.deepEqual(ofKind('PodDisruptionBudget').spec.selector.matchLabels, labels);
});

test('no server starts with the values of the example secret', () => {
  const [{ stringData }] = documents('kubernetes/secret.example.yaml');
  assert.ok('SCHOOLBELL_DATABASE_URL' in stringData);
  assert.throws(() => readConfig({}, stringData), /SCHOOLBELL_ADMIN_KEY/);
});

test('the dashboard shows every figure of ours, and none that there is not', async () => {
  const response = await fetch(`${server.running.url}/metrics`);
  const told = [...(await response.text()).matchAll(/^# TYPE (\S+) (\S+)/gm)];
  const names = told.flatMap(([, name = '', kind]) =>
    kind === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const { panels } = JSON.parse(read('grafana/schoolbell.json'));
  const asked = panels.flatMap(({ targets }: Json) =>
    targets.flatMap(({ expr }: Json) => expr.match(/\b(schoolbell|process|nodejs)_\w+/g)),
  );
  assert.deepEqual(
    asked.filter((name: string) => !names.includes(name)),
    [],
  );
  const ours = told.map(([, name = '']) => name).filter((name) => name.startsWith('schoolbell_'));
  assert.ok(ours.length > 10);
  assert.deepEqual(
    ours.filter((name) => !asked.some((each: string) => each.startsWith(name))),
    [],
  );
  const ids = panels.map(({ id }: Json) => id);
  assert.equal(new Set(ids).size, ids.length);
});
