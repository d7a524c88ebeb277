import type { Answer } from '../e2e/harness.ts';

/** Who may call a route: what the document and the code must agree with. */
export type Access = 'open' | 'read' | 'write' | 'publish' | 'admin';

/** A call that succeeds for whoever may make it. */
export type GoodCall = {
  readonly query?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: object;
};

/** Makes what a call needs in the tenant under test. */
export type Make = {
  readonly registration: () => Promise<string>;
  readonly pausedRegistration: () => Promise<string>;
  readonly event: () => Promise<string>;
  /** One that is held. */
  readonly delivery: () => Promise<string>;
  /** One that has not ended. */
  readonly replay: () => Promise<string>;
  readonly pausedReplay: () => Promise<string>;
  readonly tenant: () => Promise<string>;
  readonly key: () => Promise<string>;
  readonly filter: () => Promise<string>;
  readonly uri: string;
  readonly ownTenant: string;
};

export type Route = {
  readonly access: Access;
  readonly call: (make: Make) => Promise<GoodCall> | GoodCall;
  /** True when it leaves an entry in the audit log. */
  readonly isAudited?: boolean;
  /** What is sent with the id of another tenant, where it must be read before the id is looked up. */
  readonly bodyForForeign?: object;
  /** True where it takes what people are called by, not ids: nothing is found, whoever has it. */
  readonly isSearch?: boolean;
  /** Members of its answer that are others in each call. */
  readonly varying?: readonly string[];
};

const id = (value: string): GoodCall => ({ params: { id: value } });
const plain = (): GoodCall => ({});

