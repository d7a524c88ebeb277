type Text = string | readonly string[];
type Value = string | number | boolean | null;
type Comparison = '<' | '<=' | '=' | '>=' | '>';

/** What may stand at a path: a value, or a test. */
export type Wanted =
  | Value
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly 'equals-ignore-case': string }
  | {
      readonly 'anything-but':
        | Value
        | readonly Value[]
        | { readonly prefix: Text }
        | { readonly suffix: Text }
        | { readonly 'equals-ignore-case': Text };
    }
  | {
      readonly numeric:
        | readonly [Comparison, number]
        | readonly [Comparison, number, Comparison, number];
    }
  | { readonly exists: boolean };

/**
 * What a notification must hold: each path, such as `Course.Id`, any of its list; `$or` takes a list
 * of such objects.
 */
export type Conditions = {
  readonly [path: string]: readonly Wanted[] | Conditions | readonly Conditions[];
};

export type MatchRequest = {
  readonly Conditions: Conditions;
  /** What they are tried on; the example of the filter where neither this nor Recent is given. */
  readonly Notification?: Readonly<Record<string, unknown>>;
  /** So many recent notifications, 1 to 200. */
  readonly Recent?: number;
};

export type MatchResult = {
  readonly Matched: number;
  readonly Of: number;
  readonly Items: readonly {
    readonly EventId: string | null;
    readonly AcceptedAt: string | null;
    readonly Matches: boolean;
    readonly Failed: readonly { readonly Path: string; readonly Sentence: string }[];
    /** Null once the answer would be longer than 1 MiB. */
    readonly Notification: Readonly<Record<string, unknown>> | null;
  }[];
};
