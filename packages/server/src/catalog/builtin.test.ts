import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { BUILTIN_FILTERS, WILDCARD_FILTER } from './builtin.ts';
import { WARNING_FILTERS } from './warnings.ts';

const ALL_FILTERS = [...BUILTIN_FILTERS, ...WARNING_FILTERS];
import type { ObjectSchema } from './schemas.ts';
import { subjectKeysIn } from '../core/subjects.ts';

type Schema = Partial<ObjectSchema> & {
  readonly type?: string;
  readonly const?: string;
  readonly format?: string;
  readonly items?: Schema;
  readonly description?: string;
};

const connector = JSON.parse(
  readFileSync(new URL('./testdata/connector-members.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `Users[].Id` to `string` and so on, as the test data has it. */
function membersOf(schema: Schema, path = ''): [string, string][] {
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([name, member]) =>
      membersOf(member, path === '' ? name : `${path}.${name}`),
    );
  if (schema.items !== undefined) return membersOf(schema.items, `${path}[]`);
  const type = schema.const === undefined ? schema.type : typeof schema.const;
  return [[path, schema.format === undefined ? `${type}` : `${type}:${schema.format}`]];
}

function validator(schema: object) {
  const ajv = new Ajv2020({ strict: true, allErrors: true });
  ajv.addFormat('int32', {
    type: 'number',
    validate: (value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31,
  });
  ajv.addFormat('date-time', (value) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(value));
  return ajv.compile(schema);
}

test('the events are those of the connector, in its order', () => {
  assert.deepEqual(
    BUILTIN_FILTERS.map(({ name }) => name),
    Object.keys(connector),
  );
  assert.equal(BUILTIN_FILTERS.length, 11);
});

test('each notification has exactly the members and types that the connector declares', () => {
  for (const { name, schema } of BUILTIN_FILTERS) {
    assert.deepEqual(Object.fromEntries(membersOf(schema ?? {})), connector[name], name);
  }
});

test('every example is valid by its own schema, and by no other', () => {
  for (const other of ALL_FILTERS) {
    const validate = validator(other.schema ?? {});
    for (const filter of ALL_FILTERS) {
      assert.equal(
        validate(filter.example),
        filter === other,
        `${filter.name} by ${other.name}: ${JSON.stringify(validate.errors)}`,
      );
    }
  }
});

test('an example without a required member is refused by its schema', () => {
  for (const { name, schema, example } of BUILTIN_FILTERS) {
    const validate = validator(schema ?? {});
    for (const member of (schema as ObjectSchema).required) {
      const { [member]: _left, ...rest } = example as Record<string, unknown>;
      assert.equal(validate(rest), false, `${name} without ${member}`);
    }
  }
});

test('every example has a subject at each path of its filter', () => {
  for (const { name, example, subjects } of BUILTIN_FILTERS) {
    assert.notEqual(subjects.length, 0, name);
    for (const path of subjects) {
      const [key, ...others] = subjectKeysIn([path], example);
      assert.equal(key?.split(' ')[0], path.kind, `${name}: ${path.path}`);
      assert.deepEqual(others, []);
    }
  }
});

test('examples name only hosts that belong to nobody', () => {
  const text = JSON.stringify(BUILTIN_FILTERS.map(({ example }) => example));
  const hosts = [...text.matchAll(/(?:https:\/\/|@)([a-z0-9.-]+)/g)].map(([, host]) => host);
  assert.notEqual(hosts.length, 0);
  for (const host of hosts) assert.match(host ?? '', /\.example$|(^|\.)example\.(org|com|net)$/);
});

test('the wildcard is described in the words of ASP.NET WebHooks', () => {
  assert.deepEqual(
    [WILDCARD_FILTER.name, WILDCARD_FILTER.description],
    ['*', 'Listen in on all events.'],
  );
});
