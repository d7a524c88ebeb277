/** Of one head, interim or final, of a line between chunks, and of what follows the last of them. */
export const MAX_HEAD_BYTES: number = 16 * 1024;
/** Interim answers (1xx) that are waited through. */
export const MAX_INTERIM = 20;
/** All that is read of one answer, whatever it is: several times what is kept of head and body. */
export const MAX_WIRE_BYTES: number = 512 * 1024;
/** What is kept of a body. */
export const MAX_BODY_BYTES: number = 64 * 1024;
/** How long a connection may wait for its next request. */
export const MAX_IDLE_MS = 30_000;
