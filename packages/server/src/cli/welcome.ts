/** What a newcomer reads at first start, and never again: the key is not kept in clear anywhere else but its file. */
export function welcome(server: { readonly url: string; readonly adminKey: string }): string {
  const { url, adminKey } = server;
  return `
Schoolbell is ready at ${url}

  Admin key, shown this once:  ${adminKey}

  Publish a first event:

    curl ${url}/webhooks/events -u 'api:${adminKey}' \\
      -H 'Content-Type: application/json' \\
      -d '{"Action":"CourseCompleted","Course":{"Title":"First Aid"}}'

  Try every call in a browser:  ${url}/swagger

`;
}
