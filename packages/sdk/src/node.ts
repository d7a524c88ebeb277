/** The parts of node:http's request and response that are used: Express has them, too. */
export type NodeRequest = AsyncIterable<Uint8Array> & {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly originalUrl?: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly readableEnded?: boolean;
};
export type NodeResponse = {
  writeHead: (status: number, headers: Record<string, string>) => unknown;
  end: (body?: string) => unknown;
};

/**
 * Puts a handler behind node:http or Express. It must read the body itself: in Express, add it
 * before `express.json()`. What the handler throws goes to `onError` and answers 500, so that the
 * delivery comes again.
 */
export function toNodeHandler(
  handler: (request: Request) => Promise<Response>,
  onError: (error: unknown) => void = () => undefined,
): (request: NodeRequest, response: NodeResponse) => Promise<void> {
  return async (request, response) => {
    try {
      const answer = await handler(await toRequest(request));
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      response.end(await answer.text());
    } catch (error) {
      onError(error);
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ Message: 'An error has occurred.' }));
    }
  };
}

async function toRequest(request: NodeRequest): Promise<Request> {
  if (request.readableEnded === true) {
    throw new TypeError(
      'The body was read before: put the webhook handler before any body parser.',
    );
  }
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    for (const each of [value].flat()) if (each !== undefined) headers.append(name, each);
  }
  const { method = 'GET' } = request;
  const url = `http://receiver${request.originalUrl ?? request.url ?? '/'}`;
  if (method === 'GET' || method === 'HEAD') return new Request(url, { method, headers });
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return new Request(url, {
    method,
    headers,
    body: new Blob(chunks.map((chunk) => new Uint8Array(chunk))),
  });
}
