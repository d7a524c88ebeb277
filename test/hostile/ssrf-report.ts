/** What the process inside the namespace found. */
export type NamespaceReport = {
  readonly entries: readonly {
    readonly id: string;
    readonly outcomes: readonly string[];
    /** The addresses at which a listener was reached, one for each connection. */
    readonly reached: readonly string[];
    readonly lookups: number;
  }[];
  readonly rebinding: {
    readonly rounds: number;
    readonly outcomes: Readonly<Record<string, number>>;
    readonly reached: readonly string[];
    readonly lookups: number;
  };
  /** Where listeners waited. */
  readonly ports: readonly number[];
};
