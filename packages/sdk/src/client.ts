import type { Conditions, MatchRequest, MatchResult } from './conditions.ts';
import { SchoolbellError } from './errors.ts';
import type { ErasureReceipt, LearnerExport } from './learners.ts';
import { type FeedItem, type FeedPage, readFeed } from './feed.ts';
import type { Statistics, StatisticsQuery } from './statistics.ts';
import type { AnyNotification, KnownNotification } from './notification.ts';
import type { Replay, ReplayRequest, Resumed, ResumePreview } from './replays.ts';

export type ClientOptions = {
  /** Where the server answers, such as `https://bell.example`. */
  readonly baseUrl: string;
  /** A key of the tenant; or the admin key, with `tenant`. */
  readonly key: string;
  /** For the admin key only. */
  readonly tenant?: string;
  readonly fetch?: typeof fetch;
};

export type RegistrationRequest = {
  readonly WebHookUri: string;
  readonly Secret?: string;
  readonly Description?: string;
  readonly IsPaused?: boolean;
  readonly Filters?: readonly string[];
  readonly Headers?: Readonly<Record<string, string>>;
  readonly Properties?: Readonly<Record<string, unknown>>;
  /** What a notification must hold to be sent; everything that the filters match where absent. */
  readonly Conditions?: Conditions;
  /** Whether deliveries come in the order of their events: of one learner or course, or all in a single file. */
  readonly Ordering?: 'none' | 'subject' | 'strict';
};

export type Registration = Required<
  Omit<RegistrationRequest, 'Description' | 'Conditions' | 'Ordering'>
> & {
  readonly Id: string;
  readonly Description: string | null;
  /** Only where it is set. */
  readonly Conditions?: Conditions;
  /** Only where it is set. */
  readonly Ordering?: 'subject' | 'strict';
};

export type SecretChange = {
  /** One is made where it is left out. */
  readonly Secret?: string;
  /** How long the old secret signs `webhook-signature` beside the new one: 86,400 where left out. */
  readonly OverlapSeconds?: number;
  /** When `ms-signature` goes over to the new secret, ISO 8601; at once where left out. */
  readonly SwitchAt?: string;
};

export type ChangedSecret = {
  readonly Id: string;
  readonly Secret: string;
  /** Names the secret in the log of attempts. */
  readonly SecretId: string;
  readonly OldSecrets: readonly {
    readonly Id: string;
    readonly Until: string;
    readonly SignsMsSignatureUntil?: string;
  }[];
};

export type Receipt = { readonly Id: string; readonly Deliveries: number };

export type Delivery = {
  readonly Id: string;
  readonly EventId: string;
  readonly RegistrationId: string;
  /** Its number in the registration. */
  readonly Sequence: number | null;
  readonly State: 'pending' | 'delivered' | 'exhausted' | 'held' | 'cancelled';
  readonly Actions: readonly string[];
  readonly Attempts: number;
  readonly CreatedAt: string;
  readonly NextAttemptAt: string | null;
  readonly EndedAt: string | null;
  /** The delivery that this one repeats, and the replay that made it. */
  readonly ReplayOf: string | null;
  readonly ReplayId: string | null;
};

export type PublishOptions = {
  /** Repeats of a call with one key are accepted once. Made where absent, so that retries are safe. */
  readonly idempotencyKey?: string;
};

type Notification = KnownNotification | AnyNotification;

const MAX_TRIES = 5;
const LONGEST_WAIT_MS = 30_000;

