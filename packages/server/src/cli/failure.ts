/** Errors whose message is a sentence for the operator. */
const SENTENCES: ReadonlySet<string> = new Set(['ConfigError', 'AppError', 'SealError']);

/** What is said when a command cannot do its work: a sentence, or where the bug is. */
export function failure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return `${error.message}. Another program listens there; choose another --port.`;
  }
  // Of the system: a full disk, a folder that is not there.
  if ('syscall' in error) return error.message;
  if ('errcode' in error) return `The store cannot be used: ${error.message}.`;
  return SENTENCES.has(error.name) ? error.message : (error.stack ?? error.message);
}
