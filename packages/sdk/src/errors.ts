/** Why a request is not a delivery of the expected sender. */
export type VerificationCode =
  | 'missing_headers'
  | 'bad_secret'
  | 'bad_timestamp'
  | 'timestamp_too_old'
  | 'timestamp_too_new'
  | 'bad_signature_format'
  | 'signature_mismatch';

/** Thrown by `verify`; `code` says which check failed, the message is a sentence. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly code: VerificationCode;

  constructor(code: VerificationCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Thrown by `SchoolbellClient` for an answer that is not a success. */
export class SchoolbellError extends Error {
  override readonly name = 'SchoolbellError';
  readonly status: number;
  /** Messages by member, where members of the request were at fault. */
  readonly modelState: Readonly<Record<string, readonly string[]>> | undefined;

  constructor(
    status: number,
    message: string,
    modelState?: Readonly<Record<string, readonly string[]>>,
  ) {
    super(message);
    this.status = status;
    this.modelState = modelState;
  }
}