/** A typed client of the HTTP API. Rejects with SchoolbellError. */
export class SchoolbellClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = { ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') };
  }

  /** Publishes notifications as one event. Resolves once it is durable; waits and repeats on 429 and 503. */
  async publish(
    notifications: Notification | readonly Notification[],
    options: PublishOptions = {},
  ): Promise<Receipt> {
    const body = { Notifications: [notifications].flat() };
    return this.#publish(body, options);
  }

  /** Publishes many events in one call; one receipt each, in order. */
  async publishAll(
    events: readonly Notification[],
    options: PublishOptions = {},
  ): Promise<readonly Receipt[]> {
    return this.#publish(events, options);
  }

  filters(): Promise<readonly { readonly Name: string; readonly Description: string }[]> {
    return this.#call('GET', '/webhooks/filters');
  }

  /** Tries conditions on the example of a filter, on a notification, or on recent ones. */
  match(filter: string, request: MatchRequest): Promise<MatchResult> {
    return this.#call('POST', `/webhooks/filters/${encodeURIComponent(filter)}/match`, request);
  }

  registrations(): Promise<readonly Registration[]> {
    return this.#call('GET', '/webhooks/registrations');
  }

  registration(id: string): Promise<Registration> {
    return this.#call('GET', `/webhooks/registrations/${encodeURIComponent(id)}`);
  }

  /** The answer is the only one that shows the secret. */
  register(registration: RegistrationRequest): Promise<Registration> {
    return this.#call('POST', '/webhooks/registrations', registration);
  }

  replace(id: string, registration: RegistrationRequest): Promise<void> {
    return this.#call('PUT', `/webhooks/registrations/${encodeURIComponent(id)}`, {
      Id: id,
      ...registration,
    });
  }

  remove(id: string): Promise<void> {
    return this.#call('DELETE', `/webhooks/registrations/${encodeURIComponent(id)}`);
  }

  /** Gives the registration another secret. The answer is the only one that shows it. */
  changeSecret(id: string, change: SecretChange = {}): Promise<ChangedSecret> {
    const path = `/webhooks/registrations/${encodeURIComponent(id)}/secret`;
    return this.#call('POST', path, change);
  }

  /** Sends the example of a filter now. */
  test(
    id: string,
    filter?: string,
  ): Promise<{
    readonly Outcome: string;
    readonly Sentence: string;
    /** The same for translators: one for each sentence. */
    readonly Explanation: readonly {
      readonly Key: string;
      readonly Parameters: Readonly<Record<string, string | number>>;
    }[];
  }> {
    return this.#call(
      'POST',
      `/webhooks/registrations/${encodeURIComponent(id)}/test`,
      filter === undefined ? {} : { Filter: filter },
    );
  }

  /** Newest first, page after page. */
  deliveries(query: Readonly<Record<string, string>> = {}): AsyncGenerator<Delivery> {
    return this.#pages('/webhooks/deliveries', query);
  }

  /** What a registration was sent and is to be sent, in order, from the delivery after this number on. */
  feed(registrationId: string, after = 0): AsyncGenerator<FeedItem> {
    const path = `/webhooks/registrations/${encodeURIComponent(registrationId)}/feed`;
    return readFeed((at) => this.#call<FeedPage>('GET', `${path}?after=${at}`), after);
  }

  /** How much, how well and how fast, over time; a day by the hour where nothing is said. */
  statistics(query: StatisticsQuery = {}): Promise<Statistics> {
    const parameters = new URLSearchParams({ ...query });
    return this.#call('GET', `/webhooks/stats?${parameters.toString()}`);
  }

  retry(deliveryId: string): Promise<void> {
    return this.#call('POST', `/webhooks/deliveries/${encodeURIComponent(deliveryId)}/retry`);
  }

  /** All that is kept about one learner, by id, e-mail address or login name. Reading it is on record. */
  exportLearner(learner: string): Promise<LearnerExport> {
    return this.#call('GET', `/webhooks/subjects/${encodeURIComponent(learner)}`);
  }

  /**
   * Erases all that is kept about one learner. What waits to be sent is sent first and erased then,
   * unless it is to be cancelled.
   */
  eraseLearner(learner: string, pending: 'send' | 'cancel' = 'send'): Promise<ErasureReceipt> {
    const path = `/webhooks/subjects/${encodeURIComponent(learner)}?pending=${pending}`;
    return this.#call('DELETE', path);
  }

  previewResume(registrationId: string): Promise<ResumePreview> {
    const path = `/webhooks/registrations/${encodeURIComponent(registrationId)}/resume`;
    return this.#call('GET', path);
  }

  /** Makes a paused registration active: all that is held is sent, of each subject the newest, or none. */
  resume(registrationId: string, held: Resumed['Held'] = 'all'): Promise<Resumed> {
    const path = `/webhooks/registrations/${encodeURIComponent(registrationId)}/resume`;
    return this.#call('POST', path, { Held: held });
  }

  /** Begins to send again what a registration was sent; `replay` tells how far it is. */
  startReplay(registrationId: string, request: ReplayRequest): Promise<Replay> {
    const path = `/webhooks/registrations/${encodeURIComponent(registrationId)}/replay`;
    return this.#call('POST', path, request);
  }

  replay(id: string): Promise<Replay> {
    return this.#call('GET', `/webhooks/replays/${encodeURIComponent(id)}`);
  }

  /** Newest first, page after page. */
  replays(query: Readonly<Record<string, string>> = {}): AsyncGenerator<Replay> {
    return this.#pages('/webhooks/replays', query);
  }

  changeReplay(id: string, change: 'pause' | 'resume' | 'cancel'): Promise<Replay> {
    return this.#call('POST', `/webhooks/replays/${encodeURIComponent(id)}/${change}`);
  }

  async *#pages<Row>(path: string, query: Readonly<Record<string, string>>): AsyncGenerator<Row> {
    let cursor: string | null = null;
    do {
      const parameters = new URLSearchParams(cursor === null ? query : { ...query, cursor });
      const page: { Items: Row[]; Next: string | null } = await this.#call(
        'GET',
        `${path}?${parameters.toString()}`,
      );
      yield* page.Items;
      cursor = page.Next;
    } while (cursor !== null);
  }

  async #publish<T>(
    body: unknown,
    { idempotencyKey = crypto.randomUUID() }: PublishOptions,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.#send('POST', '/webhooks/events', body, {
        'idempotency-key': idempotencyKey,
      });
      const isBusy = response.status === 429 || response.status === 503;
      if (!isBusy || attempt === MAX_TRIES) return read<T>(response);
      await response.body?.cancel();
      const seconds = Number(response.headers.get('retry-after') ?? attempt);
      await new Promise((resolve) =>
        setTimeout(resolve, Math.min(seconds * 1000, LONGEST_WAIT_MS)),
      );
    }
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return read<T>(await this.#send(method, path, body, {}));
  }

  #send(
    method: string,
    path: string,
    body: unknown,
    extra: Record<string, string>,
  ): Promise<Response> {
    const { baseUrl, key, tenant, fetch: send = fetch } = this.#options;
    const headers = new Headers({ authorization: `Bearer ${key}`, ...extra });
    if (tenant !== undefined) headers.set('schoolbell-tenant', tenant);
    if (body === undefined) return send(baseUrl + path, { method, headers });
    headers.set('content-type', 'application/json');
    return send(baseUrl + path, { method, headers, body: JSON.stringify(body) });
  }
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T;
  const refusal = refusalOf(text);
  throw new SchoolbellError(
    response.status,
    refusal.Message ?? `The server answered ${response.status}.`,
    refusal.ModelState,
  );
}

function refusalOf(text: string): { Message?: string; ModelState?: Record<string, string[]> } {
  try {
    return JSON.parse(text) as { Message?: string };
  } catch {
    return {};
  }
}
