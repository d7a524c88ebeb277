import { NewFilter, NewKey, NewTenant, TenantChange } from '../schemas.ts';
import {
  errorBody,
  id,
  list,
  named,
  notFound,
  object,
  operation,
  page,
  paging,
  period,
  refusals,
} from './parts.ts';

const admin = operation.bind(null, 'Administration');

/** What is said of what operators do. */
export const adminDocs = {
  listTenants: admin('listTenants', 'List tenants', {
    response: { 200: list('By id.'), ...refusals },
  }),
  createTenant: admin('createTenant', 'Create a tenant', {
    body: NewTenant,
    response: {
      201: object('The tenant.'),
      ...refusals,
      409: { description: 'The id is taken.', ...errorBody },
    },
  }),
  getTenant: admin('getTenant', 'Read a tenant', {
    params: id,
    response: { 200: object('The tenant.'), ...refusals, ...notFound },
  }),
  changeTenant: admin('changeTenant', 'Change a tenant', {
    params: id,
    body: TenantChange,
    response: { 200: object('The tenant.'), ...refusals, ...notFound },
  }),
  deleteTenant: admin('deleteTenant', 'Delete a tenant and all that is kept for it', {
    params: id,
    response: { 204: { description: 'Deleted.' }, ...refusals, ...notFound },
  }),
  listKeys: admin('listKeys', 'List keys of a tenant', {
    params: id,
    response: { 200: list('Without the keys themselves.'), ...refusals, ...notFound },
  }),
  createKey: admin('createKey', 'Create a key', {
    params: id,
    body: NewKey,
    response: { 201: object('The only answer that shows the key.'), ...refusals, ...notFound },
  }),
  revokeKey: admin('revokeKey', 'Revoke a key at once', {
    params: {
      type: 'object',
      required: ['id', 'keyId'],
      properties: { id: { type: 'string' }, keyId: { type: 'string' } },
    },
    response: { 204: { description: 'Revoked.' }, ...refusals, ...notFound },
  }),
  adminListFilters: admin('adminListFilters', 'List filters with schema and example', {
    response: { 200: list('Built in and own.'), ...refusals },
  }),
  adminGetFilter: admin('adminGetFilter', 'Read a filter', {
    params: named,
    response: { 200: object('The filter.'), ...refusals, ...notFound },
  }),
  putFilter: admin('putFilter', 'Make or change an own filter', {
    params: named,
    body: NewFilter,
    response: { 200: object('Changed.'), 201: object('Made.'), ...refusals },
  }),
  deleteFilter: admin('deleteFilter', 'Delete an own filter', {
    params: named,
    response: { 204: { description: 'Deleted.' }, ...refusals, ...notFound },
  }),
  listNodes: admin('listNodes', 'The processes that share the work', {
    response: {
      200: list('Name, Version, StartedAt, Shards of 64, and SilentMs since it was heard of.'),
      ...refusals,
    },
  }),
  adminListAudit: admin('adminListAudit', 'Who did what in the installation', {
    querystring: {
      type: 'object',
      properties: {
        tenant: { type: 'string', description: 'Only of this tenant, which may be gone.' },
        from: period.from,
        to: period.to,
        ...paging,
      },
    },
    response: { 200: page('Newest first, of all tenants and the installation.'), ...refusals },
  }),
};
