import { getCACertificates } from 'node:tls';
import { createTransport } from 'nodemailer';

/** One e-mail in plain text. */
export type Mail = { readonly subject: string; readonly text: string };

export type MailOptions = {
  /** `smtp[s]://[user:password@]host[:port]` of the operator's mail server. */
  readonly url: string;
  readonly from: string;
  readonly to: readonly string[];
  /** Authorities that are trusted besides the usual ones, as PEM. */
  readonly extraCa: readonly string[];
};

export interface Mailer {
  /** Rejects where the mail server did not take it. */
  send(mail: Mail): Promise<void>;
}

const TIMEOUT_MS = 15_000;
const PORTS: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 };

/**
 * Sends e-mail through the operator's server. With a user name TLS is required, so that the password
 * never leaves in clear; without one it is used where the server offers it.
 */
export function openMailer({ url, from, to, extraCa }: MailOptions): Mailer {
  const { protocol, hostname, port, username, password } = new URL(url);
  const hasUser = username !== '';
  const transport = createTransport({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (PORTS[protocol] ?? 0) : Number(port),
    secure: protocol === 'smtps:',
    requireTLS: hasUser,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(hasUser
      ? { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }
      : {}),
    ...(extraCa.length === 0 ? {} : { tls: { ca: [...getCACertificates(), ...extraCa] } }),
  });
  return {
    send: async ({ subject, text }) => {
      await transport.sendMail({ from, to: [...to], subject, text });
    },
  };
}
