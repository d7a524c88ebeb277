import type pg from 'pg';

const OLDEST_VERSION = 15;

const SETTINGS = `
select name, setting
  from pg_settings
 where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding', 'server_version_num')`;

/** What each of these would cost, when it is off. */
const DANGERS: Readonly<Record<string, string>> = {
  fsync: 'a power cut could damage the whole database',
  full_page_writes: 'a power cut could damage pages of the database',
  synchronous_commit: 'a crash could lose events that publishers were told are safe',
};

/**
 * Throws when what was answered would not survive a crash of the server, with the reason; with
 * `allowUnsafe` these settings pass. Versions that are too old and other encodings never do.
 */
export async function refuseUnsafe(client: pg.Client, allowUnsafe: boolean): Promise<void> {
  const { rows } = await client.query<{ name: string; setting: string }>(SETTINGS);
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  const version = Math.floor(Number(settings.get('server_version_num')) / 10_000);
  if (version < OLDEST_VERSION) {
    throw new Error(
      `PostgreSQL ${OLDEST_VERSION} or newer is needed; the server is version ${version}.`,
    );
  }
  if (settings.get('server_encoding') !== 'UTF8') {
    throw new Error(
      `The database must have the encoding UTF8; it has ${settings.get('server_encoding')}.`,
    );
  }
  if (allowUnsafe) return;
  for (const [name, danger] of Object.entries(DANGERS)) {
    if (settings.get(name) !== 'off') continue;
    throw new Error(
      `PostgreSQL runs with ${name}=off: ${danger}. Switch it on, or start with --database-allow-unsafe on a machine for tests.`,
    );
  }
}
