import { writeFileSync } from 'node:fs';
import { BUILTIN_FILTERS } from '../packages/server/src/catalog/builtin.ts';

/** Where the SDK's types of the built-in events lie. */
export const TARGET = new URL('../packages/sdk/src/types.generated.ts', import.meta.url);

type Schema = {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
};

/** The text of the generated file: one type for each event of the catalogue, by its schema. */
export function generateTypes(): string {
  const members = BUILTIN_FILTERS.map(({ name, description, schema }) => {
    const type = typeOf(schema ?? {}, '  ');
    return `  /** ${description} */\n  readonly ${name}: ${type};`;
  });
  return `// Generated from the catalogue's schemas by tools/generate-types.ts. Do not edit.

/** Notifications of the built-in catalogue by their Action. */
export type NotificationTypes = {
${members.join('\n')}
};
`;
}

function typeOf(schema: Schema, indent: string): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined)
    return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  switch (schema.type ?? 'unknown') {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return `readonly ${wrapped(typeOf(schema.items ?? {}, indent))}[]`;
    case 'object':
      return objectOf(schema, indent);
    default:
      return 'unknown';
  }
}

function wrapped(type: string): string {
  return type.includes(' | ') ? `(${type})` : type;
}

function objectOf(schema: Schema, indent: string): string {
  const inner = `${indent}  `;
  const required = new Set(schema.required);
  const members = Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const comment =
      member.description === undefined ? '' : `${inner}/** ${member.description} */\n`;
    return `${comment}${inner}readonly ${name}${required.has(name) ? '' : '?'}: ${typeOf(member, inner)};`;
  });
  return `{\n${members.join('\n')}\n${indent}}`;
}

if (import.meta.main) writeFileSync(TARGET, generateTypes());
