import type { Filter } from '../../core/filter.ts';

export type JsonObject = { [name: string]: JsonValue };
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

type Context = { readonly origin: string; readonly filters: readonly Filter[] };

const METHODS = ['get', 'post', 'put', 'delete'];

/**
 * The API as Swagger 2.0, which Power Platform imports as a custom connector: one trigger for each
 * filter, with the extensions that tell the platform where its callback goes and what comes in.
 */
export function toSwagger2(openapi: JsonObject, { origin, filters }: Context): JsonObject {
  const { protocol, host } = new URL(origin);
  const info = objectOf(openapi['info']);
  const paths: JsonObject = {};
  for (const [path, item] of Object.entries(objectOf(openapi['paths']))) {
    if (path !== '/webhooks/subscribe/{filter}') paths[path] = convertPath(objectOf(item));
  }
  for (const filter of filters.filter((each) => each.schema !== null)) {
    paths[`/webhooks/subscribe/${filter.name}`] = triggerPath(filter);
  }
  paths['/webhooks/subscribe/{id}'] = deleteTriggerPath();
  return {
    swagger: '2.0',
    info: {
      title: info['title'] ?? '',
      version: info['version'] ?? '',
      description: info['description'] ?? '',
    },
    host,
    basePath: '/',
    schemes: [protocol.replace(':', '')],
    consumes: ['application/json'],
    produces: ['application/json'],
    securityDefinitions: { basic_auth: { type: 'basic' } },
    security: [{ basic_auth: [] }],
    paths,
  };
}

function convertPath(item: JsonObject): JsonObject {
  const operations = METHODS.filter((method) => item[method] !== undefined);
  return Object.fromEntries(
    operations.map((method) => [method, convertOperation(objectOf(item[method]))]),
  );
}

function convertOperation(operation: JsonObject): JsonObject {
  const parameters = listOf(operation['parameters']).map((parameter) =>
    convertParameter(objectOf(parameter)),
  );
  const content = objectOf(objectOf(operation['requestBody'])['content']);
  const body = objectOf(content['application/json'])['schema'];
  if (body !== undefined) {
    parameters.push({ name: 'body', in: 'body', required: true, schema: plainSchema(body) });
  }
  return {
    operationId: operation['operationId'] ?? '',
    summary: operation['summary'] ?? '',
    tags: operation['tags'] ?? [],
    parameters,
    responses: convertResponses(objectOf(operation['responses'])),
  };
}

/** Swagger 2.0 has the type beside the name. */
function convertParameter(parameter: JsonObject): JsonObject {
  const { schema, ...rest } = parameter;
  const { type = 'string', ...constraints } = objectOf(plainSchema(schema ?? {}));
  return { ...rest, type, ...constraints };
}

function convertResponses(responses: JsonObject): JsonObject {
  const converted = Object.entries(responses).map(([status, response]) => {
    const { description = '', content } = objectOf(response);
    const schema = objectOf(objectOf(content)['application/json'])['schema'];
    return [
      status,
      schema === undefined ? { description } : { description, schema: plainSchema(schema) },
    ];
  });
  return Object.fromEntries(converted) as JsonObject;
}

/** Words of JSON Schema that Swagger 2.0 does not know are left out or said in its own way. */
function plainSchema(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map(plainSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const plain: JsonObject = {};
  for (const [name, value] of Object.entries(schema)) {
    if (['$schema', 'examples', 'anyOf', 'nullable'].includes(name)) continue;
    if (name === 'const') plain['enum'] = [value];
    else plain[name] = plainSchema(value);
  }
  const isChoice =
    schema['anyOf'] !== undefined || (plain['enum'] !== undefined && plain['type'] === undefined);
  if (isChoice && plain['type'] === undefined) plain['type'] = 'string';
  return plain;
}

function triggerPath(filter: Filter): JsonObject {
  const notification = plainSchema(JSON.parse(JSON.stringify(filter.schema)) as JsonObject);
  return {
    'x-ms-notification-content': {
      description: filter.description,
      schema: {
        type: 'object',
        properties: {
          Id: { type: 'string', description: 'Id of the delivery.' },
          Attempt: { type: 'integer', format: 'int32' },
          Properties: { type: 'object' },
          Notifications: { type: 'array', items: notification },
        },
      },
    },
    post: {
      operationId: `When${filter.name}`,
      summary: `When ${wordsOf(filter.name)}`,
      description: filter.description,
      'x-ms-trigger': 'single',
      parameters: [
        {
          name: 'body',
          in: 'body',
          required: true,
          schema: {
            type: 'object',
            required: ['WebHookUri'],
            properties: {
              WebHookUri: {
                type: 'string',
                'x-ms-notification-url': true,
                'x-ms-visibility': 'internal',
              },
            },
          },
        },
      ],
      responses: {
        201: {
          description: 'Subscribed.',
          headers: {
            Location: { type: 'string', description: 'What DELETE is called on to unsubscribe.' },
          },
        },
      },
    },
  };
}

function deleteTriggerPath(): JsonObject {
  return {
    delete: {
      operationId: 'DeleteSubscription',
      summary: 'Unsubscribe',
      'x-ms-visibility': 'internal',
      parameters: [{ name: 'id', in: 'path', required: true, type: 'string' }],
      responses: { 200: { description: 'Unsubscribed, now or before.' } },
    },
  };
}

/** `CourseEnrollment` as `course enrollment`. */
function wordsOf(name: string): string {
  return name.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function listOf(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}