/** Every operation of the OpenAPI document. One that is missing here fails the tests: add how it is called, and who may. */
export const ROUTES: Readonly<Record<string, Route>> = {
  listRegistrations: { access: 'read', call: plain },
  getRegistration: { access: 'read', call: async (make) => id(await make.registration()) },
  register: {
    access: 'write',
    isAudited: true,
    call: ({ uri }) => ({ body: { WebHookUri: uri } }),
  },
  replaceRegistration: {
    access: 'write',
    isAudited: true,
    call: async (make) => {
      const Id = await make.registration();
      return { ...id(Id), body: { Id, WebHookUri: make.uri } };
    },
  },
  deleteRegistration: {
    access: 'write',
    isAudited: true,
    call: async (make) => id(await make.registration()),
  },
  deleteRegistrations: {
    access: 'write',
    isAudited: true,
    call: async (make) => {
      await make.registration();
      return {};
    },
  },
  testRegistration: {
    access: 'write',
    isAudited: true,
    bodyForForeign: {},
    call: async (make) => id(await make.registration()),
  },
  changeSecret: {
    access: 'write',
    isAudited: true,
    bodyForForeign: {},
    call: async (make) => ({ ...id(await make.registration()), body: {} }),
  },
  previewResume: { access: 'read', call: async (make) => id(await make.registration()) },
  resumeRegistration: {
    access: 'write',
    isAudited: true,
    bodyForForeign: {},
    call: async (make) => id(await make.pausedRegistration()),
  },
  feed: { access: 'read', call: async (make) => id(await make.registration()) },
  listFilters: { access: 'read', call: plain },
  getFilter: { access: 'read', call: () => ({ params: { name: 'CourseCompleted' } }) },
  filterSamples: { access: 'read', call: () => ({ params: { name: 'CourseCompleted' } }) },
  matchConditions: {
    access: 'read',
    bodyForForeign: { Conditions: { 'Course.Id': ['1'] } },
    call: () => ({
      params: { name: 'CourseCompleted' },
      body: { Conditions: { 'Course.Id': ['1'] } },
    }),
  },
  subscribe: {
    access: 'write',
    isAudited: true,
    call: ({ uri }) => ({ params: { filter: 'CourseCompleted' }, body: { WebHookUri: uri } }),
  },
  deleteSubscription: {
    access: 'write',
    isAudited: true,
    call: async (make) => ({ params: { filter: await make.registration() } }),
  },
  unsubscribe: {
    access: 'write',
    isAudited: true,
    call: async (make) => {
      await make.registration();
      return { body: { WebHookUri: make.uri } };
    },
  },
  publish: { access: 'publish', call: () => ({ body: { Action: 'A' } }) },
  listEvents: { access: 'read', call: plain },
  getEvent: { access: 'read', call: async (make) => id(await make.event()) },
  listDeliveries: { access: 'read', call: plain },
  getDelivery: { access: 'read', call: async (make) => id(await make.delivery()) },
  retryDelivery: {
    access: 'write',
    isAudited: true,
    call: async (make) => id(await make.delivery()),
  },
  cancelDelivery: {
    access: 'write',
    isAudited: true,
    call: async (make) => id(await make.delivery()),
  },
  createReplay: {
    access: 'write',
    isAudited: true,
    bodyForForeign: { From: '2020-01-01' },
    call: async (make) => ({ ...id(await make.registration()), body: { From: '2020-01-01' } }),
  },
  listReplays: { access: 'read', call: plain },
  getReplay: { access: 'read', call: async (make) => id(await make.replay()) },
  pauseReplay: {
    access: 'write',
    isAudited: true,
    call: async (make) => id(await make.replay()),
  },
  resumeReplay: {
    access: 'write',
    isAudited: true,
    call: async (make) => id(await make.pausedReplay()),
  },
  cancelReplay: {
    access: 'write',
    isAudited: true,
    call: async (make) => id(await make.replay()),
  },
  statistics: { access: 'read', call: plain },
  exportSubject: {
    access: 'read',
    isSearch: true,
    varying: ['ExportedAt'],
    isAudited: true,
    call: () => ({ params: { key: 'ana@school.example' } }),
  },
  eraseSubject: {
    access: 'write',
    isSearch: true,
    varying: ['Id', 'Subject', 'ErasedAt'],
    isAudited: true,
    call: () => ({ params: { key: 'ana@school.example' } }),
  },
  listTenants: { access: 'admin', call: plain },
  createTenant: {
    access: 'admin',
    isAudited: true,
    call: () => ({ body: { Id: `t${Date.now()}.${Math.random().toString(36).slice(2)}` } }),
  },
  getTenant: { access: 'admin', call: async (make) => id(await make.tenant()) },
  changeTenant: {
    access: 'admin',
    isAudited: true,
    call: async (make) => ({ ...id(await make.tenant()), body: { Name: 'New' } }),
  },
  deleteTenant: {
    access: 'admin',
    isAudited: true,
    call: async (make) => id(await make.tenant()),
  },
  listKeys: { access: 'admin', call: ({ ownTenant }) => id(ownTenant) },
  createKey: {
    access: 'admin',
    isAudited: true,
    call: ({ ownTenant }) => ({ ...id(ownTenant), body: { Level: 'Publish' } }),
  },
  revokeKey: {
    access: 'admin',
    isAudited: true,
    call: async (make) => ({ params: { id: make.ownTenant, keyId: await make.key() } }),
  },
  adminListFilters: { access: 'admin', call: plain },
  adminGetFilter: { access: 'admin', call: () => ({ params: { name: 'CourseCompleted' } }) },
  putFilter: {
    access: 'admin',
    isAudited: true,
    call: () => ({ params: { name: 'BadgeAwarded' }, body: { Description: 'A badge.' } }),
  },
  deleteFilter: {
    access: 'admin',
    isAudited: true,
    call: async (make) => ({ params: { name: await make.filter() } }),
  },
  listNodes: { access: 'admin', call: plain },
  listAudit: { access: 'read', call: plain },
  adminListAudit: { access: 'admin', call: plain },
  live: { access: 'open', call: plain },
  ready: { access: 'open', call: plain },
  metrics: { access: 'open', call: plain },
};

export type Operation = {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  /** Names of its query parameters. */
  readonly query: readonly string[];
};

type Document = {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            operationId: string;
            parameters?: readonly { readonly in: string; readonly name: string }[];
          }
        >
      >
    >
  >;
};

/** What the document describes. Throws for what is not in the table, and for rows it does not describe. */
export function operationsOf(answer: Answer): Operation[] {
  const { paths } = answer.json as Document;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { operationId, parameters = [] }]) => ({
      operationId,
      method: method.toUpperCase(),
      path,
      query: parameters.filter((each) => each.in === 'query').map(({ name }) => name),
    })),
  );
  const known = new Set(operations.map(({ operationId }) => operationId));
  const missing = [...known].filter((operationId) => ROUTES[operationId] === undefined);
  const stale = Object.keys(ROUTES).filter((operationId) => !known.has(operationId));
  if (missing.length + stale.length > 0) {
    throw new Error(
      `access-calls.ts does not say how these are called and who may: ${missing.join(', ')}; and these are gone: ${stale.join(', ')}`,
    );
  }
  return operations;
}

/** The path of a call, with every parameter filled in. */
export function pathOf({ path }: Operation, { params = {}, query = '' }: GoodCall): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new Error(`${path} needs ${name}`);
    return encodeURIComponent(value);
  });
  return filled + query;
}
