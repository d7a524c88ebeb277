/** Where in a notification its subjects are found, as `Users[].Id`: member names joined by dots, `[]` for each item. */
export type SubjectPath = { readonly kind: 'learner' | 'course'; readonly path: string };

/** The name of an event type that can be subscribed to. */
export type Filter = {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of one notification; null where none was given. */
  readonly schema: object | null;
  /** One realistic notification; null where none was given. */
  readonly example: object | null;
  readonly subjects: readonly SubjectPath[];
  /** Paths such as `Learner.Email`, through lists too: what stands there is delivered and not shown. */
  readonly private: readonly string[];
  /** How long its events are kept after they ended, where that is shorter than elsewhere. */
  readonly retentionMs?: number | null;
};
