/** The parts of Fastify that are used; nothing of it is imported. */
type FastifyLike = {
  addContentTypeParser: (
    type: string,
    options: { parseAs: 'buffer' },
    parse: (
      request: unknown,
      body: Uint8Array,
      done: (error: null, body: Uint8Array) => void,
    ) => void,
  ) => unknown;
  removeAllContentTypeParsers: () => unknown;
  route: (route: {
    method: string[];
    url: string;
    handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>;
  }) => unknown;
};
type FastifyRequestLike = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
};
type FastifyReplyLike = {
  code: (status: number) => {
    headers: (headers: Record<string, string>) => { send: (body: string) => unknown };
  };
};

/** A Fastify plugin that serves a handler at `path`; in its own scope it reads bodies as bytes. */
export function fastifyWebhook(
  path: string,
  handler: (request: Request) => Promise<Response>,
): (app: FastifyLike, options: unknown, done: () => void) => void {
  return (app, _options, done) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, ready) =>
      ready(null, body),
    );
    app.route({
      method: ['GET', 'POST'],
      url: path,
      handler: async (request, reply) => {
        const answer = await handler(toRequest(request));
        return reply
          .code(answer.status)
          .headers(Object.fromEntries(answer.headers))
          .send(await answer.text());
      },
    });
    done();
  };
}

function toRequest({ method, url, headers, body }: FastifyRequestLike): Request {
  const list = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const each of [value].flat()) if (each !== undefined) list.append(name, each);
  }
  const content =
    method === 'GET' || !(body instanceof Uint8Array) ? {} : { body: new Uint8Array(body) };
  return new Request(`http://receiver${url}`, { method, headers: list, ...content });
}
