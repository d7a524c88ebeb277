import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type KeyPair = { readonly key: string; readonly cert: string };

/** An authority of the tests' own, with what it signed. */
export type Certificates = {
  readonly authority: string;
  /** For the names asked for. */
  readonly good: KeyPair;
  readonly wrongName: KeyPair;
  readonly selfSigned: KeyPair;
  readonly expired: KeyPair;
};

/** Made anew by openssl for each run, so that nothing expires and no key lies in the repository. */
export function makeCertificates(
  names: string = 'DNS:receiver.test,DNS:localhost,IP:127.0.0.1',
): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-certificates-'));
  try {
    const authority = selfSign(folder, 'authority');
    const sign = (name: string, names: string, days = ['-days', '2']): KeyPair =>
      signed({ folder, name, names, validity: days });
    return {
      authority: authority.cert,
      good: sign('good', names),
      wrongName: sign('wrong', 'DNS:other.test'),
      expired: sign('expired', 'DNS:receiver.test,IP:127.0.0.1', ['-days', '-1']),
      selfSigned: selfSign(folder, 'self'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function selfSign(folder: string, name: string): KeyPair {
  openssl(folder, [
    'req',
    '-x509',
    ...NEW_KEY,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-addext',
    'subjectAltName=DNS:receiver.test,IP:127.0.0.1',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
  ]);
  return read(folder, name);
}

function signed(leaf: {
  readonly folder: string;
  readonly name: string;
  readonly names: string;
  readonly validity: readonly string[];
}): KeyPair {
  const { folder, name } = leaf;
  writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${leaf.names}\n`);
  openssl(folder, [
    'req',
    '-new',
    ...NEW_KEY,
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
  ]);
  openssl(folder, [
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    'authority.pem',
    '-CAkey',
    'authority.key',
    '-CAcreateserial',
    ...leaf.validity,
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.pem`,
  ]);
  return read(folder, name);
}

function openssl(folder: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
}

function read(folder: string, name: string): KeyPair {
  return {
    key: readFileSync(join(folder, `${name}.key`), 'utf8'),
    cert: readFileSync(join(folder, `${name}.pem`), 'utf8'),
  };
}
