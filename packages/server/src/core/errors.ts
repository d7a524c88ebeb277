/** Every refusal Schoolbell can answer with, and the HTTP status it travels as. */
export const ERROR_STATUS = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  too_many_requests: 429,
  too_many_headers: 431,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export type ErrorDetail = {
  /** Microsoft's per-member messages, written as `ModelState`. */
  readonly modelState?: Readonly<Record<string, readonly string[]>>;
  /** Seconds after which the same call may succeed, written as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Microsoft answers some refusals with no body at all. */
  readonly emptyBody?: boolean;
  readonly cause?: unknown;
};

/** A refusal the caller can act on. Anything else that is thrown is a bug and answers 500. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  /** `message` is a sentence that names the thing and is shown to the caller. */
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.detail = detail;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** Says at compile time that every case was handled. */
export function unreachable(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
